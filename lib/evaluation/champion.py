"""The run that a retrained one would replace: its exported detector, its weights, and whether the two compare.

A champion is what `models/<base>/lambda_export/` holds, because what was exported is what is deployed. This module
needs NumPy and onnxruntime alone.
"""

import json

import numpy as np

from lib.detector.detector import Detector
from lib.detector.export_folder import MODEL, DamagedModel
from lib.detector.features import FEATURES
from lib.run import Run

WEIGHTS = "lstm_autoencoder.h5"  # Keras starts from this file
_SAME = ("interval_s", "sequence_length")  # or the windows differ


def export_of(base):
    """The export folder of the finished run `base`. Raises ValueError, with the remedy, if it does not exist."""
    try:
        run = Run.at(base)
    except ValueError as error:
        raise ValueError(str(error).replace("run=", "base=", 1)) from None
    if (run.models / "lambda_export" / MODEL).exists():
        return run.models / "lambda_export"
    if Run.at(base, staged=True).models.exists():
        raise ValueError(f"base={base}: that run is not finished; ./run_all.sh --runs lists those that are")
    raise ValueError(f"base={base}: no exported run has that name; ./run_all.sh --runs lists those that exist")


def load(base):
    """The Detector that run `base` exported. Raises ValueError if a file is damaged or of an older version."""
    export = export_of(base)
    try:
        detector = Detector.load(export)
        detector.score(np.zeros((1, len(FEATURES))), np.zeros(1, dtype=int))
    except (DamagedModel, KeyError, ValueError) as error:
        raise ValueError(f"base={base}: {error}; ./run_all.sh --rebuild {base} says how to run it again") from None
    return detector


def check(values):
    """Check that a run with these parameters compares with its `base`; do nothing without one.

    Parameters
    ----------
    values : dict
        Parameters by name, among them "base", "run" and "warm_start".

    Raises
    ------
    ValueError
        In one line. If the base is the run itself, is unfinished or is damaged. If its windows have another spacing or
        length. If `warm_start` is set and its weights do not fit.
    """
    base = values.get("base")
    if not base:
        if values.get("warm_start"):
            raise ValueError("warm_start=true: expected base=, the run whose weights to start from, got none")
        return
    if base == values.get("run"):
        raise ValueError(f"base={base}: expected another run than this one; give run= another name")
    champion = load(base)
    for name in _SAME:
        theirs = getattr(champion, name)
        if values.get(name, theirs) != theirs:
            raise ValueError(
                f"base={base}: expected {name}={theirs:g}, as that run has, got {values[name]:g}, whose windows do not "
                f"compare; give {name}={theirs:g}, or no base"
            )
    if values.get("warm_start"):
        _check_weights(base, values)


def _check_weights(base, values):
    export = export_of(base)
    theirs = json.loads((export / MODEL).read_text(encoding="utf-8")).get("parameters", {}).get("encoding_dim")
    if not (export / WEIGHTS).exists():
        raise ValueError(f"warm_start=true: base={base} has no {WEIGHTS} to start from; give warm_start=false")
    if theirs != values.get("encoding_dim", theirs):
        raise ValueError(
            f"warm_start=true: expected encoding_dim={theirs}, as base={base} has, got {values['encoding_dim']}, whose "
            f"weights do not fit; give encoding_dim={theirs}, or warm_start=false"
        )
