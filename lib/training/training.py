"""Training that an interruption does not change, in Keras' own API: any Keras backend will do.

What an epoch does (the order of the windows, dropout, the learning rate) follows from the seed, its number and the
settings alone. So a resumed training equals an uninterrupted one. Its folder holds `history.json`, one dict an epoch,
and the weights and optimizer state of the last and the best epoch.
"""

import hashlib
import json
import math
import sys
import time

import keras
import numpy as np
from tqdm import tqdm

from lib import files, run
from lib.detector.features import FEATURES
from lib.detector.windows import gather
from lib.training import autoencoder

HEART_RATE = 0.6  # standard deviation of the shift of the heart rate, in scaled units
HOURS = 3  # the most that the clock is turned, either way
CLIP = 1.0  # the largest norm of a weight's gradient
WARM_UP = 0.1  # share of all steps in which the learning rate rises; then it falls to 0


class Batches(keras.utils.PyDataset):
    """Batches of windows, gathered on demand, as input and target.

    Parameters
    ----------
    samples : ndarray, shape (T, 7)
        Scaled.
    first : ndarray, shape (N,)
        The rows that the windows start at.
    length, batch_size : int
    seed : int, optional
        Each epoch has its own order, the same for the same seed. Default: the order of `first`.
    augment : bool
        Whether windows are `varied`, differently in each epoch. Needs a seed.
    """

    def __init__(self, samples, first, *, length, batch_size, seed=None, augment=False):
        super().__init__()
        self.samples, self.first, self.length = samples, np.asarray(first), length
        self.batch_size, self.seed, self.augment = batch_size, seed, augment
        self.begin(0)

    def begin(self, epoch):
        """Put the windows in the order of that epoch, 0 for the first."""
        self.epoch, number = epoch, len(self.first)
        self.order = np.arange(number) if self.seed is None else _drawn(self.seed, epoch).permutation(number)

    def __len__(self):
        return math.ceil(len(self.first) / self.batch_size)

    def __getitem__(self, index):
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        windows = gather(self.samples, self.first[rows], length=self.length)  # (batch, length, 7)
        if self.augment:
            windows = varied(windows, _drawn(self.seed, self.epoch, index))
        return windows, windows


def _drawn(*numbers):
    return np.random.default_rng(numbers)


def varied(windows, rng):
    """Scaled windows (N, length, 7) as if of wearers with another heart rate, at another hour: a copy.

    Each window's heart rate is shifted by one normal number (HEART_RATE), and its clock turned by up to HOURS.
    """
    heart, sine, cosine = (FEATURES.index(name) for name in ("heartRate", "hour_sin", "hour_cos"))
    moved = windows.copy()
    moved[..., heart] += rng.normal(scale=HEART_RATE, size=(len(windows), 1))
    turn = np.exp(2j * np.pi / 24 * rng.uniform(-HOURS, HOURS, size=(len(windows), 1)))
    clock = (windows[..., cosine] + 1j * windows[..., sine]) * turn
    moved[..., cosine], moved[..., sine] = clock.real, clock.imag
    return moved


def train(model, training, validation, *, epochs, learning_rate, folder, callbacks=()):
    """Fit `model` in place. It ends with the weights of its best epoch on `validation`.

    Parameters
    ----------
    model : keras.Model
    training, validation : Batches
        The first with a seed.
    epochs : int
    learning_rate : float
        The highest of a `schedule` over all epochs: another number of epochs is another training.
    folder : Path
        Of checkpoints, one an epoch. Training resumes from the one it finds there.
    callbacks : sequence of keras.callbacks.Callback
        Each fitted for one epoch at a time.

    Returns
    -------
    list of dict
        epoch (from 1), loss, val_loss and learning_rate (at the epoch's end).

    Raises
    ------
    ValueError
        If a loss is not finite.
    """
    steps = len(training)
    rate = schedule(learning_rate, steps=epochs * steps)
    model.compile(optimizer=keras.optimizers.Adam(rate, clipnorm=CLIP), loss="mse")
    history = _resume(model, folder)
    if history:
        print(f"resuming after epoch {len(history)} of {epochs}", file=sys.stderr)
    with tqdm(total=epochs * steps, initial=len(history) * steps, leave=False) as bar:
        while len(history) < epochs:
            history.append(_epoch(model, training, validation, len(history), bar, epochs=epochs, callbacks=callbacks))
            _save(model, folder, history)
    model.load_weights(_weights(folder, best(history)))
    return history


def schedule(highest, *, steps):
    """The learning rate by step: from a tenth to `highest` in the WARM_UP share of `steps`, then to 0 by a half cosine.

    Loshchilov & Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", arXiv:1608.03983, without a
    restart; the warm-up allows a higher rate, Smith & Topin (2018), "Super-convergence", arXiv:1708.07120.
    """
    rising = math.ceil(WARM_UP * steps)
    return keras.optimizers.schedules.CosineDecay(
        highest / 10, decay_steps=max(steps - rising, 1), warmup_target=highest, warmup_steps=rising
    )


def _epoch(model, training, validation, epoch, bar, *, epochs, callbacks):
    """Train epoch number `epoch`, from 0, and return its row."""
    start = time.monotonic()
    training.begin(epoch)
    _seed_dropout(model, training.seed, epoch)
    bar.set_description(f"epoch {epoch + 1} of {epochs}")
    step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: bar.update())
    callbacks = [step, *callbacks]
    logs = model.fit(training, validation_data=validation, shuffle=False, callbacks=callbacks, verbose=0).history
    losses = {name: logs[name][0] for name in ("loss", "val_loss")}
    if not np.isfinite(list(losses.values())).all():
        raise ValueError(f"expected finite losses, got {losses} after epoch {epoch + 1}: try a smaller learning_rate=")
    bar.set_postfix({name: f"{value:.4f}" for name, value in losses.items()})
    if bar.disable:
        summary = f"loss {losses['loss']:.4f}, validation {losses['val_loss']:.4f}"
        print(f"epoch {epoch + 1} of {epochs}: {summary}, {time.monotonic() - start:.0f} s", file=sys.stderr)
    return {"epoch": epoch + 1, **losses, "learning_rate": float(model.optimizer.learning_rate)}


def _seed_dropout(model, seed, epoch):
    rng = _drawn(seed, epoch)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout) and layer.rate:
            layer.seed_generator.state.assign(rng.integers(2**31, size=2))


def best(history):
    """The number, from 1, of the epoch with the lowest validation loss: the first of equals."""
    return 1 + int(np.argmin([row["val_loss"] for row in history]))


def _resume(model, folder):
    """The history in `folder`, with its last epoch's weights loaded; empty if there is none."""
    record = folder / "history.json"
    history = json.loads(record.read_text(encoding="utf-8")) if record.exists() else []
    if history:
        model.optimizer.build(model.trainable_variables)
        model.load_weights(_weights(folder, len(history)))
    return history


def _save(model, folder, history):
    """Write the last epoch's checkpoint: the record after the weights, so that it names only weights that exist."""
    with files.writing(_weights(folder, len(history))) as new:
        model.save_weights(new)
    files.write_json(folder / "history.json", history)
    current = {_weights(folder, epoch) for epoch in (len(history), best(history))}
    for path in set(folder.glob("*.weights.h5")) - current:
        path.unlink()


def _weights(folder, epoch):
    return folder / f"epoch-{epoch}.weights.h5"


def key(inputs, **settings):
    """The name of a training's folder: it differs if a setting, an input's bytes, a library or this code differs."""
    made_from = files.fingerprint([*inputs, __file__, autoencoder.__file__])
    text = json.dumps([made_from, settings, run.versions()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
