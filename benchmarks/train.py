"""How long until the autoencoder is as good as the common recipe ever makes it? Prints a table of benchmarks/README.md.

The common recipe (described in "How long training takes" there) and the default of 03_train train one after the other
on a run's samples (02_clean must have run). They start from the same weights and are judged on the same validation
windows. The full comparison takes an hour or two.

    .venv/bin/python benchmarks/train.py [--run default] [--common-epochs 20] [--torch]

With KERAS_BACKEND=jax, Keras uses JAX if it is installed.
"""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "--torch" in sys.argv and find_spec("torch"):
    import torch._dynamo  # noqa: F401  # TensorFlow and torch each bring an LLVM, and torch's must load first

import numpy as np
import pandas as pd

from lib import silence
from lib.data import clean
from lib.data.split import units
from lib.detector import features, windows
from lib.evaluation.summary import machine
from lib.files import ROOT
from lib.run import Run
from lib.workflow.parameters import notebook_parameters

with silence.stderr():
    import keras

from lib.training import autoencoder, training

COMMON = {"batch_size": 32, "learning_rate": 0.001, "window_stride": 2, "train_windows": 10_000}
PATIENCE, SLOWS_AFTER = 10, 5  # its epochs without a lower validation loss: to end, to halve the learning rate
HEADS = ("recipe", "batch", "s an epoch", "epochs", "steps to it", "windows to it", "CPU s to it", "s to it")
HEADS += ("common recipe's s over it", "ends with")


@dataclass
class Trace:
    """The course of a training, one row an epoch: (validation loss, wall seconds, CPU seconds, steps)."""

    name: str
    batch_size: int
    windows: int
    rows: list = field(default_factory=list)

    def __post_init__(self):
        self.began = time.monotonic(), time.process_time()
        self.steps = -(-self.windows // self.batch_size)

    def add(self, loss):
        """Record an epoch's validation loss and print it to stderr."""
        wall, cpu = time.monotonic() - self.began[0], time.process_time() - self.began[1]
        self.rows.append((loss, wall, cpu, self.steps * (len(self.rows) + 1)))
        print(f"{self.name}, epoch {len(self.rows)}: {loss:.4f}, {wall:.0f} s", file=sys.stderr)

    @property
    def best(self):
        """The lowest validation loss: that of the final weights."""
        return min(row[0] for row in self.rows)

    def reaches(self, loss):
        """(wall seconds, CPU seconds, steps) until the validation loss is this low; None if it never is."""
        return next((row[1:] for row in self.rows if row[0] <= loss), None)

    def callback(self):
        """A Keras callback that records a training."""
        return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.add(logs["val_loss"]))


def samples_of(run, stride, at_most, *, seed=1):
    """A run's scaled samples (T, 7), and the first rows of training and of validation windows, as 03 draws them."""
    table = clean.load(run.data / "processed/health_metrics.csv")
    raw, trusted = clean.samples(table), clean.trusted(table)
    split = pd.read_json(run.data / "split.json", typ="series")
    held_out = np.isin(units(table, by=split["by"]), split["validation"])
    first = windows.starts(clean.groups(table) * 2 + held_out, length=60, stride=stride, trusted=trusted)
    stratum = pd.factorize(table["user_id"])[0] * 24 + table["timestamp"].dt.hour.to_numpy()
    rng = np.random.default_rng(seed)
    learn, check = (
        windows.spread_evenly(rows, stratum[rows], at_most=most, rng=rng)
        for rows, most in ((first[~held_out[first]], at_most), (first[held_out[first]], at_most // 4))
    )
    return features.scale(raw, features.fit_scaler(raw[trusted & ~held_out])), learn, check


def fresh(seed=1):
    """The untrained autoencoder: the same weights each time."""
    keras.utils.set_random_seed(seed)
    return autoencoder.build()


def by_common(samples, learn, check, *, epochs):
    """Trace the common recipe."""
    model, size = fresh(), {"length": 60, "batch_size": COMMON["batch_size"]}
    trace = Trace("common recipe", COMMON["batch_size"], len(learn))
    model.compile(optimizer=keras.optimizers.Adam(COMMON["learning_rate"]), loss="mse")
    learning = training.Batches(samples, learn, seed=1, **size)
    callbacks = [
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: learning.begin(epoch)),
        trace.callback(),
        keras.callbacks.EarlyStopping(patience=PATIENCE, restore_best_weights=True),
        keras.callbacks.ReduceLROnPlateau(patience=SLOWS_AFTER, factor=0.5),
    ]
    checking = training.Batches(samples, check, **size)
    model.fit(learning, validation_data=checking, epochs=epochs, shuffle=False, callbacks=callbacks, verbose=0)
    return trace


def by_default(samples, learn, check, recipe):
    """Trace the project's default: 03_train's parameters."""
    model, size = fresh(), {"length": 60, "batch_size": recipe["batch_size"]}
    trace = Trace("this project's default", recipe["batch_size"], len(learn))
    with tempfile.TemporaryDirectory() as folder:
        training.train(
            model,
            training.Batches(samples, learn, seed=1, augment=recipe["augment"], **size),
            training.Batches(samples, check, **size),
            epochs=recipe["epochs"],
            learning_rate=recipe["learning_rate"],
            folder=Path(folder),
            callbacks=[trace.callback()],
        )
    return trace


def by_torch(samples, learn, check, recipe):
    """Trace the project's default in torch: its LSTM, from the same weights."""
    import torch_lstm

    size = {"length": 60, "batch_size": recipe["batch_size"]}
    learning = training.Batches(samples, learn, seed=1, augment=recipe["augment"], **size)
    rate = training.schedule(recipe["learning_rate"], steps=recipe["epochs"] * len(learning))
    trace = Trace("the same in torch", recipe["batch_size"], len(learn))
    checking = training.Batches(samples, check, **size)
    for loss in torch_lstm.train(fresh(), learning, checking, epochs=recipe["epochs"], rate=rate):
        trace.add(loss)
    return trace


def row(trace, common):
    """A row of the table: when this training is first as good as the common recipe at its best."""
    cells = [trace.name, trace.batch_size, f"{trace.rows[-1][1] / len(trace.rows):.0f}", len(trace.rows)]
    reached, target = trace.reaches(common.best), common.reaches(common.best)
    if reached:
        wall, cpu, steps = reached
        cells += [f"{steps:,}", f"{steps * trace.batch_size:,}", f"{cpu:.0f}", f"{wall:.0f}", f"{target[0] / wall:.1f}"]
    else:
        cells += ["never", *4 * ["–"]]
    return f"| {' | '.join(map(str, cells))} | {trace.best:.4f} |"


def main():
    """Train, and print the table."""
    options = _arguments()
    recipe = {parameter.name: parameter.default for parameter in notebook_parameters(ROOT / "notebooks/03_train.ipynb")}
    run = Run.at(options.run)
    samples, learn, check = samples_of(run, COMMON["window_stride"], COMMON["train_windows"])
    _, ours, _ = samples_of(run, recipe["window_stride"], recipe["train_windows"])
    traces = [by_default(samples, ours, check, recipe)]
    if options.torch and find_spec("torch"):
        traces.append(by_torch(samples, ours, check, recipe))
    common = by_common(samples, learn, check, epochs=options.common_epochs)
    print(f"{machine()}; Keras on {keras.backend.backend()}; {len(learn):,} windows, {len(check):,} for validation;")
    limit = f"the common recipe had at most {options.common_epochs} epochs"
    print(f"{limit}; *it* is its best validation loss, {common.best:.4f}\n")
    print("\n".join(f"| {' | '.join(line)} |" for line in (HEADS, ["---"] * len(HEADS))))
    print("\n".join(row(trace, common) for trace in (common, *traces)))
    if options.torch and not find_spec("torch"):
        print("\ntorch is not installed: .venv/bin/pip install torch")


def _arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="the run that gives the samples (default: %(default)s)")
    parser.add_argument(
        "--common-epochs", type=int, default=100, help="most epochs of the common recipe (default: %(default)s)"
    )
    parser.add_argument("--torch", action="store_true", help="also train the default in torch, if installed")
    return parser.parse_args()


if __name__ == "__main__":
    main()
