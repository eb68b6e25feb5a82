"""Which runs a retrained one can be compared with, and what is said of the others."""

import json
import shutil

import numpy as np
import pytest

from lib.evaluation import champion
from lib.run import Run
from lib.workflow.parameters import UsageError


@pytest.fixture
def base(tmp_path, monkeypatch, export):
    """The finished run "old", which exported the untrained model."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    shutil.copytree(export, Run.at("old").models / "lambda_export")
    return Run.at("old")


def complaint(**values):
    with pytest.raises(UsageError) as caught:
        champion.check(values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def damage(base, **changes):
    path = base.models / "lambda_export/model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_without_a_base_nothing_is_looked_at():
    champion.check({"run": "new", "base": "", "interval_s": 5})


def test_a_finished_base_of_the_same_windows_passes(base):
    champion.check({"run": "new", "base": "old", "interval_s": 5, "sequence_length": 60})
    assert champion.load("old").sequence_length == 60


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"base": "odl"}, "base=odl: there is no exported run of that name; see ./run_all.sh --runs"),
        ({"base": "a/b"}, "base='a/b': expected a run's name of letters"),
        ({"base": "old", "run": "old"}, "base=old: a run is compared with another; give run= another name"),
        ({"base": "old", "interval_s": 30}, "base=old was made with interval_s=5, not 30"),
        ({"base": "old", "sequence_length": 30}, "base=old was made with sequence_length=60, not 30"),
        ({"warm_start": True}, "warm_start=true: base=, the run whose weights to start from, is wanted too"),
    ],
)
def test_a_base_that_can_not_be_compared_with_is_refused_in_one_line(base, values, message):
    assert complaint(**values).startswith(message)


def test_an_unfinished_base_is_refused(base):
    base.models.rename(Run.at("old", staged=True).models)
    assert complaint(base="old").startswith("base=old: that run is not finished")


def test_a_base_with_a_changed_file_is_refused_by_the_files_name(base):
    np.save(base.models / "lambda_export/threshold.npy", np.float64(9))
    assert complaint(base="old").startswith("base=old: threshold.npy: is not the file that was exported; run it again")


def test_a_base_of_before_the_normal_windows_is_refused(base):
    path = base.models / "lambda_export/model.json"
    files = json.loads(path.read_text())["files"]
    damage(base, files={name: sha for name, sha in files.items() if name != "normal.npz"})
    assert "is of an older version, without normal.npz" in complaint(base="old")


def test_a_base_whose_weights_do_not_fit_can_not_be_started_from(base):
    damage(base, parameters={"encoding_dim": 16})
    given = {"base": "old", "warm_start": True, "encoding_dim": 32}
    assert complaint(**given) == "warm_start=true: base=old has no lstm_autoencoder.h5 to start from"
    (base.models / "lambda_export/lstm_autoencoder.h5").touch()
    assert "was made with encoding_dim=16, not 32" in complaint(**given)
    champion.check(given | {"warm_start": False})
