import numpy as np
import pytest

from lib import silence

with silence.stderr():
    import keras

from lib.training import autoencoder


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
    model, first, size = small(), np.array([28, 38]), np.array([3, 3])
    errors = autoencoder.feature_errors(model, samples, first, length=8, size=size)
    padded = np.stack([np.concatenate([samples[[row]].repeat(5, axis=0), samples[row : row + 3]]) for row in first])
    expected = np.square(padded - model.predict_on_batch(padded.astype(np.float32)))[:, 5:].mean(axis=1)
    np.testing.assert_allclose(errors, expected, rtol=1e-5)
