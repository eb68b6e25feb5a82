"""What does an epoch of training take, by the threads it has, and what of it is the making of batches? Prints a table.

The windows are a run's (02_clean has to be done), the recipe is 03_train's without its validation. Keras feeds batches
by tf.data, which prepares the next ones meanwhile: as in 03, gathered and varied as they are asked for, or from a list
of arrays that were made beforehand. Each is timed in a process of its own, after two batches that compile it, and all
in several rounds, for a shared machine's speed varies: of the rounds it shows the median, the least and the most. Ten
minutes or so.

    .venv/bin/python benchmarks/epoch_time.py [--run default] [--windows 1500] [--rounds 3]
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
    """Batches that are only handed out."""

    def __init__(self, batches):
        super().__init__()
        self.made = [batches[number] for number in range(len(batches))]

    def __len__(self):
        return len(self.made)

    def __getitem__(self, number):
        return self.made[number]


FEEDS = {"as in 03": lambda batches: batches, "made beforehand": MadeBeforehand}
HEADS = ("threads", "batches", "s an epoch, median", "least", "most", "median over the first")


def seconds_of(run, recipe, windows, threads, feed):
    """The seconds of an epoch, in a process in which TensorFlow has computed nothing yet."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    samples, learn, _ = train.samples_of(run, recipe["window_stride"], windows)
    form = {"length": 60, "batch_size": recipe["batch_size"], "augment": recipe["augment"]}
    batches = FEEDS[feed](training.Batches(samples, learn, seed=1, **form))
    model = train.fresh()
    model.compile(optimizer=keras.optimizers.Adam(recipe["learning_rate"], clipnorm=training.CLIP), loss="mse")
    model.fit(batches, steps_per_epoch=2, shuffle=False, verbose=0)
    began = time.perf_counter()
    model.fit(batches, shuffle=False, verbose=0)
    return time.perf_counter() - began


def main():
    """Time all, round by round, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose samples (default: %(default)s)")
    parser.add_argument("--windows", type=int, default=1_500, help="training windows (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is timed (default: %(default)s)")
    given = parser.parse_args()
    recipe = {parameter.name: parameter.default for parameter in notebook_parameters(ROOT / "notebooks/03_train.ipynb")}
    rows = {(threads, feed): [] for threads in sorted({cores(), 1}, reverse=True) for feed in FEEDS}
    for _ in range(given.rounds):
        for row, seconds in rows.items():
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as alone:
                seconds.append(alone.submit(seconds_of, Run.at(given.run), recipe, given.windows, *row).result())
    print(f"{machine()}; at most {given.windows:,} windows, in batches of {recipe['batch_size']}\n")
    print("\n".join(f"| {' | '.join(line)} |" for line in (HEADS, ["---"] * len(HEADS))))
    first = np.median(next(iter(rows.values())))
    for (threads, feed), seconds in rows.items():
        middle = np.median(seconds)
        figures = [f"{value:.1f}" for value in (middle, min(seconds), max(seconds))]
        print(f"| {threads} | {feed} | {' | '.join(figures)} | {middle / first:.2f} |")


if __name__ == "__main__":
    main()
