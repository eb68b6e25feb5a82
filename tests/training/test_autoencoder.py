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


def test_feature_errors_are_mean_squares_over_time_whatever_the_batch_size(samples):
    model, first = small(), np.arange(0, 50, 7)
    windows = np.stack([samples[row : row + 8] for row in first])
    expected = np.square(windows - model.predict_on_batch(windows.astype(np.float32))).mean(axis=1)
    for batch_size in (3, 1024):
        errors = autoencoder.feature_errors(model, samples, first, length=8, batch_size=batch_size)
        np.testing.assert_allclose(errors, expected, rtol=1e-5)
