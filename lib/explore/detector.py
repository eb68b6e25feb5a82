"""A run's detector, by the run's name."""

from pathlib import Path

from lib import run as runs
from lib.detector import detector
from lib.detector.export_folder import MODEL


class Detector(detector.Detector):
    """The detector that scores, `lib.detector.detector.Detector`, loaded by a run's name."""

    @classmethod
    def load(cls, run):
        """Return the detector of a run.

        Parameters
        ----------
        run : str or Path
            A run's name, or a folder that holds a model.json.

        Raises
        ------
        LookupError
            If there is no such run, or it has no model yet.
        DamagedModel
            If a file is missing or changed.
        """
        folder = Path(run)
        if not (folder / MODEL).is_file():
            folder = model_folder(runs.open_run(run))
        return super().load(folder)


def model_folder(run):
    """Return the folder of what a run deploys: its export, or the model alone if it is not exported yet."""
    for folder in (run.models / "lambda_export", run.models):
        if (folder / MODEL).is_file():
            return folder
    raise LookupError(f"run {run.name!r} has no model yet: ./run_all.sh run={run.name} makes one")
