"""A run with a base, by run_all.sh and the real notebooks: a worse model is exported only by force."""

import gzip
import json
import os
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
from conftest import runs_in

from lib.data import readings
from lib.files import ROOT
from lib.run import Run
from lib.simulation import watch
from lib.workflow import cli, runs_table

BLOCK = 120  # samples whose labels stay together


@pytest.fixture(scope="module")
def home(smoke, tmp_path_factory):
    """RUNS_HOME with the finished run "smoke", and "noise": its copy up to 02 with shuffled labels in the test."""
    with runs_in(tmp_path_factory.mktemp("home")) as home:
        for folder in ("data", "models"):
            shutil.copytree(smoke.parent.parent / folder / "smoke", home / folder / "smoke")
            shutil.copytree(home / folder / "smoke", home / folder / "noise")
        shutil.rmtree(home / "models/noise/lambda_export")
        path = home / "data/noise/processed/anomalous_data.csv"
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        number = len(table) // BLOCK
        shuffled = (
            np.arange(number * BLOCK).reshape(number, BLOCK)[np.random.default_rng(1).permutation(number)].ravel()
        )
        table.loc[: number * BLOCK - 1, "label"] = table["label"].to_numpy()[shuffled]
        table.to_csv(path, index=False)
        yield home


def challenge_and_journal():
    """Return the challenge in metrics.json, and run.json, of the run "noise", finished or not."""
    run = Run.at("noise", staged=Run.at("noise", staged=True).models.exists())
    return json.loads((run.models / "metrics.json").read_text())["challenge"], run.journal


def test_a_retrain_that_fails_its_challenge_is_exported_only_by_force(home, capsys):
    assert cli.main(["run=noise", "--from", "03", "base=smoke", "warm_start=true"]) == 4
    message = capsys.readouterr().err
    assert message.startswith("run_all.sh: run 'noise' is not exported: not shown to be as good as 'smoke': ")
    assert "./run_all.sh run=noise --from 05_export force=true" in message
    challenge, journal = challenge_and_journal()
    assert (challenge["base"], challenge["passed"]) == ("smoke", False)
    assert challenge["against"]
    assert journal["ran"]["03_train"]["parameters"]["warm_start"] is True
    assert not list(home.glob("models/*noise*/lambda_export"))
    assert runs_table.table().loc["noise…", "state"] == "not exported"

    assert cli.main(["run=noise", "--from", "05", "force=true"]) == 0
    assert challenge_and_journal()[1]["05_export"]["verdict"].startswith(
        "exported by force=true, though not shown to be as good"
    )
    exported = json.loads((home / "models/noise/lambda_export/model.json").read_text())
    assert (exported["parameters"]["base"], exported["parameters"]["force"]) == ("smoke", True)
    assert runs_table.table().loc["noise", "state"] == "exported"


def truncated(content):
    return content[: len(content) // 2]


def without_heart_rate(content):
    return gzip.compress(gzip.decompress(content).replace(b"heartRate", b"pulse"))


@pytest.mark.parametrize("broken", [truncated, without_heart_rate])
def test_no_run_is_exported_from_a_broken_file(broken, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "home"))
    path = tmp_path / "month.csv.gz"
    readings.write(readings.parse(watch.record_days(wearers=6, days=1, interval_s=30, seed=1, first_id=0)), path)
    path.write_bytes(broken(path.read_bytes()))
    assert cli.main(["run=month", f"data_path={path}", "interval_s=30"]) == 1
    assert capsys.readouterr().err.startswith("run_all.sh: 01_generate at ")
    assert not Run.at("month").models.exists()
    assert not list((tmp_path / "home").rglob("lambda_export"))


@pytest.mark.parametrize(
    ("month", "past", "exported", "base"),
    [
        ("2026-11", "2026-10", [], []),
        ("2026-11", "2026-10", ["2026-09", "2026-10"], ["base=2026-10"]),
        ("2026-11", "2026-10", ["2026-10", "2026-11"], ["base=2026-10"]),
        ("2027-01", "2026-12", ["2026-12"], ["base=2026-12"]),
        ("2026-09", "2026-08", ["2026-08"], ["base=2026-08"]),
    ],
)
def test_the_monthly_script_names_the_last_month_that_was_exported_before(tmp_path, month, past, exported, base):
    """Without an exported month there is no base, and a month is not its own base."""
    (tmp_path / "lambda/deployment").mkdir(parents=True)
    script = shutil.copy(ROOT / "lambda/deployment/retrain.sh", tmp_path / "lambda/deployment")
    for name in exported:
        (tmp_path / "models" / name / "lambda_export").mkdir(parents=True)
    (tmp_path / "models/2026-10-adjusted/lambda_export").mkdir(parents=True)
    (tmp_path / "run_all.sh").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "run_all.sh").chmod(0o755)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/date").write_text(f"#!/bin/sh\necho {month}\n")
    (tmp_path / "bin/date").chmod(0o755)
    environment = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", script, "s3://watches"], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"run={month}", f"data_path=s3://watches/{past}/", *base]
