from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import SCALER, life

from lib import features, inference
from lib.windows import gather


@pytest.fixture(scope="module")
def weights(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.npz"
    inference.export_weights(model, path)
    return inference.load_weights(path)


@pytest.fixture(scope="module")
def windows():
    return gather(features.scale(life(200), SCALER), np.arange(141), length=60)  # (141, 60, 7)


@pytest.mark.parametrize("number", [1, 5, 41, 65])
def test_numpy_rebuilds_what_keras_rebuilds(model, weights, windows, number):
    given = np.ascontiguousarray(windows[:number])
    expected, rebuilt = model.predict_on_batch(given), inference.reconstruct(given, weights)
    np.testing.assert_allclose(rebuilt, expected, atol=1e-6)
    np.testing.assert_allclose(_errors(given, rebuilt), _errors(given, expected), rtol=1e-6)


def _errors(windows, rebuilt):
    return np.square(windows - rebuilt, dtype=np.float64).mean(axis=(1, 2))


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [((1,), (1,)), ((3,), (5,)), ((8, 4), (4, 8)), ((5, 3, 4, 2), (6,)), ((128, 16), (192,))],
    ids=str,
)
@pytest.mark.parametrize("length", [1, 2, 9])
def test_any_autoencoder_computes_the_textbook_equations(tmp_path, encoder, decoder, length):
    arrays = _random_weights(encoder, decoder, features=3)
    np.savez(tmp_path / "weights.npz", **arrays)
    windows = np.random.default_rng(1).normal(0, 2, (4, length, 3)).astype(np.float32)
    rebuilt = inference.reconstruct(windows, inference.load_weights(tmp_path / "weights.npz"))
    np.testing.assert_allclose(rebuilt, _textbook(windows, arrays), atol=2e-6)


def _random_weights(encoder, decoder, *, features):
    rng, arrays, inputs = np.random.default_rng(0), {"repeat": np.int64(len(encoder))}, features
    for number, units in enumerate(encoder + decoder):
        shapes = {"kernel": (inputs, 4 * units), "recurrent": (units, 4 * units), "bias": (4 * units,)}
        for part, shape in shapes.items():
            arrays[f"{number}_{part}"] = rng.normal(0, shape[0] ** -0.5, shape).astype(np.float32)
        inputs = units
    return arrays | {
        "dense_kernel": rng.normal(0, 0.3, (inputs, features)).astype(np.float32),
        "dense_bias": rng.normal(0, 1, features).astype(np.float32),
    }


def _textbook(windows, arrays):
    """The autoencoder in float64, an equation a line: Hochreiter and Schmidhuber (1997) with forget gates."""
    sequence = windows.astype(np.float64)
    length, repeat = sequence.shape[1], int(arrays["repeat"])
    for number in range(sum(name.endswith("_kernel") for name in arrays) - 1):
        if number == repeat:
            sequence = np.repeat(sequence[:, -1:], length, axis=1)
        sequence = _textbook_layer(sequence, *(arrays[f"{number}_{part}"] for part in ("kernel", "recurrent", "bias")))
    return sequence @ arrays["dense_kernel"] + arrays["dense_bias"]


def _textbook_layer(sequence, kernel, recurrent, bias):
    output = cell = np.zeros((len(sequence), len(recurrent)))
    outputs = []
    for given in sequence.transpose(1, 0, 2):
        into, forget, new, out = np.split(given @ kernel + output @ recurrent + bias, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(into) * np.tanh(new)
        output = _sigmoid(out) * np.tanh(cell)
        outputs.append(output)
    return np.stack(outputs, axis=1)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_one_step_of_one_unit_is_the_one_worked_out_by_hand(tmp_path):
    zero, layer = np.zeros((1, 4)), {"kernel": np.full((1, 4), 0.5), "bias": np.array([0.1, 0.2, 0.3, 0.4])}
    silent = {"1_kernel": zero, "1_recurrent": zero, "1_bias": np.array([0, 0, 50.0, 0])}  # gives 0.5 tanh(0.5)
    arrays = {f"0_{part}": values for part, values in layer.items()} | {"0_recurrent": zero} | silent
    dense = {"dense_kernel": np.ones((1, 1)), "dense_bias": np.ones(1)}
    np.savez(tmp_path / "weights.npz", repeat=1, **arrays, **dense)
    weights = inference.load_weights(tmp_path / "weights.npz")
    window = np.full((1, 1, 1), 2.0, dtype=np.float32)
    cell = 0.7502601 * 0.8617232  # sigmoid(1.1) tanh(1.3), with nothing kept
    assert inference._run(weights.encoder, window, 1)[0, 0, 0] == pytest.approx(0.8021839 * np.tanh(cell), abs=1e-6)
    assert inference.reconstruct(window, weights)[0, 0, 0] == pytest.approx(1 + 0.5 * np.tanh(0.5), abs=1e-6)


def test_a_window_is_rebuilt_alike_alone_and_among_others(weights, windows):
    together = inference.reconstruct(windows, weights)
    for place in (140, 0, 7):
        alone = inference.reconstruct(windows[place : place + 1], weights)
        np.testing.assert_allclose(alone[0], together[place], atol=1e-6)


def test_a_window_that_is_no_numbers_spoils_no_other(weights, windows):
    given = windows[:41].copy()
    given[20] = np.nan
    rebuilt = inference.reconstruct(given, weights)
    others = np.arange(41) != 20
    np.testing.assert_allclose(rebuilt[others], inference.reconstruct(windows[:41], weights)[others], atol=1e-6)
    assert np.isnan(rebuilt[20]).all()


def test_nothing_is_kept_from_one_call_to_the_next(weights, windows):
    given = windows[:41].copy()
    first = inference.reconstruct(given, weights)
    kept = first.copy()
    for other in (windows[100:101], 1e6 * windows[50:60], np.full_like(windows[:41], np.nan)):
        inference.reconstruct(other, weights)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(inference.reconstruct(given, weights), kept)
    np.testing.assert_array_equal(given, windows[:41])


def test_threads_share_the_weights_without_a_lock(weights, windows):
    batches = [windows[begin : begin + size] for begin in range(0, 90, 15) for size in (1, 41)]
    expected = [inference.reconstruct(batch, weights) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        rebuilt = list(pool.map(lambda batch: inference.reconstruct(batch, weights), batches))
    for ours, theirs in zip(rebuilt, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_values_beyond_all_measure_saturate_quietly(weights, windows):
    rebuilt = inference.reconstruct(1e30 * windows[:2], weights)
    assert rebuilt.dtype == np.float32
    assert np.isfinite(rebuilt).all()


def test_no_windows_are_rebuilt_as_none(weights, windows):
    assert inference.reconstruct(windows[:0], weights).shape == (0, 60, 7)


def test_a_file_that_holds_no_model_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(KeyError):
        inference.load_weights(tmp_path / "other.npz")


def test_a_file_that_holds_no_arrays_is_refused(tmp_path):
    (tmp_path / "text.npz").write_text("no arrays")
    with pytest.raises(ValueError, match="pickle"):
        inference.load_weights(tmp_path / "text.npz")
