"""One engine in a process of its own: python one_engine.py <engine> <model> <windows.npy> <rebuilt.npy>.

See engines.py. Writes the rebuilt windows, and prints one line of JSON: when the first window was scored (by
time.monotonic(), one clock for all processes), the times of calls with one window and with 41, resident memory, and the
packages' files it loaded.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np

TOGETHER = 41  # windows in a request of 100 readings
CALLS, SECONDS = 200, 1.0  # whichever comes first


def deployed_engine(path):
    """A function that rebuilds windows (N, length, features) with an ONNX graph, as the handler does."""
    from lib.detector.network import Network

    return Network.load(path).reconstruct


def numpy_engine(path):
    """The same with the weights in an .npz."""
    from numpy_lstm import load_weights, reconstruct

    weights = load_weights(path)
    return lambda windows: reconstruct(windows, weights)


def onnxruntime_engine(path):
    """The same with an ONNX graph, and onnxruntime as it is by default, but for its threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda windows: session.run(None, {"windows": windows})[0]


def litert_engine(path):
    """The same with a TFLite file of any fixed batch, the last batch filled up with zeros.

    The fused LSTM keeps its state from one call to the next, so it is reset before each.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    inputs, output = interpreter.get_input_details()[0], interpreter.get_output_details()[0]["index"]
    batch = np.zeros(inputs["shape"], dtype=np.float32)

    def reconstruct(windows):
        rebuilt = np.empty_like(windows)
        for begin in range(0, len(windows), len(batch)):
            chunk = windows[begin : begin + len(batch)]
            batch[: len(chunk)], batch[len(chunk) :] = chunk, 0
            interpreter.reset_all_variables()
            interpreter.set_tensor(inputs["index"], batch)
            interpreter.invoke()
            rebuilt[begin : begin + len(chunk)] = interpreter.get_tensor(output)[: len(chunk)]
        return rebuilt

    return reconstruct


ENGINES = {"deployed": deployed_engine, "numpy": numpy_engine}
ENGINES |= {"onnxruntime": onnxruntime_engine, "litert": litert_engine}


def main():
    engine, model, path, output = sys.argv[1:]
    windows = np.load(path)  # (N, length, features) float32
    reconstruct = ENGINES[engine](model)
    np.square(windows[:1] - reconstruct(windows[:1]), dtype=np.float64).mean(axis=(1, 2))
    measured = {"scored_at": time.monotonic()}
    measured |= {f"ms_{number}": _times(reconstruct, windows[:number]) for number in (1, TOGETHER)}
    measured["memory"] = _resident()
    np.save(output, reconstruct(windows))
    print(json.dumps(measured | {"files": loaded_files()}))


def _times(reconstruct, windows):
    """Milliseconds of each of several calls, after one that is not counted."""
    reconstruct(windows)
    taken, end = [], time.perf_counter() + SECONDS
    while len(taken) < CALLS and (began := time.perf_counter()) < end:
        reconstruct(windows)
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def _resident():
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) * 1024


def loaded_files():
    """The modules and libraries that are loaded and not Python's own or the system's."""
    modules = {module.__file__ for module in sys.modules.values() if getattr(module, "__file__", None)}
    mapped = {line.split(maxsplit=5)[-1] for line in Path("/proc/self/maps").read_text().splitlines() if ".so" in line}
    return sorted(name for name in modules | mapped if not name.startswith((sys.base_prefix, "/usr/", "/lib")))


if __name__ == "__main__":
    main()
