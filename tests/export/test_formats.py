import keras
import numpy as np
import pytest

from lib import silence
from lib.export import formats
from lib.training import onnx_graph

READERS = {
    "keras": (formats.read_keras, "model.keras"),
    "h5": (formats.read_keras, "model.h5"),
    "savedmodel": (formats.read_savedmodel, "savedmodel"),
    "tflite": (formats.read_tflite, "model.tflite"),
    "onnx": (formats.read_onnx, "model.onnx"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model):
    """The model in all its formats."""
    folder = tmp_path_factory.mktemp("formats")
    model.save(folder / "model.keras")
    formats.save_h5(model, folder / "model.h5")
    formats.save_savedmodel(model, folder / "savedmodel")
    formats.save_tflite(model, folder / "model.tflite")
    onnx_graph.save(model, folder / "model.onnx")
    return folder


@pytest.fixture(scope="module")
def windows():
    return np.random.default_rng(5).normal(size=(5, 60, 7)).astype(np.float32)


@pytest.fixture(scope="module")
def expected(model, windows):
    return model.predict_on_batch(windows)


@pytest.mark.parametrize("name", READERS)
def test_a_format_agrees_with_the_model_in_any_order_of_calls(name, folder, windows, expected):
    reader, file = READERS[name]
    reconstruct = reader(folder / file)
    for number in (3, 0, 4, 1, 2, 2, 1, 4, 0, 3):
        one = slice(number, number + 1)
        actual = reconstruct(windows[one])
        np.testing.assert_allclose(actual, expected[one], rtol=0, atol=1e-5)
        errors = [np.square(windows[one] - output).mean() for output in (actual, expected[one])]
        assert errors[0] == pytest.approx(errors[1], rel=1e-5)


@pytest.mark.parametrize("name", READERS)
def test_a_format_takes_several_windows_at_once(name, folder, windows, expected):
    reader, file = READERS[name]
    np.testing.assert_allclose(reader(folder / file)(windows), expected, rtol=0, atol=1e-5)


def test_the_tflite_model_does_not_limit_its_cells(model, tmp_path):
    """The first layer's cells count up by one a step to 40 and down again, far beyond TFLite's limit of ±10."""
    counting = keras.models.clone_model(model)
    counting.set_weights(model.get_weights())
    kernel, recurrent, bias = counting.layers[0].get_weights()
    units = len(recurrent)
    kernel[:], recurrent[:], bias[: 2 * units] = 0, 0, 20  # gates: input, forget, candidate, output
    kernel[0, 2 * units : 3 * units] = 5
    counting.layers[0].set_weights([kernel, recurrent, bias])
    windows = np.zeros((1, 60, 7), np.float32)
    windows[:, :40, 0], windows[:, 40:, 0] = 1, -1
    formats.save_tflite(counting, tmp_path / "counting.tflite")
    actual = formats.read_tflite(tmp_path / "counting.tflite")(windows)
    np.testing.assert_allclose(actual, counting.predict_on_batch(windows), rtol=0, atol=1e-5)


def test_the_tflite_model_runs_its_six_lstm_layers_as_fused_operations(folder):
    with silence.stderr():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(folder / "model.tflite"))
    operations = [operation["op_name"] for operation in interpreter._get_ops_details()]
    assert operations.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == 6
    assert "WHILE" not in operations


def test_the_tflite_model_is_barely_larger_than_its_weights(folder, model):
    size = (folder / "model.tflite").stat().st_size
    assert 1 < size / (4 * model.count_params()) < 1.05


def test_a_layer_that_cannot_be_copied_is_named(tmp_path):
    import keras

    other = keras.Sequential([keras.Input((4, 2)), keras.layers.GRU(3, name="odd")])
    with pytest.raises(ValueError, match="layer odd: a GRU"):
        formats.save_tflite(other, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def compared(tmp_path):
    """Windows of ones, reconstructed as 0 (an error of 1) and as 1.5 (an error of 0.25)."""
    (tmp_path / "file").write_bytes(bytes(2000))
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "one").write_bytes(bytes(3000))
    (tmp_path / "in" / "deep" / "two").write_bytes(bytes(4000))
    files = {
        "first": (lambda path: np.zeros_like, tmp_path / "file"),
        "second": (lambda path: lambda windows: 1.5 * windows, tmp_path / "in"),
    }
    return formats.compare(files, np.ones((3, 60, 7), dtype=np.float32))


def test_formats_are_compared_by_the_relative_difference_of_their_errors(compared):
    assert compared["difference"].to_dict() == {"first": 0.0, "second": 0.75}


def test_the_size_of_a_format_is_that_of_all_its_files(compared):
    assert compared["size_mb"].to_dict() == {"first": 0.002, "second": 0.007}


def test_the_largest_difference_of_any_window_counts(tmp_path):
    (tmp_path / "file").touch()
    windows = np.ones((2, 60, 7), dtype=np.float32)
    half = np.stack([np.zeros((60, 7)), np.full((60, 7), 0.5)])  # the second window's error is 0.25
    files = {
        "first": (lambda path: np.zeros_like, tmp_path / "file"),
        "second": (lambda path: lambda batch: half[: len(batch)], tmp_path / "file"),
    }
    assert formats.compare(files, windows)["difference"].tolist() == [0.0, 0.75]


def test_writing_a_format_prints_and_logs_nothing(tmp_path, model, caplog, capfd):
    formats.save_h5(model, tmp_path / "model.h5")
    formats.save_savedmodel(model, tmp_path / "savedmodel")
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
