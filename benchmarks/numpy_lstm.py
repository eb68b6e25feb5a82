"""The autoencoder's forward pass in NumPy alone, which engines.py compares. Equal to Keras' within rounding.

Weights are named arrays in an .npz: `<layer>_kernel`, `<layer>_recurrent`, `<layer>_bias` for the LSTM layers
0, 1, … (gates in Keras' order: input, forget, cell, output), `repeat` (how many LSTM layers come before the window is
one vector) and `dense_kernel`, `dense_bias`.

For one window, the overhead of a NumPy call equals its work, so the pass makes few calls. The layers of a stack run
side by side, each one step behind the layer that feeds it, and share every call except the matrix products. All gates
use 1 / (1 + exp(sum)), which takes two thirds of the time of tanh. The weights are scaled so that this gives
sigmoid(x) = 1 / (1 + exp(-x)) or tanh(x) = 2 sigmoid(2 x) - 1.

Each window is a column. A kernel times few columns is up to twice as fast as few rows times the kernel, because
OpenBLAS copies the right factor. A single window is a vector, and its products take as long as reading the weights row
by row. The gates of a layer are adjacent in the products and are put in their places afterwards.
"""

from dataclasses import dataclass

import numpy as np

_CACHE_LINE = 64  # bytes
_ONE = np.array(1, dtype=np.float32)  # a Python number takes twice as long


@dataclass(frozen=True)
class Stack:
    """LSTM layers that feed one another, ready for `_run`: gates in the order input, forget, output, candidate."""

    kernels: tuple  # a layer's (4 * units, inputs + units), for its inputs and its own outputs
    rows: tuple  # the same of each layer as (inputs + units, 4 * units), for a single window
    places: np.ndarray  # (4, units of all layers) where each gate is among what the products make, layer by layer
    bias: np.ndarray  # (4, units of all layers, 1)
    ends: tuple  # where each layer's units end among all


@dataclass(frozen=True)
class Weights:
    """The whole autoencoder: LSTM layers before and after the bottleneck, and the dense layer at the end."""

    encoder: Stack
    decoder: Stack
    dense_kernel: np.ndarray  # (units, features)
    dense_bias: np.ndarray  # (features,)


def export_weights(model, path):
    """Write a Keras autoencoder's weights to `path`, an .npz of float32 arrays."""
    recurrent = [layer for layer in model.layers if type(layer).__name__ == "LSTM"]
    arrays = {"repeat": np.int64(_bottleneck(recurrent))}
    for number, layer in enumerate(recurrent):
        for weight, values in zip(("kernel", "recurrent", "bias"), layer.get_weights(), strict=True):
            arrays[f"{number}_{weight}"] = np.asarray(values, dtype=np.float32)
    arrays["dense_kernel"], arrays["dense_bias"] = model.layers[-1].get_weights()
    with open(path, "wb") as stream:
        np.savez(stream, **arrays)


def _bottleneck(recurrent):
    """How many LSTM layers there are up to the one that makes a vector of its window."""
    return next(number for number, layer in enumerate(recurrent) if not layer.return_sequences) + 1


def load_weights(path):
    """The Weights in an .npz that `export_weights` wrote. Raises ValueError or KeyError for another file."""
    with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        count = sum(name.endswith("_recurrent") for name in arrays.files)
        layers = [_folded(arrays, number) for number in range(count)]
        encoder, decoder = layers[: int(arrays["repeat"])], layers[int(arrays["repeat"]) :]
        return Weights(_stack(encoder), _stack(decoder), arrays["dense_kernel"], arrays["dense_bias"])


def _stack(layers):
    """A Stack of layers (kernel, bias), each by gate: (4, inputs + units, units) and (4, 1, units)."""
    kernels, biases = zip(*layers, strict=True)
    units = [kernel.shape[2] for kernel in kernels]
    rows = [kernel.transpose(1, 0, 2).reshape(kernel.shape[1], -1) for kernel in kernels]
    places = [4 * sum(units[:layer]) + np.arange(4 * count).reshape(4, count) for layer, count in enumerate(units)]
    return Stack(
        kernels=tuple(_aligned(of_layer.T) for of_layer in rows),
        rows=tuple(map(_aligned, rows)),
        places=np.concatenate(places, axis=1),
        bias=np.concatenate(biases, axis=2).transpose(0, 2, 1),
        ends=tuple(np.cumsum(units).tolist()),
    )


def _folded(arrays, number):
    """A layer's kernel and bias by gate."""
    kernel, recurrent, bias = (arrays[f"{number}_{weight}"] for weight in ("kernel", "recurrent", "bias"))
    return _by_gate(np.concatenate([kernel, recurrent])), _by_gate(bias[None])


def _by_gate(columns):
    """Columns (R, 4U) in Keras' order as (4, R, U) float32 in this module's, folded: see above."""
    let_in, keep, new, let_out = np.split(columns, 4, axis=1)
    return np.stack([-let_in, -keep, -let_out, -2 * new]).astype(np.float32)


def _aligned(values):
    """A contiguous copy of float32 values that begins at a cache line."""
    room = np.empty(values.nbytes + _CACHE_LINE, dtype=np.uint8)
    begin = -room.ctypes.data % _CACHE_LINE
    aligned = room[begin : begin + values.nbytes].view(np.float32).reshape(values.shape)
    aligned[...] = values
    return aligned


def reconstruct(windows, weights):
    """Reconstructions (N, length, features) float32 of scaled windows of that shape."""
    steps = windows.transpose(1, 2, 0)  # (length, features, N)
    code = _run(weights.encoder, steps, len(steps))[-1:]  # (1, bottleneck, N)
    decoded = _run(weights.decoder, code, len(steps))  # (length, units, N)
    return (weights.dense_kernel.T @ decoded + weights.dense_bias[:, None]).transpose(2, 0, 1)


def _run(stack, steps, length):
    """The last layer's outputs (length, units, N) for inputs (length, inputs, N), or (1, inputs, N) held."""
    inputs, number = steps.shape[1:]
    state = np.zeros((inputs + stack.ends[-1], number), dtype=np.float32)  # the inputs, and all layers' outputs
    planes = np.zeros((5, stack.ends[-1], number), dtype=np.float32)  # the gates in their order, and the cells
    sums = np.empty((4 * stack.ends[-1], number), dtype=np.float32)  # the gates, those of each layer side by side
    current, hidden = state[:inputs], state[inputs:]
    gates, entry, kept, (let_out, new, cell) = planes[:4], planes[:2], planes[3:], planes[2:]
    places, bias = stack.places, np.repeat(stack.bias, number, axis=2)
    over = np.ones_like(gates)  # the numerators: tanh is made from twice a sigmoid
    over[3] = 2
    products = list(_products(stack, state, sums))
    behind = len(products) - 1  # steps that the last layer is behind the first
    last = hidden[(0, *stack.ends)[behind] :]
    outputs = np.empty((length, *last.shape), dtype=np.float32)
    with np.errstate(over="ignore"):  # exp overflows for a closed gate
        for step in range(length + behind):
            if step < len(steps):
                current[...] = steps[step]
            for product, left, right, target in products:
                product(left, right, out=target)
            sums.take(places, axis=0, out=gates, mode="clip")  # the mode that needs no copy
            gates += bias
            np.exp(gates, out=gates)
            gates += _ONE
            np.divide(over, gates, out=gates)
            new -= _ONE
            kept *= entry  # the candidate by the input gate, the cell by the forget gate
            cell += new
            np.tanh(cell, out=hidden)
            hidden *= let_out
            if step >= behind:
                outputs[step - behind] = last
            else:  # nothing has reached the later layers yet: they begin at zero
                cell[stack.ends[step] :] = hidden[stack.ends[step] :] = 0
    return outputs


def _products(stack, state, sums):
    """Each layer's product: function, factors and target, which is the layer's gates in `sums`.

    A layer sees its inputs and its own outputs in the state, shape (inputs + units, N), or the vector of one window.
    """
    inputs = len(state) - stack.ends[-1]
    for layer, (begin, end) in enumerate(zip((0, *stack.ends), stack.ends, strict=False)):
        rows, target = stack.rows[layer], sums[4 * begin : 4 * end]
        seen = state[inputs + end - len(rows) : inputs + end]
        if state.shape[1] == 1:
            yield np.dot, seen[:, 0], rows, target[:, 0]
        else:
            yield np.matmul, stack.kernels[layer], seen, target
