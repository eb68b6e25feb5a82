"""A run with a base, by run_all.sh and the real notebooks: what is worse is not exported, unless it is forced."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import runs_in

from lib import pipeline, runs_table
from lib.runs import Run

BLOCK = 120  # samples whose labels stay together


@pytest.fixture(scope="module")
def home(smoke, tmp_path_factory):
    """Where the finished run "smoke" lies, and "noise", which is it up to 02, the labels of its test in disorder."""
    with runs_in(tmp_path_factory.mktemp("home")) as home:
        for part in ("data", "models"):
            shutil.copytree(smoke.parent.parent / part / "smoke", home / part / "smoke")
            shutil.copytree(home / part / "smoke", home / part / "noise")
        shutil.rmtree(home / "models/noise/lambda_export")
        path = home / "data/noise/processed/anomalous_data.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        number = len(table) // BLOCK
        mixed = np.arange(number * BLOCK).reshape(number, BLOCK)[np.random.default_rng(1).permutation(number)].ravel()
        table.loc[: number * BLOCK - 1, "label"] = table["label"].to_numpy()[mixed]
        table.to_csv(path, index=False)
        yield home


def of_noise():
    """metrics.json's challenge, and run.json, of the run "noise", finished or not."""
    run = Run.at("noise", staged=Run.at("noise", staged=True).models.exists())
    return json.loads((run.models / "metrics.json").read_text())["challenge"], run.journal


def test_a_retrain_judged_by_labels_of_noise_is_not_exported_until_it_is_forced(home, capsys):
    assert pipeline.main(["run=noise", "--from", "03", "base=smoke", "warm_start=true"]) == 4
    said = capsys.readouterr().err
    assert said.startswith("run_all.sh: run 'noise' is not exported: not shown to be as good as 'smoke': ")
    assert "./run_all.sh run=noise --from 05_export force=true" in said
    challenge, journal = of_noise()
    assert (challenge["base"], challenge["passed"]) == ("smoke", False)
    assert challenge["against"]
    assert journal["ran"]["03_train"]["parameters"]["warm_start"] is True
    assert not list(home.glob("models/*noise*/lambda_export"))
    assert runs_table.table().loc["noise…", "state"] == "not exported"

    assert pipeline.main(["run=noise", "--from", "05", "force=true"]) == 0
    assert of_noise()[1]["05_export"]["verdict"].startswith("exported by force=true, though not shown to be as good")
    exported = json.loads((home / "models/noise/lambda_export/model.json").read_text())
    assert (exported["parameters"]["base"], exported["parameters"]["force"]) == ("smoke", True)
    assert runs_table.table().loc["noise", "state"] == "exported"
