"""The LSTM autoencoder and its reconstruction errors, in Keras' own API: any Keras backend will do."""

import keras
import numpy as np
from keras import layers

from lib.detector.windows import gather
from lib.training import errors

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


def feature_errors(model, samples, first, *, length, batch_size=1024, progress=iter):
    """Mean squared error of each feature of windows.

    Parameters
    ----------
    model : keras.Model
    samples : ndarray, shape (T, 7)
        Scaled.
    first : ndarray, shape (n_windows,)
        The rows that the windows start at.
    length : int
        Samples in a window.
    batch_size : int
    progress : callable
        Wraps the loop over batches, as tqdm does.

    Returns
    -------
    ndarray, shape (n_windows, 7)
    """
    by_feature = np.empty((len(first), samples.shape[1]))
    for low in progress(range(0, len(first), batch_size)):
        batch = slice(low, low + batch_size)
        windows = gather(samples, first[batch], length=length)
        by_feature[batch] = errors.feature_errors(windows, model.predict_on_batch(windows))
    return by_feature
