"""The model's formats: SavedModel, .h5, TFLite and ONNX; writers, and readers that run each."""

import io
import logging
import time
from contextlib import contextmanager, redirect_stdout

import keras
import numpy as np
import pandas as pd

from lib import silence
from lib.detector import scoring
from lib.detector.network import Network


@contextmanager
def _quietly():
    """Without what TensorFlow says of temporary paths and Keras of old formats: on stdout, on stderr and in logs."""
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
    """Write a TensorFlow SavedModel, its input batch of any size."""
    with _quietly():
        model.export(folder, verbose=False)


def save_h5(model, path):
    """Write Keras' legacy HDF5 file, which older tools read."""
    with _quietly():
        model.save(path, include_optimizer=False)


def save_tflite(model, path):
    """Write a TFLite model of batch 1, whose LSTM layers are fused operations.

    Keras 3's own LSTM becomes loops that are slower and can not be batched either, so a twin with the same weights
    is built in tf_keras, and that is converted.
    """
    with _quietly():
        import tensorflow as tf

        converted = tf.lite.TFLiteConverter.from_keras_model(twin(model)).convert()
    path.write_bytes(unclipped(converted))


def unclipped(converted):
    """The TFLite model whose cells hold any value: the converter limits them to ±10, which Keras does not."""
    from tensorflow.lite.tools import flatbuffer_utils

    content = flatbuffer_utils.convert_bytearray_to_object(converted)
    for graph in content.subgraphs:
        for operation in graph.operators:
            if hasattr(operation.builtinOptions, "cellClip"):
                operation.builtinOptions.cellClip = 0.0  # none
    return bytes(flatbuffer_utils.convert_object_to_bytearray(content))


def twin(model):
    """A Keras 3 autoencoder again in tf_keras, with a batch of 1. Raises ValueError for a layer of another kind."""
    import tf_keras

    kinds = tf_keras.layers
    made = tf_keras.Sequential([kinds.Input(model.input_shape[1:], batch_size=1)])
    for layer in model.layers:
        match type(layer).__name__:
            case "LSTM":
                made.add(kinds.LSTM(layer.units, return_sequences=layer.return_sequences))
            case "RepeatVector":
                made.add(kinds.RepeatVector(layer.n))
            case "TimeDistributed":
                made.add(kinds.TimeDistributed(kinds.Dense(layer.layer.units)))
            case "Dropout":
                continue  # does nothing but in training
            case other:
                raise ValueError(f"layer {layer.name}: a {other} has no twin for TFLite")
        made.layers[-1].set_weights(layer.get_weights())
    return made


def read_keras(path):
    """A function that reconstructs scaled windows (N, length, 7) with a .keras or .h5 file."""
    return keras.saving.load_model(path, compile=False).predict_on_batch


def read_savedmodel(folder):
    """The same with a SavedModel."""
    import tensorflow as tf

    served = tf.saved_model.load(str(folder))
    return lambda windows: served.serve(windows).numpy()


def read_tflite(path):
    """The same with a TFLite file, a window at a time.

    The fused LSTM keeps its state from one call to the next, so it is reset before each.
    """
    with silence.stderr():
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    given, made = (side()[0]["index"] for side in (interpreter.get_input_details, interpreter.get_output_details))

    def reconstruct(windows):
        rebuilt = np.empty_like(windows)
        for number, window in enumerate(windows):
            interpreter.reset_all_variables()
            interpreter.set_tensor(given, window[None])
            interpreter.invoke()
            rebuilt[number] = interpreter.get_tensor(made)[0]
        return rebuilt

    return reconstruct


def read_onnx(path):
    """The same with an ONNX file: what the Lambda function runs."""
    return Network.load(path).reconstruct


def compare(files, windows, *, progress=iter):
    """Each format beside the first, measured in this process on scaled windows (N, length, 7).

    files: {format: (reader, path)}. Returns a frame by format: size_mb, load_ms, ms_a_window (one at a time, the
    median), and difference: the largest relative difference of a window's error to the first format's.
    """
    rows, errors = {}, {}
    for name, (reader, path) in progress(files.items()):
        began = time.perf_counter()
        reconstruct = reader(path)
        load_ms = 1000 * (time.perf_counter() - began)
        errors[name] = scoring.feature_errors(windows, reconstruct(windows)).mean(axis=1)
        rows[name] = {
            "size_mb": _size(path) / 1e6,
            "load_ms": load_ms,
            "ms_a_window": _median_ms(reconstruct, windows),
            "difference": float(np.max(np.abs(errors[name] / next(iter(errors.values())) - 1))),
        }
    return pd.DataFrame(rows).T


def _median_ms(reconstruct, windows):
    reconstruct(windows[:1])
    taken = []
    for number in range(min(len(windows), 20)):
        began = time.perf_counter()
        reconstruct(windows[number : number + 1])
        taken.append(1000 * (time.perf_counter() - began))
    return float(np.median(taken))


def _size(path):
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size
