"""The same model at other limits: an export of its own, never a change to one that may be deployed."""

import json
import shutil
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from lib.detector import checksums
from lib.detector.detector import MODEL, THRESHOLD, Detector
from lib.detector.persistence import IN_A_ROW, Persistence
from lib.export.bundle import ZIP, write_zip
from lib.export.wheels import is_packages
from lib.files import write_json, writing
from lib.run import Run
from lib.training import calibration

_OF_LIMITS = {  # what holds of the limits that training chose alone, by where model.json has it
    "calibration": ("threshold_percentile", "alert_percentile"),
    "metrics": ("share_of_normal", "false_alarms_per_day", "enough", "evaluation"),
}
_BEYOND = np.geomspace(1.0, 0.001, 31)  # % of calibration windows past a candidate level


def candidates(errors, alert):
    """Alert levels to choose from: a frame of percentile (of the calibration errors (N,)) and factor on `alert`."""
    percentiles = 100 - _BEYOND
    levels = np.maximum.accumulate([calibration.upper_percentile(errors, percentile) for percentile in percentiles])
    return pd.DataFrame({"percentile": percentiles.round(4), "factor": levels / alert}).drop_duplicates("factor")


def deployed(version, *, otherwise):
    """The Run whose export answers as `version` in a log: the one of its name, or `otherwise` where that is gone."""
    try:
        run = Run.at(version.rpartition("/")[0])
    except ValueError:
        return otherwise
    return run if (run.models / "lambda_export" / MODEL).exists() else otherwise


def in_a_row_of(calibration):
    """How many windows in a row may be asked for in place of what model.json's `calibration` asks for.

    Of a model that takes several windows to an alert, 1 alone, which leaves that as it is: the log tells of windows in
    a row, and not at how many of these the model stayed silent.
    """
    return IN_A_ROW if Persistence.of(calibration).n == 1 else IN_A_ROW[:1]


def scaled(model, factor, *, run, in_a_row=1):
    """model.json's content with every limit times `factor`, as run `run`; the bins of the log's errors move along.

    What was measured at the limits before, or says which percentiles they are, is left out. in_a_row: windows, a
    reading apart, that an alert takes; 1 leaves what the model asks for. Raises ValueError for what
    is not among `in_a_row_of`.
    """
    model = {**model, **{name: _without(model[name], of) for name, of in _OF_LIMITS.items() if name in model}}
    limits = model["calibration"]
    if in_a_row not in in_a_row_of(limits):
        raise ValueError(
            f"in_a_row={in_a_row}: an alert of this model takes {Persistence.of(limits)} windows already; "
            "in_a_row=1 moves the limit alone"
        )
    moved = {name: limits[name] * factor for name in ("threshold", "alert")}
    for kind in {"sets", "own"} & set(limits):
        moved[kind] = {
            name: {level: [value * factor for value in values] for level, values in of.items()}
            for name, of in limits[kind].items()
        }
    if in_a_row > 1:
        moved |= Persistence(in_a_row, in_a_row, float(model["interval_s"])).written()
    changed = {**model, "run": run, "calibration": {**limits, **moved}}
    if "Errors" in model.get("population", {}):
        bins = model["population"]["Errors"]
        edges = [edge / factor for edge in bins["edges"]]
        changed["population"] = {**model["population"], "Errors": {**bins, "edges": edges}}
    return changed


def _without(facts, names):
    return {name: value for name, value in facts.items() if name not in names}


def accept(base, proposed, *, run):
    """Write the export of `base` (a Run) with its limits times proposed["factor"] as the new run `run`; its folder.

    Where proposed["persistence"] is more than 1, so many windows in a row make an alert from then on.
    Code and weights are the base export's, byte for byte; threshold.npy, model.json, the zip that holds both and its
    SHA256SUMS are new. Raises FileExistsError where the run exists, ValueError for a factor that is none, DamagedModel
    for an export that is not whole.
    """
    factor, new = float(proposed["factor"]), Run.at(run)
    if not 0 < factor < np.inf:
        raise ValueError(f"factor={factor}: above 0 is wanted")
    if new.models.exists():
        raise FileExistsError(f"run {run!r} exists: adjusted_run={run} would overwrite it; give another name")
    export = base.models / "lambda_export"
    Detector.load(export)
    model = json.loads((export / MODEL).read_text(encoding="utf-8"))
    origin = {"run": model["run"], "model_sha256": checksums.sha256(export / MODEL)}
    changed = {
        **scaled(model, factor, run=run, in_a_row=proposed.get("persistence", 1)),
        "adjusted": {"from": origin, **proposed},
    }
    with writing(new.models) as folder:
        _write(folder / "lambda_export", export, changed)
        Detector.load(folder / "lambda_export")
    return new.models / "lambda_export"


def _write(folder, export, model):
    shutil.copytree(export, folder)
    np.save(folder / THRESHOLD, np.float64(model["calibration"]["threshold"]))
    with TemporaryDirectory() as name:
        _write_archive(folder, export / ZIP, model, Path(name))
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    del files[MODEL]
    write_json(folder / MODEL, {**model, "files": {name: checksums.sha256(path) for name, path in files.items()}})


def _write_archive(folder, archive, model, made):
    """The zip `archive` with the new threshold.npy and model.json in it, unpacked in `made` on the way."""
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(made)
    held = json.loads((made / MODEL).read_text(encoding="utf-8"))
    (made / THRESHOLD).write_bytes((folder / THRESHOLD).read_bytes())
    mine = {**held["files"], THRESHOLD: checksums.sha256(made / THRESHOLD)}
    write_json(made / MODEL, {**model, "compiled": held.get("compiled"), "files": mine})
    files = {path.relative_to(made).as_posix(): path for path in sorted(made.rglob("*")) if path.is_file()}
    for name in (checksums.SUMS, checksums.CRCS):
        files.pop(name, None)
    write_zip(folder / ZIP, files | checksums.write(made, files, is_quick=is_packages))
