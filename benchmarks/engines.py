"""Which engine should run the model on Lambda: NumPy, onnxruntime or LiteRT? Prints a table of benchmarks/README.md.

    .venv/bin/python benchmarks/engines.py --run default

Each engine runs a run's model in a process of its own, with one thread, on windows of the run's test wearers. All take
turns, several rounds long, and a figure is the median of the rounds: what else the machine does meets all alike. Zip is
what the engine loads of its packages, without Python, compressed, and the model: no zip can hold less. Takes eight
minutes, four of them to convert the model for LiteRT. Linux only.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import numpy_lstm
import onnxruntime
from onnxruntime.quantization import quantize_dynamic

from lib import silence
from lib.data import clean
from lib.detector import features
from lib.detector.detector import Detector
from lib.detector.export_folder import NETWORK
from lib.detector.windows import gather, starts
from lib.run import Run

CHILD = Path(__file__).with_name("one_engine.py")
ROOT = CHILD.parents[1]
BATCHES = (8, 41)  # LiteRT's, besides 1
BASE = "onnxruntime"  # as it is by default: what the ratios are to
HEADS = ("engine", "cold start ms", "1 window ms", "p99", "ratio", "41 windows ms", "ratio", "memory MB", "zip MB")
HEADS += ("error off by", "score off by")
GUIDE = ("*the guide expects*", "2,000–3,000", "100–200 a batch", "", "", "", "", "~500", "< 50", "", "")


def main():
    options = _arguments()
    run = Run.at(options.run)
    detector = Detector.load(run.models)
    windows = windows_of(run, detector.describer, at_most=options.windows)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        np.save(folder / "windows.npy", windows)
        expected, engines = write_models(run, windows, folder)
        rounds = [{name: measure(*which, folder) for name, which in engines.items()} for _ in range(options.rounds + 1)]
        files = {name: [*rounds[0][name]["files"], path] for name, (_, path) in engines.items()}
        sizes = {name: sum(map(zipped, paths)) for name, paths in files.items()}
    print(f"{machine()}; 1 thread, {options.rounds} rounds, {len(windows):,} windows of test wearers\n")
    for row in (HEADS, ["---"] * len(HEADS), GUIDE):
        print(f"| {' | '.join(row)} |")
    for name in engines:
        cells = figures(name, rounds[1:], sizes[name])
        cells += differences(windows, rounds[0][name]["rebuilt"], expected, detector)
        print(f"| {' | '.join([name, *cells])} |")


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose model and test wearers (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, help="after one that is not timed (default: %(default)s)")
    parser.add_argument("--windows", type=int, default=500, help="to compare errors on (default: %(default)s)")
    return parser.parse_args()


def windows_of(run, describer, *, at_most):
    """Scaled windows (N, length, 7) float32 of a run's test wearers, anomalies among them, evenly over all."""
    table, length = clean.load(run.data / "processed/anomalous_data.csv"), describer.length
    first = starts(clean.groups(table), length=length)
    samples = features.scale(clean.samples(table), describer.scaler)
    return gather(samples, first[:: -(-len(first) // at_most)], length=length).astype(np.float32)


def write_models(run, windows, folder):
    """The windows as Keras rebuilds them, and the engines: {name: (what one_engine.py calls it, its model's path)}."""
    with silence.stderr():
        import keras

        model = keras.saving.load_model(run.models / "lstm_autoencoder.keras", compile=False)
        expected = model.predict(windows, verbose=0)
    network = run.models / "lambda_export" / NETWORK
    engines = {"onnxruntime, as deployed": ("deployed", network), BASE: ("onnxruntime", network)}
    with silence.stderr():
        numpy_lstm.export_weights(model, folder / "weights.npz")
        quantize_dynamic(network, folder / "quantised.onnx", op_types_to_quantize=["LSTM", "MatMul"])
        engines |= {
            f"{BASE}, quantised": ("onnxruntime", folder / "quantised.onnx"),
            "NumPy": ("numpy", folder / "weights.npz"),
        }
        engines |= _tflite(model, folder)
    return expected, engines


def _tflite(model, folder):
    import tensorflow as tf
    import tf_keras

    from lib.export.formats import to_tf_keras, without_cell_clip

    engines = {}
    for batch in (1, *BATCHES):
        inputs = tf_keras.layers.Input(model.input_shape[1:], batch_size=batch)
        for quantised in (False, True):
            converter = tf.lite.TFLiteConverter.from_keras_model(
                tf_keras.Sequential([inputs, *to_tf_keras(model).layers])
            )
            converter.optimizations = [tf.lite.Optimize.DEFAULT] if quantised else []
            path = folder / f"{batch}_{quantised}.tflite"
            path.write_bytes(without_cell_clip(converter.convert()))
            engines[f"LiteRT, batch {batch}{', quantised' if quantised else ''}"] = ("litert", path)
    return engines


def measure(engine, path, folder):
    """What one_engine.py found of an engine in a new process, and the windows as it rebuilds them.

    cold_ms is from its spawn to its first window's error.
    """
    packages = os.pathsep.join([str(ROOT), str(CHILD.parent), *sys.path[1:]])
    single = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}
    windows, rebuilt = folder / "windows.npy", folder / "rebuilt.npy"
    command = [sys.executable, "-S", str(CHILD), engine, str(path), str(windows), str(rebuilt)]
    began = time.monotonic()
    done = subprocess.run(command, env={"PYTHONPATH": packages, **single}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{engine} {path.name}: {done.stderr.strip()}")
    measured = json.loads(done.stdout.splitlines()[-1])
    return measured | {"cold_ms": 1000 * (measured["scored_at"] - began), "rebuilt": np.load(rebuilt)}


@cache
def zipped(path):
    """Bytes of a file, compressed as in a zip."""
    return len(zlib.compress(Path(path).read_bytes(), 9))


def figures(name, rounds, size):
    """An engine's cells of times, memory and size: medians of the rounds, the 99th percentile that of all calls."""

    def middle(what):
        return np.median([np.median(results[name][what]) for results in rounds])

    p99 = np.percentile(np.concatenate([results[name]["ms_1"] for results in rounds]), 99)
    return [
        f"{middle('cold_ms'):.0f}",
        f"{middle('ms_1'):.2f}",
        f"{p99:.2f}",
        _ratio(name, rounds, "ms_1"),
        f"{middle('ms_41'):.1f}",
        _ratio(name, rounds, "ms_41"),
        f"{middle('memory') / 1e6:.0f}",
        f"{size / 1e6:.1f}",
    ]


def _ratio(name, rounds, what):
    """An engine's time over onnxruntime's in the same round."""
    return f"{np.median([np.median(results[name][what]) / np.median(results[BASE][what]) for results in rounds]):.2f}"


def differences(windows, rebuilt, expected, detector):
    """How far a window's error is from Keras' at most, relative; and how far the score it gets, in 0..1."""
    errors, keras_errors = (
        np.square(windows - output, dtype=np.float64).mean(axis=(1, 2)) for output in (rebuilt, expected)
    )
    far = np.abs(scores(windows, rebuilt, detector) - scores(windows, expected, detector))
    return [f"{np.max(np.abs(errors / keras_errors - 1)):.1e}", f"{np.nanmax(far):.1e}"]


def scores(windows, rebuilt, detector):
    """The deployed scores (N,) of scaled windows (N, length, 7) that were rebuilt so."""
    raw = features.unscale(windows, detector.describer.scaler)
    return detector.score_rebuilt(raw, windows, rebuilt, size=np.full(len(windows), windows.shape[1])).scores


def machine():
    """The processor, its cores, and the versions of Python and the engines."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, onnxruntime {onnxruntime.__version__}"
    return f"{name}, {os.cpu_count()} cores, {versions}"


if __name__ == "__main__":
    main()
