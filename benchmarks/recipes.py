"""What is each part of the default training worth? Prints a table.

    .venv/bin/python benchmarks/recipes.py [--run default] [--windows 5000] [--seeds 2]

The default of 03_train and recipes with one difference each train one after the other on a run's samples (02_clean must
have run). They start from the same weights, train for as many epochs on as many windows, and are judged on the same
validation windows; dropout differs. Other seeds of the default show the effect of chance. The defaults take about an
hour on two slow cores.
"""

import argparse
import time

import numpy as np
import train

from lib import silence
from lib.evaluation.summary import machine
from lib.files import ROOT
from lib.run import Run
from lib.workflow.parameters import notebook_parameters

with silence.stderr():
    import keras

from lib.training import training

VARIANTS = {  # what differs from the default
    "batches of 32": {"batch_size": 32},
    "batches of 128": {"batch_size": 128},
    "at most 0.001": {"learning_rate": 0.001},
    "at most 0.004": {"learning_rate": 0.004},
    "the same rate throughout": {"rate": "constant"},
    "no warm-up": {"rate": "falling"},
    "gradients not clipped": {"clip": None},
    "windows not varied": {"augment": False},
}
HEADS = ("recipe", "seconds", "lowest validation loss", "over the default's", "after epoch", "last")


def rate_of(recipe, steps):
    """The learning rate by step: the default's, or one without its warm-up, or one number."""
    highest = recipe["learning_rate"]
    match recipe.get("rate"):
        case "constant":
            return highest
        case "falling":
            return keras.optimizers.schedules.CosineDecay(highest, decay_steps=steps)
        case _:
            return training.schedule(highest, steps=steps)


def losses_of(run, recipe, *, windows, seed=1):
    """Validation loss after each epoch of a recipe, and its wall seconds."""
    samples, _, check = train.samples_of(run, train.COMMON["window_stride"], windows)  # the same for all
    _, learn, _ = train.samples_of(run, recipe["window_stride"], windows, seed=seed)
    size = {"length": 60, "batch_size": recipe["batch_size"]}
    learning = training.Batches(samples, learn, seed=seed, augment=recipe["augment"], **size)
    model = train.fresh(seed)
    rate = rate_of(recipe, recipe["epochs"] * len(learning))
    model.compile(optimizer=keras.optimizers.Adam(rate, clipnorm=recipe.get("clip", training.CLIP)), loss="mse")
    begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: learning.begin(epoch))
    checking = training.Batches(samples, check, **size)
    how = {"validation_data": checking, "epochs": recipe["epochs"], "shuffle": False, "verbose": 0}
    began = time.monotonic()
    losses = model.fit(learning, callbacks=[begin], **how).history["val_loss"]
    return losses, time.monotonic() - began


def row(name, losses, seconds, default):
    """A line of the table; default: the lowest validation loss of the default."""
    best = int(np.argmin(losses))
    cells = [name, f"{seconds:.0f}", f"{losses[best]:.4f}", f"{losses[best] / default:.2f}", best + 1]
    return f"| {' | '.join(map(str, cells))} | {losses[-1]:.4f} |"


def main():
    """Train all, and print each line as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="the run that gives the samples (default: %(default)s)")
    parser.add_argument("--windows", type=int, default=5_000, help="most training windows (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=2, help="further seeds of the default (default: %(default)s)")
    options = parser.parse_args()
    run = Run.at(options.run)
    recipe = {parameter.name: parameter.default for parameter in notebook_parameters(ROOT / "notebooks/03_train.ipynb")}
    print(f"{machine()}; {recipe['epochs']} epochs of at most {options.windows:,} windows\n")
    print("\n".join(f"| {' | '.join(line)} |" for line in (HEADS, ["---"] * len(HEADS))))
    losses, seconds = losses_of(run, recipe, windows=options.windows)
    default = min(losses)
    print(row("the default", losses, seconds, default), flush=True)
    for seed in range(2, 2 + options.seeds):
        print(
            row(f"with seed {seed}", *losses_of(run, recipe, windows=options.windows, seed=seed), default), flush=True
        )
    for name, other in VARIANTS.items():
        print(row(name, *losses_of(run, recipe | other, windows=options.windows), default), flush=True)


if __name__ == "__main__":
    main()
