"""The run that a retrained one would replace: its exported detector, its weights, and whether it can be compared with.

A champion is what `models/<base>/lambda_export/` holds: what was exported is what is deployed. NumPy and
onnxruntime alone.
"""

import json

import numpy as np

from lib.detector.detector import Detector
from lib.detector.export_folder import MODEL, DamagedModel
from lib.detector.features import FEATURES
from lib.run import Run

WEIGHTS = "lstm_autoencoder.h5"  # what Keras starts from
_SAME = ("interval_s", "sequence_length")  # or its windows are others


def export_of(base):
    """The export folder of the finished run `base`. Raises ValueError, saying what to do, where there is none."""
    try:
        run = Run.at(base)
    except ValueError as error:
        raise ValueError(str(error).replace("run=", "base=", 1)) from None
    if (run.models / "lambda_export" / MODEL).exists():
        return run.models / "lambda_export"
    if Run.at(base, staged=True).models.exists():
        raise ValueError(f"base={base}: that run is not finished; see ./run_all.sh --runs for those that are")
    raise ValueError(f"base={base}: there is no exported run of that name; see ./run_all.sh --runs")


def load(base):
    """The Detector that run `base` exported. Raises ValueError where a file of it is damaged or of an older version."""
    export = export_of(base)
    try:
        detector = Detector.load(export)
        detector.score(np.zeros((1, len(FEATURES))), np.zeros(1, dtype=int))
    except (DamagedModel, KeyError, ValueError) as error:
        raise ValueError(f"base={base}: {error}; run it again, ./run_all.sh --rebuild {base} says how") from None
    return detector


def check(values):
    """Refuse parameters {name: value} whose `base` they can not be compared with; look at nothing where it is empty.

    Raises ValueError, in one line, for a base that is the run itself, is not finished, is damaged, or reads windows of
    another spacing or length; and, with `warm_start`, whose weights do not fit.
    """
    base = values.get("base")
    if not base:
        if values.get("warm_start"):
            raise ValueError("warm_start=true: base=, the run whose weights to start from, is wanted too")
        return
    if base == values.get("run"):
        raise ValueError(f"base={base}: a run is compared with another; give run= another name")
    theirs = load(base)
    for name in _SAME:
        if values.get(name, getattr(theirs, name)) != getattr(theirs, name):
            raise ValueError(
                f"base={base} was made with {name}={getattr(theirs, name):g}, not {values[name]:g}: their windows can "
                f"not be compared; give {name}={getattr(theirs, name):g}, or no base"
            )
    if values.get("warm_start"):
        _check_weights(base, values)


def _check_weights(base, values):
    export = export_of(base)
    made = json.loads((export / MODEL).read_text(encoding="utf-8")).get("parameters", {}).get("encoding_dim")
    if not (export / WEIGHTS).exists():
        raise ValueError(f"warm_start=true: base={base} has no {WEIGHTS} to start from")
    if made != values.get("encoding_dim", made):
        raise ValueError(
            f"warm_start=true: base={base} was made with encoding_dim={made}, not {values['encoding_dim']}: its "
            f"weights do not fit; give encoding_dim={made}, or warm_start=false"
        )
