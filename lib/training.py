"""Training in Keras' own API, which an interruption does not change: any Keras backend trains the same.

What an epoch does (the windows' order, what dropout drops, the learning rate, whether it is the last) follows from the
seed and the epochs before it alone, so a training taken up again is the one that was interrupted. Its folder holds
`history.json`, one dict an epoch, and the weights, with the optimizer's, of the last epoch and of the best.
"""

import hashlib
import json
import math
import sys
import time

import keras
import numpy as np
from tqdm import tqdm

from lib import autoencoder, runs
from lib.windows import gather

PATIENCE = 6  # epochs without a lower validation loss after which training ends
SLOWS_AFTER = 3  # and after which the learning rate is halved, each time


class Batches(keras.utils.PyDataset):
    """Batches of windows, gathered when they are asked for, as input and target at once.

    samples: (T, 7) scaled; first: the windows' first rows (N,). With a seed, each epoch has an order of its own, the
    same for the same seed and epoch.
    """

    def __init__(self, samples, first, *, length, batch_size, seed=None):
        super().__init__()
        self.samples, self.first, self.length = samples, np.asarray(first), length
        self.batch_size, self.seed = batch_size, seed
        self.begin(0)

    def begin(self, epoch):
        """Put the windows in the order of that epoch, 0 for the first."""
        number = len(self.first)
        self.order = np.arange(number) if self.seed is None else _drawn(self.seed, epoch).permutation(number)

    def __len__(self):
        return math.ceil(len(self.first) / self.batch_size)

    def __getitem__(self, index):
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        windows = gather(self.samples, self.first[rows], length=self.length)  # (batch, length, 7)
        return windows, windows


def _drawn(seed, epoch):
    return np.random.default_rng([seed, epoch])


def train(model, training, validation, *, epochs, learning_rate, folder):
    """Fit `model` in place to `training` (Batches with a seed); it ends with its best weights on `validation`.

    It ends early after PATIENCE epochs without a lower validation loss; each SLOWS_AFTER halve the learning rate.
    After each epoch a checkpoint is left in `folder`; where there is one, training goes on from it. A bar shows where
    it is, or where bars are off (TQDM_DISABLE) a line an epoch.

    Returns the history, a list of dicts with epoch (from 1), loss, val_loss and learning_rate. Raises ValueError when
    a loss is not finite.
    """
    model.compile(optimizer=keras.optimizers.Adam(learning_rate, clipnorm=1.0), loss="mse")
    history = _take_up(model, folder)
    if history:
        print(f"taken up after epoch {len(history)} of {epochs}", file=sys.stderr)
    steps = len(training)
    with tqdm(total=epochs * steps, initial=len(history) * steps, leave=False) as bar:
        while len(history) < epochs and not ended(history):
            history.append(_epoch(model, training, validation, history, bar, of=epochs, start=learning_rate))
            _leave(model, folder, history)
    model.load_weights(_weights(folder, best(history)))
    return history


def _epoch(model, training, validation, history, bar, *, of, start):
    """Train the epoch that follows on `history`, and return its row."""
    epoch, began = len(history), time.monotonic()
    training.begin(epoch)
    _seed_dropout(model, training.seed, epoch)
    rate = learning_rate_after(history, start=start)
    model.optimizer.learning_rate = rate
    bar.set_description(f"epoch {epoch + 1} of {of}")
    step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
    logs = model.fit(training, validation_data=validation, shuffle=False, callbacks=[step], verbose=0).history
    losses = {name: logs[name][0] for name in ("loss", "val_loss")}
    if not np.isfinite(list(losses.values())).all():
        raise ValueError(f"epoch {epoch + 1} ends with {losses}: a learning_rate below {rate:g} may help")
    bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})
    if bar.disable:
        told = f"loss {losses['loss']:.4f}, validation {losses['val_loss']:.4f}"
        print(f"epoch {epoch + 1} of {of}: {told}, {time.monotonic() - began:.0f} s", file=sys.stderr)
    return {"epoch": epoch + 1, **losses, "learning_rate": rate}


def _seed_dropout(model, seed, epoch):
    rng = _drawn(seed, epoch)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout) and layer.rate:
            layer.seed_generator.state.assign(rng.integers(2**31, size=2))


def best(history):
    """The number, from 1, of the epoch with the lowest validation loss: the first of equals."""
    return 1 + int(np.argmin([row["val_loss"] for row in history]))


def ended(history):
    """Whether the last PATIENCE epochs were no better than one before them."""
    return bool(history) and len(history) - best(history) >= PATIENCE


def learning_rate_after(history, *, start):
    """The learning rate of the next epoch: `start`, halved each time SLOWS_AFTER more epochs were no better."""
    waited = [epoch - best(history[:epoch]) for epoch in range(1, len(history) + 1)]
    return start * 0.5 ** sum(epochs > 0 and epochs % SLOWS_AFTER == 0 for epochs in waited)


def _take_up(model, folder):
    """The history in `folder`, its last epoch's weights loaded; empty where there is none."""
    record = folder / "history.json"
    history = json.loads(record.read_text(encoding="utf-8")) if record.exists() else []
    if history:
        model.optimizer.build(model.trainable_variables)
        model.load_weights(_weights(folder, len(history)))
    return history


def _leave(model, folder, history):
    """Write the last epoch's checkpoint. The record comes after the weights, so it names none that are not there."""
    with runs.writing(_weights(folder, len(history))) as new:
        model.save_weights(new)
    runs.write_json(folder / "history.json", history)
    kept = {_weights(folder, epoch) for epoch in (len(history), best(history))}
    for path in set(folder.glob("*.weights.h5")) - kept:
        path.unlink()


def _weights(folder, epoch):
    return folder / f"epoch-{epoch}.weights.h5"


def key(files, **settings):
    """A name for one training's folder: another where a setting, a file's bytes, a library or this code differs."""
    made_from = runs.fingerprint([*files, __file__, autoencoder.__file__])
    text = json.dumps([made_from, settings, runs.versions()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
