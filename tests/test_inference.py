import numpy as np
import pytest
from conftest import SCALER, life

from lib import features, inference
from lib.windows import sliding


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.npz"
    inference.export_weights(model, path)
    return inference.load_weights(path)


@pytest.mark.parametrize("number", [1, 5, 41])
def test_numpy_rebuilds_what_keras_rebuilds(model, weights, number):
    windows = sliding(features.scale(life(200), SCALER), length=60)[:number]
    expected = model.predict_on_batch(np.ascontiguousarray(windows))
    np.testing.assert_allclose(inference.reconstruct(windows, weights), expected, atol=1e-6)


def test_a_window_is_rebuilt_alike_alone_and_among_others(weights):
    windows = sliding(features.scale(life(100), SCALER), length=60)
    together = inference.reconstruct(windows, weights)
    for place in (40, 0, 7):
        alone = inference.reconstruct(windows[place : place + 1], weights)
        np.testing.assert_allclose(alone[0], together[place], atol=1e-6)


def test_one_lstm_step_is_the_textbook_one():
    kernel, recurrent, bias = np.ones((1, 4)) * 0.5, np.zeros((1, 4)), np.array([0.1, 0.2, 0.3, 0.4])
    layer = inference._folded(kernel, recurrent, bias)
    outputs = inference._run(layer, np.full((1, 1, 1), 2.0, dtype=np.float32), 1)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    cell = sigmoid(1.1) * np.tanh(1.3)
    assert outputs[0, 0, 0] == pytest.approx(sigmoid(1.4) * np.tanh(cell), abs=1e-6)


def test_a_file_that_is_no_model_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(KeyError):
        inference.load_weights(tmp_path / "other.npz")
