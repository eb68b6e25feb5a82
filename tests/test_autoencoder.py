import numpy as np
import pytest

from lib import silence

with silence.stderr():
    import keras

from lib import autoencoder


@pytest.fixture
def samples():
    return np.random.default_rng(2).normal(size=(120, 7)).astype(np.float32)


def small(seed=1):
    keras.utils.set_random_seed(seed)
    return autoencoder.build(sequence_length=8, encoding_dim=4)


def test_the_default_model_has_the_shape_and_weights_promised():
    model = autoencoder.build()
    assert model.input_shape == model.output_shape == (None, 60, 7)
    assert model.count_params() == 264_327


def test_errors_of_short_windows_are_those_of_windows_padded_by_hand(samples):
    model, last = small(), np.array([30, 40])
    sets = {"some": np.arange(7) < 2}
    errors = autoencoder.errors_by_channel_set(model, samples, last, length=8, sizes=[3, 8], sets=sets)["some"]
    known = np.where(np.arange(7) < 2, samples, 0)
    padded = np.stack([np.concatenate([known[[row - 2]].repeat(5, axis=0), known[row - 2 : row + 1]]) for row in last])
    rebuilt = model.predict_on_batch(padded.astype(np.float32))
    expected = np.square(padded - rebuilt)[:, 5:, :2].mean(axis=(1, 2))
    np.testing.assert_allclose(errors[0], expected, rtol=1e-5)
    assert errors.shape == (2, 2)


def test_a_channel_set_has_the_windows_of_the_wearers_who_report_all_of_it(samples):
    model, last = small(), np.array([30, 40, 50])
    sets = {"all": np.ones(7, dtype=bool), "some": np.arange(7) < 2}
    reports = np.ones((3, 7), dtype=bool)
    reports[1, 3] = False
    size = {"length": 8, "sizes": [8]}
    errors = autoencoder.errors_by_channel_set(model, samples, last, sets=sets, reports=reports, **size)
    every = autoencoder.errors_by_channel_set(model, samples, last, sets=sets, **size)
    np.testing.assert_allclose(errors["all"][0], every["all"][0][[0, 2]], rtol=1e-5)
    np.testing.assert_allclose(errors["some"], every["some"], rtol=1e-5)
