"""Which runs a retrained one compares with, and how the others are refused."""

import json
import shutil

import numpy as np
import pytest

from lib.evaluation import champion
from lib.run import Run


@pytest.fixture
def base(tmp_path, monkeypatch, export):
    """The finished run "old", which exported the untrained model."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    shutil.copytree(export, Run.at("old").models / "lambda_export")
    return Run.at("old")


def complaint(**values):
    with pytest.raises(ValueError, match="base=") as caught:
        champion.check(values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def damage(base, **changes):
    path = base.models / "lambda_export/model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_without_a_base_nothing_is_checked():
    champion.check({"run": "new", "base": "", "interval_s": 5})


def test_a_finished_base_of_the_same_windows_passes(base):
    champion.check({"run": "new", "base": "old", "interval_s": 5, "sequence_length": 60})
    assert champion.load("old").sequence_length == 60


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"base": "odl"}, "base=odl: no exported run has that name; ./run_all.sh --runs lists those that exist"),
        ({"base": "a/b"}, "base='a/b': expected a run's name of letters"),
        ({"base": "old", "run": "old"}, "base=old: expected another run than this one; give run= another name"),
        ({"base": "old", "interval_s": 30}, "base=old: expected interval_s=5, as that run has, got 30"),
        ({"base": "old", "sequence_length": 30}, "base=old: expected sequence_length=60, as that run has, got 30"),
        ({"warm_start": True}, "warm_start=true: expected base=, the run whose weights to start from, got none"),
    ],
)
def test_a_base_that_does_not_compare_is_refused_in_one_line(base, values, message):
    assert complaint(**values).startswith(message)


def test_an_unfinished_base_is_refused(base):
    base.models.rename(Run.at("old", staged=True).models)
    assert complaint(base="old").startswith("base=old: that run is not finished")


def test_a_base_with_a_changed_file_is_refused_by_the_files_name(base):
    np.save(base.models / "lambda_export/threshold.npy", np.float64(9))
    assert complaint(base="old").startswith(
        "base=old: threshold.npy: is not the file that was exported; ./run_all.sh --rebuild old"
    )


def test_a_base_of_an_older_version_is_refused(base):
    path = base.models / "lambda_export/model.json"
    files = json.loads(path.read_text())["files"]
    damage(base, files={name: sha for name, sha in files.items() if name != "normal.npz"})
    assert "normal.npz: is missing: a model of an older version" in complaint(base="old")


def test_a_warm_start_from_weights_that_do_not_fit_is_refused(base):
    damage(base, parameters={"encoding_dim": 16})
    values = {"base": "old", "warm_start": True, "encoding_dim": 32}
    assert (
        complaint(**values)
        == "warm_start=true: base=old has no lstm_autoencoder.h5 to start from; give warm_start=false"
    )
    (base.models / "lambda_export/lstm_autoencoder.h5").touch()
    assert "expected encoding_dim=16, as base=old has, got 32" in complaint(**values)
    champion.check(values | {"warm_start": False})
