"""The autoencoder as an ONNX graph for lib.detector.network: from Keras, or from plain arrays.

The arrays are named `<layer>_kernel`, `<layer>_recurrent`, `<layer>_bias` for the LSTM layers 0, 1, … (gates in Keras'
order: input, forget, cell, output), `repeat` (how many LSTM layers come before the window is one vector) and
`dense_kernel`, `dense_bias`.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 17, 9


def save(model, path):
    """Write a Keras autoencoder to `path`."""
    write(arrays(model), path, length=model.input_shape[1])


def arrays(model):
    """A Keras autoencoder's weights by the names above, float32."""
    recurrent = [layer for layer in model.layers if type(layer).__name__ == "LSTM"]
    by_name = {"repeat": next(number for number, layer in enumerate(recurrent) if not layer.return_sequences) + 1}
    for number, layer in enumerate(recurrent):
        for weight, values in zip(("kernel", "recurrent", "bias"), layer.get_weights(), strict=True):
            by_name[f"{number}_{weight}"] = values
    by_name["dense_kernel"], by_name["dense_bias"] = model.layers[-1].get_weights()
    return by_name


def write(arrays, path, *, length):
    """Write the graph windows (N, length, features) → rebuilt, of `arrays` named as above."""
    nodes, constants = _graph(arrays, length)
    shape = ["N", length, arrays["0_kernel"].shape[0]]
    inputs, outputs = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("windows", "rebuilt"))
    constants = [numpy_helper.from_array(np.ascontiguousarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "autoencoder", [inputs], [outputs], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _graph(arrays, length):
    """The nodes, and {name: array} of the constants that they use."""
    constants = {"axis": np.array([1]), "repeats": np.array([length, 1, 1])}
    nodes = [helper.make_node("Transpose", ["windows"], ["steps"], perm=[1, 0, 2])]  # ONNX's LSTM takes time first
    last = "steps"
    for number in range(sum(name.endswith("_recurrent") for name in arrays)):
        weights = {f"{name}{number}": value for name, value in zip("WRB", _lstm(arrays, number), strict=True)}
        constants |= weights
        outputs = [f"sequence{number}", f"final{number}"]
        units = arrays[f"{number}_recurrent"].shape[0]
        nodes.append(helper.make_node("LSTM", [last, *weights], outputs, hidden_size=units))
        if number == arrays["repeat"] - 1:
            nodes.append(helper.make_node("Tile", [outputs[1], "repeats"], [last := f"repeated{number}"]))
        else:  # (length, one direction, N, units)
            nodes.append(helper.make_node("Squeeze", [outputs[0], "axis"], [last := f"given{number}"]))
    constants |= {name: arrays[name].astype(np.float32) for name in ("dense_kernel", "dense_bias")}
    nodes.append(helper.make_node("MatMul", [last, "dense_kernel"], ["product"]))
    nodes.append(helper.make_node("Add", ["product", "dense_bias"], ["sums"]))
    nodes.append(helper.make_node("Transpose", ["sums"], ["rebuilt"], perm=[1, 0, 2]))
    return nodes, constants


def _lstm(arrays, number):
    """A layer's W, R and B in ONNX' form: one direction, gates in the order input, output, forget, cell."""
    for name in ("kernel", "recurrent", "bias"):
        values = np.atleast_2d(arrays[f"{number}_{name}"]).astype(np.float32)
        input_gate, forget_gate, cell, output_gate = np.split(values, 4, axis=1)
        ordered = np.concatenate([input_gate, output_gate, forget_gate, cell], axis=1)
        yield np.append(ordered, np.zeros_like(ordered), axis=1) if name == "bias" else ordered.T[None]
