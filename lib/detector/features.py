"""The seven features of a sample and their scaling. NumPy alone, shared by the notebooks and the handler.

Feature arrays are (…, 7), in the order of FEATURES. The first four, the channels, are scaled with statistics of the
training wearers. The last three are calendar values in −1..1 and are not scaled.
"""

import numpy as np

FEATURES = ("heartRate", "steps", "calories", "distance", "hour_sin", "hour_cos", "is_weekend")
CHANNELS = FEATURES[:4]
COUNTERS = CHANNELS[1:]  # what a watch counts
COUNTER_FORMS = ("cumulative", "interval")  # running counters, or amounts since the reading before
AMOUNTS = slice(1, len(CHANNELS))  # the counters' places among the features
CALENDAR = FEATURES[4:]
CHANNEL_SETS = {  # what watches report, from most to least
    "all channels": CHANNELS,
    "without distance": CHANNELS[:3],
    "heart rate and steps": CHANNELS[:2],
    "heart rate alone": CHANNELS[:1],
}
UNITS = {"heartRate": "bpm", "steps": "steps", "calories": "kcal", "distance": "m"}

_DAY_S = 86_400


def calendar(wall_s):
    """hour_sin, hour_cos and is_weekend, (T, 3), of wall-clock seconds since 1970 (T,)."""
    wall_s = np.asarray(wall_s, dtype=np.float64)
    angle = 2 * np.pi * (wall_s % _DAY_S) / _DAY_S
    weekday = (wall_s // _DAY_S + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    return np.column_stack([np.sin(angle), np.cos(angle), weekday >= 5])


def fit_scaler(samples):
    """Mean and standard deviation of each channel over samples (T, 7): {"mean": [4], "scale": [4]}.

    A channel that the data lack (all NaN) gets mean 0 and scale 1; one that never changes gets scale 1. Raises
    ValueError if there are no samples.
    """
    if not len(samples):
        raise ValueError(
            "expected trusted samples of the training wearers, got none: quality.json says what became of the readings"
        )
    mean, scale = np.zeros(len(CHANNELS)), np.ones(len(CHANNELS))
    for channel in range(len(CHANNELS)):
        known = samples[:, channel][~np.isnan(samples[:, channel])]
        if len(known):
            mean[channel] = known.mean()
            scale[channel] = known.std() or 1.0
    return {"mean": mean.tolist(), "scale": scale.tolist()}


def scale(samples, scaler):
    """Features (…, 7) in the model's units, float32; NaN (not reported) becomes 0, the training mean."""
    scaled = np.array(samples, dtype=np.float64)
    scaled[..., : len(CHANNELS)] = (scaled[..., : len(CHANNELS)] - scaler["mean"]) / scaler["scale"]
    return np.where(np.isnan(scaled), 0.0, scaled).astype(np.float32)


def unscale(scaled, scaler):
    """The inverse of `scale` for features (…, 7): bpm, steps, kcal and m again."""
    samples = np.array(scaled, dtype=np.float64)
    samples[..., : len(CHANNELS)] = samples[..., : len(CHANNELS)] * scaler["scale"] + scaler["mean"]
    return samples


def present(samples):
    """Which of the seven features samples (T, 7) hold at all: a (7,) boolean mask."""
    return ~np.isnan(samples).all(axis=0)


def channel_sets(channels):
    """The CHANNEL_SETS of a model that counts the features `channels` (7,): {name: (7,) boolean mask}."""
    channels = np.asarray(channels, dtype=bool)
    return {
        name: channels & [feature in CALENDAR or feature in members for feature in FEATURES]
        for name, members in CHANNEL_SETS.items()
    }
