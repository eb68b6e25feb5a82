"""The LSTM autoencoder and the errors of what it rebuilds, in Keras' own API alone: any Keras backend will do."""

import keras
import numpy as np
from keras import layers

from lib.detector import scoring
from lib.detector.windows import gather

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


def feature_errors(model, samples, first, *, length, size=None, batch_size=1024, progress=iter):
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
