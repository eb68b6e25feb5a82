"""Exports of the same weights at other limits. An accepted proposal becomes a new run; the deployed one stays."""

import json
import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from lib.detector import checksums
from lib.detector.detector import Detector
from lib.detector.export_folder import MODEL, THRESHOLD
from lib.detector.persistence import IN_A_ROW, Persistence
from lib.export.bundle import ZIP, write_zip
from lib.export.wheels import is_package_file
from lib.files import write_json, writing
from lib.run import Run
from lib.training import calibration

_TRUE_OF_OLD_LIMITS = {  # facts about the limits that training chose, by their section of model.json
    "calibration": ("threshold_percentile", "alert_percentile"),
    "metrics": ("share_of_normal", "false_alarms_per_day", "enough", "evaluation"),
}
_TAIL_PERCENT = np.geomspace(1.0, 0.001, 31)  # % of calibration windows beyond a candidate level


def candidates(errors, alert):
    """List the alert levels to choose from.

    Parameters
    ----------
    errors : ndarray, shape (n_windows,)
        Calibration errors.
    alert : float
        The present alert level, on the scale of `errors`.

    Returns
    -------
    DataFrame
        `percentile` of the calibration errors and `factor` on `alert`, both rising.
    """
    percentiles = 100 - _TAIL_PERCENT
    levels = np.maximum.accumulate([calibration.upper_percentile(errors, percentile) for percentile in percentiles])
    return pd.DataFrame({"percentile": percentiles.round(4), "factor": levels / alert}).drop_duplicates("factor")


def deployed_run(version, *, default):
    """Return the Run whose export answers as `version` in a log, or `default` where its export is gone.

    version : str
        Run name and the first digits of its weights' SHA-256, as "march/0123456789ab".
    """
    try:
        run = Run.at(version.rpartition("/")[0])
    except ValueError:
        return default
    return run if (run.models / "lambda_export" / MODEL).exists() else default


def allowed_persistences(limits):
    """Return how many windows in a row a proposal may ask for, given `model.json`'s calibration.

    A model that already asks for several windows allows 1 alone, which leaves its rule unchanged: the log does not
    say at which levels such a model stayed silent.
    """
    return IN_A_ROW if Persistence.of(limits).n == 1 else IN_A_ROW[:1]


def scale_limits(model, factor, *, run, persistence=1):
    """Multiply every limit in `model.json`, and move the bins of the log's errors along.

    Facts that hold at the old limits alone, such as their percentiles, are left out.

    Parameters
    ----------
    model : dict
        Content of `model.json`. It is not changed.
    factor : float
    run : str
        Name that the new model answers by.
    persistence : int
        Windows in a row, a reading apart, that an alert needs. 1 keeps the model's own rule.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If `persistence` is not among `allowed_persistences`.
    """
    limits = model["calibration"]
    if persistence not in allowed_persistences(limits):
        raise ValueError(
            f"expected persistence=1, got {persistence}: an alert of this model needs {Persistence.of(limits)} windows "
            "already, and only its limit can be moved"
        )
    scaled = {**model, **{name: _keep_valid(name, model[name]) for name in _TRUE_OF_OLD_LIMITS if name in model}}
    moved = {name: limits[name] * factor for name in ("threshold", "alert")}
    moved |= {kind: _scale_levels(limits[kind], factor) for kind in ("sets", "own") if kind in limits}
    if persistence > 1:
        moved |= Persistence(persistence, persistence, float(model["interval_s"])).to_json()
    scaled |= {"run": run, "calibration": {**scaled["calibration"], **moved}}
    if "Errors" in model.get("population", {}):
        bins = model["population"]["Errors"]
        edges = [edge / factor for edge in bins["edges"]]
        scaled["population"] = {**model["population"], "Errors": {**bins, "edges": edges}}
    return scaled


def _keep_valid(section, facts):
    return {name: value for name, value in facts.items() if name not in _TRUE_OF_OLD_LIMITS[section]}


def _scale_levels(limits_by_set, factor):
    """Scale {channel set: {level: values by window size}}."""
    return {
        name: {level: [value * factor for value in values] for level, values in limits.items()}
        for name, limits in limits_by_set.items()
    }


def accept(base, proposal, *, run):
    """Write the export of `base` at other limits as a new run.

    Code and weights are the base export's, byte for byte. New are threshold.npy, model.json, the zip that holds both
    and its SHA256SUMS.

    Parameters
    ----------
    base : Run
    proposal : dict
        `factor` on every limit; `persistence`, if above 1, is the windows in a row that an alert needs from then on.
        All of it is recorded in the new `model.json`.
    run : str
        Name of the new run.

    Returns
    -------
    Path
        The new export's folder.

    Raises
    ------
    FileExistsError
        If the run exists.
    ValueError
        If the factor is not a positive number.
    DamagedModel
        If the base export is damaged.
    """
    factor, new = float(proposal["factor"]), Run.at(run)
    if not 0 < factor < np.inf:
        raise ValueError(f"expected a factor above 0, got factor={factor}")
    if new.models.exists():
        raise FileExistsError(f"run {run!r} exists and adjusted_run={run} would overwrite it: choose another name")
    export = base.models / "lambda_export"
    Detector.load(export)
    model = json.loads((export / MODEL).read_text(encoding="utf-8"))
    origin = {"run": model["run"], "model_sha256": checksums.sha256(export / MODEL)}
    scaled = scale_limits(model, factor, run=run, persistence=proposal.get("persistence", 1))
    with writing(new.models) as folder:
        _write_export(folder / "lambda_export", export, {**scaled, "adjusted": {"from": origin, **proposal}})
        Detector.load(folder / "lambda_export")
    return new.models / "lambda_export"


def _write_export(folder, base_export, model):
    shutil.copytree(base_export, folder)
    np.save(folder / THRESHOLD, np.float64(model["calibration"]["threshold"]))
    with TemporaryDirectory() as name:
        _write_zip(folder, base_export / ZIP, model, Path(name))
    files = _files_below(folder)
    del files[MODEL]
    write_json(folder / MODEL, {**model, "files": {name: checksums.sha256(path) for name, path in files.items()}})


def _write_zip(folder, base_zip, model, unpacked):
    """Write the base zip with the new threshold.npy and model.json; `unpacked` is an empty folder to work in."""
    with zipfile.ZipFile(base_zip) as archive:
        archive.extractall(unpacked)
    base_model = json.loads((unpacked / MODEL).read_text(encoding="utf-8"))
    (unpacked / THRESHOLD).write_bytes((folder / THRESHOLD).read_bytes())
    sums = {**base_model["files"], THRESHOLD: checksums.sha256(unpacked / THRESHOLD)}
    write_json(unpacked / MODEL, {**model, "compiled": base_model.get("compiled"), "files": sums})
    files = _files_below(unpacked)
    for name in (checksums.SUMS, checksums.CRCS):
        files.pop(name, None)
    write_zip(folder / ZIP, files | checksums.write(unpacked, files, is_quick=is_package_file))


def _files_below(folder):
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
