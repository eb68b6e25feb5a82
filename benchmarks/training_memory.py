"""Does training's memory grow with the data or with the batch? Prints a table.

    .venv/bin/python benchmarks/training_memory.py [--times 1,10,100] [--batches 128,512] [--steps 8] [--gathered 2000]

The script trains a few batches on 1, 10 and 100 times 03_train's default data, and with larger batches, each in its own
process. It then gathers many more batches from all of the data, as training would. The samples are random and lie in a
memory-mapped file (np.memmap); windows are row numbers until they become a batch. The table has the process' own
(anonymous) memory, at its peak after any batch. Beside it stand the touched pages of the file, which are cache that the
system can reclaim. Needs Linux and some minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

SAMPLES, LENGTH, STRIDE = 25_000, 60, 2  # 01's default for the wearers to learn from; 03's windows
HEADS = (
    *("data", "batch", "windows", "as arrays MB", "samples MB", "row numbers MB"),
    *("own memory MB", "above the first", "pages of the file MB"),
)


def measured(times, *, batch_size, steps, gathered):
    """Bytes and windows of one training, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.npy"
        _write(path, rows=times * SAMPLES)
        samples = np.load(path, mmap_mode="r")
        return _trained(samples, batch_size=batch_size, steps=steps, gathered=gathered)


def _write(path, *, rows):
    """Write random samples, shape (rows, 7) float32, piece by piece: the file is never in memory as a whole."""
    rng = np.random.default_rng(1)
    mapped = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(rows, 7))
    for low in range(0, rows, SAMPLES):
        mapped[low : low + SAMPLES] = rng.normal(size=(SAMPLES, 7))


def _trained(samples, *, batch_size, steps, gathered):
    from lib import silence

    with silence.stderr():
        import keras

        from lib.training import autoencoder, training
    first = np.arange(0, len(samples) - LENGTH + 1, STRIDE)
    batches = training.Batches(samples, first, length=LENGTH, batch_size=batch_size, seed=1)
    model = autoencoder.build()
    model.compile(optimizer=keras.optimizers.Adam(clipnorm=1.0), loss="mse")
    resident = []
    after = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: resident.append(_resident("RssAnon")))
    with silence.stderr():
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[after])
    before = _resident("RssFile")
    for index in range(steps, steps + gathered):
        batches[index % len(batches)]
        resident.append(_resident("RssAnon"))
    return {
        "windows": len(first),
        "as_arrays": len(first) * LENGTH * samples.itemsize * samples.shape[1],
        "samples": samples.nbytes,
        "row_numbers": first.nbytes + batches.order.nbytes,
        "own": max(resident),
        "pages": _resident("RssFile") - before,
    }


def _resident(kind):
    """Resident bytes of this process, of a kind in /proc/self/status."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0]) * 1024


def in_a_process(times, *, batch_size, steps, gathered):
    """`measured`, in a new process."""
    command = [sys.executable, __file__, "--one", f"{times},{batch_size}", "--steps", str(steps)]
    command += ["--gathered", str(gathered)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{times} times the data, batches of {batch_size}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    """Print the table."""
    options = _arguments()
    if options.one:
        times, batch_size = options.one
        print(json.dumps(measured(times, batch_size=batch_size, steps=options.steps, gathered=options.gathered)))
        return
    sizes = [(times, options.batches[0]) for times in options.times]
    sizes += [(options.times[0], batch_size) for batch_size in options.batches[1:]]
    print("\n".join(f"| {' | '.join(line)} |" for line in (HEADS, ["---"] * len(HEADS))))
    least = None
    for times, batch_size in sizes:
        measured_here = in_a_process(times, batch_size=batch_size, steps=options.steps, gathered=options.gathered)
        least = least or measured_here["own"]
        megabytes = [f"{measured_here[name] / 1e6:,.1f}" for name in ("as_arrays", "samples", "row_numbers", "own")]
        cells = [f"× {times}", str(batch_size), f"{measured_here['windows']:,}", *megabytes]
        cells += [f"{(measured_here['own'] - least) / 1e6:+.0f}", f"{measured_here['pages'] / 1e6:,.1f}"]
        print(f"| {' | '.join(cells)} |", flush=True)


def _arguments():
    def numbers(text):
        return [int(number) for number in text.split(",")]

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=numbers, default=[1, 10, 100], help="the default data (default: 1,10,100)")
    parser.add_argument("--batches", type=numbers, default=[128, 512], help="windows a batch (default: 128,512)")
    parser.add_argument("--steps", type=int, default=8, help="batches trained (default: %(default)s)")
    gathered = "batches gathered after them, of windows from all of the data (default: %(default)s)"
    parser.add_argument("--gathered", type=int, default=2_000, help=gathered)
    parser.add_argument("--one", type=numbers, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
