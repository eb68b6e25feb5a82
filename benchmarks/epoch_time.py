"""How long does an epoch of training take, by threads and by how its batches are made? Prints a table.

    .venv/bin/python benchmarks/epoch_time.py [--run default] [--windows 1500] [--rounds 3]

The windows are a run's (02_clean must have run), and the recipe is 03_train's without validation. Keras feeds batches
through tf.data, which prepares the next ones meanwhile. They are gathered and varied on demand, as in 03, or come from
a list of arrays made beforehand. Each case is timed in its own process, after two batches that compile it. Because a
shared machine's speed varies, there are several rounds; the table has their median, minimum and maximum. Takes about
ten minutes.
"""

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import train

from lib import silence
from lib.evaluation.summary import machine
from lib.files import ROOT
from lib.parallel import cores
from lib.run import Run
from lib.workflow.parameters import notebook_parameters

with silence.stderr():
    import keras
    import tensorflow as tf

from lib.training import training


class MadeBeforehand(keras.utils.PyDataset):
    """Batches that are ready before training starts."""

    def __init__(self, batches):
        super().__init__()
        self.batches = [batches[number] for number in range(len(batches))]

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, number):
        return self.batches[number]


FEEDS = {"as in 03": lambda batches: batches, "made beforehand": MadeBeforehand}
HEADS = ("threads", "batches", "s an epoch, median", "least", "most", "median over the first")


def seconds_of(run, recipe, windows, threads, feed):
    """The seconds of an epoch, in a process in which TensorFlow has not run yet."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    samples, learn, _ = train.samples_of(run, recipe["window_stride"], windows)
    options = {"batch_size": recipe["batch_size"], "augment": recipe["augment"]}
    batches = FEEDS[feed](training.Batches(samples, learn, length=60, seed=1, **options))
    model = train.fresh()
    model.compile(optimizer=keras.optimizers.Adam(recipe["learning_rate"], clipnorm=training.CLIP), loss="mse")
    model.fit(batches, steps_per_epoch=2, shuffle=False, verbose=0)
    began = time.perf_counter()
    model.fit(batches, shuffle=False, verbose=0)
    return time.perf_counter() - began


def main():
    """Time all cases, round by round, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="the run that gives the samples (default: %(default)s)")
    parser.add_argument("--windows", type=int, default=1_500, help="training windows (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of each case (default: %(default)s)")
    options = parser.parse_args()
    recipe = {parameter.name: parameter.default for parameter in notebook_parameters(ROOT / "notebooks/03_train.ipynb")}
    rows = {(threads, feed): [] for threads in sorted({cores(), 1}, reverse=True) for feed in FEEDS}
    for _ in range(options.rounds):
        for row, seconds in rows.items():
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
                seconds.append(alone.submit(seconds_of, Run.at(options.run), recipe, options.windows, *row).result())
    print(f"{machine()}; at most {options.windows:,} windows, in batches of {recipe['batch_size']}\n")
    print("\n".join(f"| {' | '.join(line)} |" for line in (HEADS, ["---"] * len(HEADS))))
    first = np.median(next(iter(rows.values())))
    for (threads, feed), seconds in rows.items():
        middle = np.median(seconds)
        figures = [f"{value:.1f}" for value in (middle, min(seconds), max(seconds))]
        print(f"| {threads} | {feed} | {' | '.join(figures)} | {middle / first:.2f} |")


if __name__ == "__main__":
    main()
