import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from conftest import SCALER, life
from onnx import TensorProto, helper

from lib.detector import features
from lib.detector.network import Network
from lib.detector.windows import gather
from lib.training import onnx_graph


@pytest.fixture(scope="module")
def network(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "model.onnx"
    onnx_graph.save(model, path)
    return Network.load(path)


@pytest.fixture(scope="module")
def windows():
    return gather(features.scale(life(200), SCALER), np.arange(141), length=60)  # (141, 60, 7)


@pytest.mark.parametrize("number", [1, 5, 41, 65])
def test_the_network_rebuilds_what_keras_rebuilds(model, network, windows, number):
    given = np.ascontiguousarray(windows[:number])
    expected, rebuilt = model.predict_on_batch(given), network.reconstruct(given)
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
    onnx_graph.write(arrays, tmp_path / "model.onnx", length=length)
    windows = np.random.default_rng(1).normal(0, 2, (4, length, 3)).astype(np.float32)
    rebuilt = Network.load(tmp_path / "model.onnx").reconstruct(windows)
    np.testing.assert_allclose(rebuilt, _textbook(windows, arrays), atol=2e-6)


def _random_weights(encoder, decoder, *, features):
    rng, arrays, inputs = np.random.default_rng(0), {"repeat": len(encoder)}, features
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
    passing = {"1_kernel": np.array([[0, 0, 1.0, 0]]), "1_recurrent": zero, "1_bias": np.zeros(4)}  # gates half open
    arrays = {f"0_{part}": values for part, values in layer.items()} | {"0_recurrent": zero} | passing
    dense = {"dense_kernel": np.ones((1, 1)), "dense_bias": np.ones(1)}
    onnx_graph.write({"repeat": 1, **arrays, **dense}, tmp_path / "model.onnx", length=1)
    window = np.full((1, 1, 1), 2.0, dtype=np.float32)
    code = 0.8021839 * np.tanh(0.7502601 * 0.8617232)  # sigmoid(1.4) of sigmoid(1.1) tanh(1.3), with nothing kept
    cell = 0.5 * np.tanh(code)
    assert Network.load(tmp_path / "model.onnx").reconstruct(window)[0, 0, 0] == pytest.approx(
        1 + 0.5 * np.tanh(cell), abs=1e-6
    )


def test_a_window_is_rebuilt_alike_alone_and_among_others(network, windows):
    together = network.reconstruct(windows)
    for place in (140, 0, 7):
        alone = network.reconstruct(windows[place : place + 1])
        np.testing.assert_allclose(alone[0], together[place], atol=1e-6)


def test_a_window_that_is_no_numbers_spoils_no_other(network, windows):
    given = windows[:41].copy()
    given[20] = np.nan
    rebuilt, others = network.reconstruct(given), np.arange(41) != 20
    np.testing.assert_allclose(rebuilt[others], network.reconstruct(windows[:41])[others], atol=1e-6)


def test_nothing_is_kept_from_one_call_to_the_next(network, windows):
    given = windows[:41].copy()
    first = network.reconstruct(given)
    kept = first.copy()
    for other in (windows[100:101], 1e6 * windows[50:60], np.full_like(windows[:41], np.nan)):
        network.reconstruct(other)
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(network.reconstruct(given), kept)
    np.testing.assert_array_equal(given, windows[:41])


def test_threads_share_the_network_without_a_lock(network, windows):
    batches = [windows[begin : begin + size] for begin in range(0, 90, 15) for size in (1, 41)]
    expected = [network.reconstruct(batch) for batch in batches]
    with ThreadPoolExecutor(4) as pool:
        rebuilt = list(pool.map(lambda batch: network.reconstruct(batch), batches))
    for ours, theirs in zip(rebuilt, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_values_beyond_all_measure_saturate_quietly(network, windows):
    rebuilt = network.reconstruct(1e30 * windows[:2])
    assert rebuilt.dtype == np.float32
    assert np.isfinite(rebuilt).all()


def test_no_windows_are_rebuilt_as_none(network, windows):
    assert network.reconstruct(windows[:0]).shape == (0, 60, 7)


def test_another_process_is_given_the_same_network(network, windows):
    sent = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(sent.reconstruct(windows[:3]), network.reconstruct(windows[:3]))


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x09"])
def test_a_file_that_holds_no_model_is_refused(tmp_path, content):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="no ONNX model"):
        Network.load(tmp_path / "model.onnx")


def test_a_model_of_something_else_is_refused():
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("pixels", "label"))
    graph = helper.make_graph([helper.make_node("Identity", ["pixels"], ["label"])], "other", [given], [made])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", onnx_graph.OPSET)], ir_version=onnx_graph.IR
    )
    with pytest.raises(ValueError, match="expected an ONNX model of windows"):
        Network(model.SerializeToString())
