"""The LSTM autoencoder and its training, in Keras' own API alone: any Keras backend trains the same model."""

import csv
import math

import keras
import numpy as np
from keras import layers
from tqdm import tqdm

from lib import scoring
from lib.windows import gather

WIDTHS = (128, 64)  # units of the layers around the bottleneck


def build(*, sequence_length=60, features=7, encoding_dim=32, dropout=0.2):
    """The autoencoder: (batch, sequence_length, features) in and out; 264,327 weights at the defaults.

    Malhotra et al. (2016), "LSTM-based encoder-decoder for multi-sensor anomaly detection", arXiv:1607.00148.
    """
    model = keras.Sequential([keras.Input((sequence_length, features))], name="lstm_autoencoder")
    for units in WIDTHS:
        model.add(layers.LSTM(units, return_sequences=True))  # (batch, sequence_length, units)
        model.add(layers.Dropout(dropout))
    model.add(layers.LSTM(encoding_dim))  # (batch, encoding_dim): the bottleneck
    model.add(layers.RepeatVector(sequence_length))  # (batch, sequence_length, encoding_dim)
    for units in (encoding_dim, *reversed(WIDTHS)):
        model.add(layers.LSTM(units, return_sequences=True))
        model.add(layers.Dropout(dropout))
    model.add(layers.TimeDistributed(layers.Dense(features)))  # (batch, sequence_length, features)
    return model


class Batches(keras.utils.PyDataset):
    """Batches of windows, gathered when they are asked for, as input and target at once.

    samples: (T, 7) scaled; first: the windows' first rows (N,). With a seed, each epoch has an order of its own, the
    same for the same seed and epoch, so that a training taken up again sees what it would have seen.
    """

    def __init__(self, samples, first, *, length, batch_size, seed=None, epoch=0):
        super().__init__()
        self.samples, self.first, self.length = samples, np.asarray(first), length
        self.batch_size, self.seed, self.epoch = batch_size, seed, epoch
        self._shuffle()

    def __len__(self):
        return math.ceil(len(self.first) / self.batch_size)

    def __getitem__(self, index):
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        windows = gather(self.samples, self.first[rows], length=self.length)  # (batch, length, 7)
        return windows, windows

    def on_epoch_end(self):
        self.epoch += 1
        self._shuffle()

    def _shuffle(self):
        number = len(self.first)
        if self.seed is None:
            self.order = np.arange(number)
        else:
            self.order = np.random.default_rng([self.seed, self.epoch]).permutation(number)


class ProgressBar(keras.callbacks.Callback):
    """One bar over all epochs, with the losses beside it; gone when training ends."""

    def on_train_begin(self, logs=None):
        self.bar, self.losses = None, {}

    def on_epoch_begin(self, epoch, logs=None):
        if self.bar is None:
            per_epoch = self.params["steps"]
            self.bar = tqdm(total=self.params["epochs"] * per_epoch, initial=epoch * per_epoch, leave=False)
        self.bar.set_description(f"epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_epoch_end(self, epoch, logs=None):
        self.losses = {name: f"{logs[name]:.4f}" for name in ("loss", "val_loss")}
        self.bar.set_postfix(self.losses)

    def on_train_end(self, logs=None):
        if self.bar is not None:
            self.bar.close()


def train(model, training, validation, *, epochs, learning_rate, folder, patience=6):
    """Fit `model` in place to `training` (Batches), stopping early on `validation`; it ends with its best weights.

    The learning rate is halved after `patience` // 2 epochs without a better validation loss. After each epoch a
    checkpoint is left in `folder`; where there is one, training goes on from it. Returns the epochs' history: a list
    of dicts with epoch, loss, val_loss and learning_rate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log, best = folder / "history.csv", folder / "best.weights.h5"
    done = read_history(log)
    training.epoch = len(done)
    training._shuffle()
    so_far = min((row["val_loss"] for row in done), default=None)
    model.compile(optimizer=keras.optimizers.Adam(learning_rate, clipnorm=1.0), loss="mse")
    callbacks = [
        keras.callbacks.BackupAndRestore(folder / "backup", delete_checkpoint=False),
        keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=max(1, patience // 2)),
        keras.callbacks.ModelCheckpoint(
            best, save_best_only=True, save_weights_only=True, initial_value_threshold=so_far
        ),
        keras.callbacks.EarlyStopping(patience=patience, baseline=so_far),
        keras.callbacks.CSVLogger(log, append=True),
        ProgressBar(),
    ]
    if len(done) < epochs:
        model.fit(training, validation_data=validation, epochs=epochs, callbacks=callbacks, verbose=0)
    model.load_weights(best)
    return read_history(log)


def read_history(path):
    """The epochs that `train` logged: a list of dicts of numbers, empty when there is no file."""
    if not path.exists():
        return []
    with open(path, newline="") as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]


def feature_errors(model, samples, first, *, length, size=None, batch_size=512, progress=iter):
    """Squared error of each feature, (N, 7), of the windows of samples (T, 7), scaled, that start at rows first (N,).

    size (N,): how many samples each window rests on, `length` unless given. `progress` wraps the loop over batches, as
    tqdm does.
    """
    errors = np.empty((len(first), samples.shape[1]))
    for low in progress(range(0, len(first), batch_size)):
        batch = slice(low, low + batch_size)
        rests_on = None if size is None else size[batch]
        windows = gather(samples, first[batch], length=length, size=rests_on)
        errors[batch] = scoring.feature_errors(windows, model.predict_on_batch(windows), rests_on)
    return errors


def errors_by_channel_set(model, samples, last, *, length, sizes, sets, progress=iter):
    """Errors of windows that rest on few samples or few channels: {channel set: (sizes, N)}.

    samples (T, 7) scaled; last (N,): the rows at which the windows end; sizes: how many samples they rest on; sets: of
    `features.channel_sets`. `progress` wraps the loop over (set, size).
    """
    errors = {name: np.empty((len(sizes), len(last))) for name in sets}
    for name, row in progress([(name, row) for name in sets for row in range(len(sizes))]):
        size = np.full(len(last), sizes[row])
        known = np.where(sets[name], samples, np.float32(0))  # a channel that is absent stands at the training mean
        by_feature = feature_errors(model, known, last - size + 1, length=length, size=size)
        errors[name][row] = scoring.window_errors(by_feature, sets[name])
    return errors
