"""The model's formats: SavedModel, .h5, TFLite and ONNX. Writers, and readers that run each."""

import io
import logging
import time
from contextlib import contextmanager, redirect_stdout

import keras
import numpy as np
import pandas as pd

from lib import silence
from lib.detector.network import Network


@contextmanager
def _silenced():
    """Suppress TensorFlow's messages about temporary paths and Keras' about old formats, in all streams and logs."""
    logs = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with silence.stderr(), redirect_stdout(io.StringIO()):
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def save_savedmodel(model, folder):
    """Write a TensorFlow SavedModel. Its input batch may have any size."""
    with _silenced():
        model.export(folder, verbose=False)


def save_h5(model, path):
    """Write Keras' legacy HDF5 file, which older tools read."""
    with _silenced():
        model.save(path, include_optimizer=False)


def save_tflite(model, path):
    """Write a TFLite model of batch 1 with fused LSTM operations.

    Keras 3's LSTM converts to loops, which are slower and cannot be batched either. So the converter gets a copy of
    the model in tf_keras, with the same weights.
    """
    with _silenced():
        import tensorflow as tf

        converted = tf.lite.TFLiteConverter.from_keras_model(to_tf_keras(model)).convert()
    path.write_bytes(without_cell_clip(converted))


def without_cell_clip(converted):
    """Return the TFLite model (bytes) without its limit of ±10 on LSTM cells. Keras has no such limit."""
    from tensorflow.lite.tools import flatbuffer_utils

    content = flatbuffer_utils.convert_bytearray_to_object(converted)
    for graph in content.subgraphs:
        for operation in graph.operators:
            if hasattr(operation.builtinOptions, "cellClip"):
                operation.builtinOptions.cellClip = 0.0  # 0 means no limit
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


def to_tf_keras(model):
    """Copy a Keras 3 autoencoder to tf_keras, with a batch of 1.

    Raises
    ------
    ValueError
        If a layer is of a kind that autoencoders do not have.
    """
    import tf_keras

    layers = tf_keras.layers
    copy = tf_keras.Sequential([layers.Input(model.input_shape[1:], batch_size=1)])
    for layer in model.layers:
        match type(layer).__name__:
            case "LSTM":
                copy.add(layers.LSTM(layer.units, return_sequences=layer.return_sequences))
            case "RepeatVector":
                copy.add(layers.RepeatVector(layer.n))
            case "TimeDistributed":
                copy.add(layers.TimeDistributed(layers.Dense(layer.layer.units)))
            case "Dropout":
                continue  # it acts in training only
            case kind:
                raise ValueError(f"layer {layer.name}: a {kind} cannot be copied for TFLite")
        copy.layers[-1].set_weights(layer.get_weights())
    return copy


def read_keras(path):
    """Return a function that reconstructs scaled windows (n_windows, length, 7) with a .keras or .h5 file."""
    return keras.saving.load_model(path, compile=False).predict_on_batch


def read_savedmodel(folder):
    """Return a function that reconstructs windows as `read_keras`'s does, with a SavedModel."""
    import tensorflow as tf

    served = tf.saved_model.load(str(folder))
    return lambda windows: served.serve(windows).numpy()


def read_tflite(path):
    """Return a function that reconstructs windows as `read_keras`'s does, with a TFLite file, one at a time.

    The fused LSTM keeps its state from one call to the next, so it is reset before each.
    """
    with silence.stderr():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    input_index = interpreter.get_input_details()[0]["index"]
    output_index = interpreter.get_output_details()[0]["index"]

    def reconstruct(windows):
        reconstructed = np.empty_like(windows)
        for number, window in enumerate(windows):
            interpreter.reset_all_variables()
            interpreter.set_tensor(input_index, window[None])
            interpreter.invoke()
            reconstructed[number] = interpreter.get_tensor(output_index)[0]
        return reconstructed

    return reconstruct


def read_onnx(path):
    """Return a function that reconstructs windows as `read_keras`'s does, with an ONNX file, as Lambda does."""
    return Network.load(path).reconstruct


def compare(files, windows, *, progress=iter):
    """Compare each format with the first, in this process.

    Parameters
    ----------
    files : dict of str to tuple
        (reader, path) by format.
    windows : ndarray, shape (n_windows, length, 7)
        Scaled windows.
    progress : callable
        Wraps the iteration over the formats.

    Returns
    -------
    DataFrame
        By format: `size_mb`; `load_ms`; `ms_a_window`, the median of single windows; `difference`, the largest
        relative difference of a window's error to the first format's.
    """
    rows, errors = {}, {}
    for name, (reader, path) in progress(files.items()):
        start = time.perf_counter()
        reconstruct = reader(path)
        load_ms = 1000 * (time.perf_counter() - start)
        errors[name] = np.square(windows - reconstruct(windows), dtype=np.float64).mean(axis=(1, 2))
        rows[name] = {
            "size_mb": _size(path) / 1e6,
            "load_ms": load_ms,
            "ms_a_window": _median_ms(reconstruct, windows),
            "difference": float(np.max(np.abs(errors[name] / next(iter(errors.values())) - 1))),
        }
    return pd.DataFrame(rows).T


def _median_ms(reconstruct, windows):
    reconstruct(windows[:1])
    times = []
    for number in range(min(len(windows), 20)):
        start = time.perf_counter()
        reconstruct(windows[number : number + 1])
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times))


def _size(path):
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
