"""The autoencoder's forward pass in NumPy alone: what Lambda runs. Equal to Keras' within rounding.

Weights are named arrays in an .npz: `<layer>_kernel`, `<layer>_recurrent`, `<layer>_bias` for the LSTM layers
0, 1, … (gates in Keras' order: input, forget, cell, output), `repeat` (how many LSTM layers come before the window is
one vector) and `dense_kernel`, `dense_bias`.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layer:
    """One LSTM layer of U units, its gates folded so that all four are one tanh: see `_folded`."""

    kernel: np.ndarray  # (inputs, 4U)
    recurrent: np.ndarray  # (U, 4U)
    bias: np.ndarray  # (4U,)


@dataclass(frozen=True)
class Weights:
    """The whole autoencoder: LSTM layers before and after the bottleneck, and the dense layer at the end."""

    encoder: tuple
    decoder: tuple
    dense_kernel: np.ndarray  # (U, features)
    dense_bias: np.ndarray  # (features,)


def export_weights(model, path):
    """Write a Keras autoencoder's weights to `path`, an .npz of float32 arrays."""
    recurrent = [layer for layer in model.layers if type(layer).__name__ == "LSTM"]
    arrays = {"repeat": np.int64(_bottleneck(recurrent))}
    for number, layer in enumerate(recurrent):
        for part, values in zip(("kernel", "recurrent", "bias"), layer.get_weights(), strict=True):
            arrays[f"{number}_{part}"] = np.asarray(values, dtype=np.float32)
    arrays["dense_kernel"], arrays["dense_bias"] = model.layers[-1].get_weights()
    with open(path, "wb") as stream:
        np.savez(stream, **arrays)


def _bottleneck(recurrent):
    """How many LSTM layers there are up to the one that makes a vector of its window."""
    return next(number for number, layer in enumerate(recurrent) if not layer.return_sequences) + 1


def load_weights(path):
    """The Weights in an .npz that `export_weights` wrote. Raises ValueError or KeyError for another file."""
    with np.load(path, allow_pickle=False) as arrays:
        count = sum(name.endswith("_recurrent") for name in arrays.files)
        parts = ("kernel", "recurrent", "bias")
        layers = [_folded(*(arrays[f"{number}_{part}"] for part in parts)) for number in range(count)]
        repeat = int(arrays["repeat"])
        return Weights(tuple(layers[:repeat]), tuple(layers[repeat:]), arrays["dense_kernel"], arrays["dense_bias"])


def _folded(kernel, recurrent, bias):
    """A Layer whose sigmoid gates are a tanh of half their input: sigmoid(x) = (1 + tanh(x / 2)) / 2."""
    units = recurrent.shape[0]
    half = np.full(4 * units, 0.5, dtype=np.float32)
    half[2 * units : 3 * units] = 1.0  # the cell's candidate is a tanh already
    return Layer(*(np.ascontiguousarray(part * half, dtype=np.float32) for part in (kernel, recurrent, bias)))


def reconstruct(windows, weights):
    """Reconstructions (N, length, features) float32 of scaled windows of that shape."""
    steps = np.ascontiguousarray(windows.transpose(1, 0, 2), dtype=np.float32)  # (length, N, features)
    length = len(steps)
    for layer in weights.encoder:
        steps = _run(layer, steps, length)
    steps = steps[-1:]  # (1, N, bottleneck): the first decoder layer is given it at each step
    for layer in weights.decoder:
        steps = _run(layer, steps, length)
    rebuilt = steps.reshape(-1, steps.shape[-1]) @ weights.dense_kernel + weights.dense_bias
    return rebuilt.reshape(length, len(windows), -1).transpose(1, 0, 2)


def _run(layer, steps, length):
    """The outputs (length, N, U) of a layer for inputs (length, N, inputs), or (1, N, inputs) given at each step."""
    given, number, inputs = steps.shape
    units = layer.recurrent.shape[0]
    projected = (steps.reshape(-1, inputs) @ layer.kernel + layer.bias).reshape(given, number, 4 * units)
    outputs = np.empty((length, number, units), dtype=np.float32)
    hidden = np.zeros((number, units), dtype=np.float32)
    cell = np.zeros((number, units), dtype=np.float32)
    gates = np.empty((number, 4 * units), dtype=np.float32)
    for step in range(length):
        np.matmul(hidden, layer.recurrent, out=gates)
        gates += projected[step if given > 1 else 0]
        np.tanh(gates, out=gates)
        let_in, keep, new, let_out = (gates[:, i * units : (i + 1) * units] for i in range(4))
        cell *= keep + 1
        cell += (let_in + 1) * new
        cell *= 0.5
        hidden = np.multiply(let_out + 1, np.tanh(cell), out=outputs[step])
        hidden *= 0.5
    return outputs
