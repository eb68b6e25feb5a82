"""The test in partitions gives what one table gives, on a cluster too; and 04 reports it."""

import json
import logging
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import papermill
import pytest
from conftest import runs_in
from distributed import LocalCluster
from wearer_files import life, write

from lib import parallel
from lib.data import clean, partitions, readings
from lib.detector.detector import Detector
from lib.evaluation import held_out
from lib.evaluation.held_out import LEVELS, Settings
from lib.evaluation.score_card import EvaluationSet, score_card
from lib.files import ROOT

TESTED = ["w1", "w3", "w4"]


def wearer(name):
    """Four hours of a wearer; the second hour of w3 and w4 is an anomaly."""
    table = life(name, interval_s=5).iloc[: 4 * 720].assign(label="")
    if name in ("w3", "w4"):
        table.iloc[720:1440, table.columns.get_loc("heartRate")] += 60
        table.iloc[720:1440, table.columns.get_loc("label")] = "tachycardia"
    return table


@pytest.fixture(autouse=True)
def one_core(monkeypatch):
    """Partitions are read in this process: a worker takes seconds to start."""
    monkeypatch.setattr(parallel, "cores", lambda: 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two partitions, each with wearers of the test and one other."""
    files = {"a": ["w1", "w2"], "b": ["w3", "w4", "w5"]}
    return write(tmp_path_factory.mktemp("parts") / "watch", {name: map(wearer, who) for name, who in files.items()})


@pytest.fixture(scope="module")
def settings(export):
    return Settings(Detector.load(export), units=TESTED, by="wearer", stride=12)


@pytest.fixture(scope="module")
def alone(folder, export):
    """The test's wearers in one table."""
    raw = readings.read(folder)
    table, _ = clean.clean(raw[raw["user_id"].isin(TESTED)].reset_index(drop=True), interval_s=5)
    return held_out.score_table(table, Detector.load(export), stride=12)


def test_partitions_on_a_cluster_give_what_one_table_gives(folder, settings, alone):
    tasks = partitions.survey(str(folder)).partitions
    local = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(**local, silence_logs=logging.CRITICAL) as cluster:
        (card, total), set_aside = held_out.evaluate(tasks, settings, scheduler=cluster.scheduler_address)
    test = EvaluationSet(alone.windows, alone.events, alone.days, alone.gated, faulty=np.isnan(alone.scores))
    expected = score_card(test, alone.scores, LEVELS, lasting={"0.7": alone.lasting})
    pd.testing.assert_frame_equal(card, expected[0])
    assert total == pytest.approx(expected[1], nan_ok=True)
    assert (len(tasks), set_aside) == (2, {})
    assert card["events"].to_dict() == {"tachycardia": 2}
    assert total["wearer_days"] == pytest.approx((3 * 4 - 2) / 24, abs=0.01)


def test_a_wearers_windows_are_a_minute_apart_and_scored_as_the_detector_follows_them(alone):
    assert set(alone.windows["user_id"]) == set(TESTED)
    assert len(alone.windows) == 3 * (4 * 60 - 4)
    assert np.array_equal(alone.scores, alone.lasting, equal_nan=True)  # one window is enough for an alert
    assert len(np.unique(alone.scores.round(4))) > 100


def test_a_partition_that_cannot_be_read_is_named_and_the_others_count(folder, settings, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "watch")
    tasks = partitions.survey(str(copy)).partitions
    (copy / "a.parquet").write_bytes(b"PAR1 no more")
    (card, total), set_aside = held_out.evaluate(tasks, settings, on_bad_part="skip")
    assert list(set_aside) == [str(tasks[0])]
    assert re.search("a.parquet: cannot be read", set_aside[str(tasks[0])])
    assert card["events"].to_dict() == {"tachycardia": 2}
    assert total["wearer_days"] == pytest.approx((2 * 4 - 2) / 24, abs=0.01)


def test_partitions_without_the_test_are_refused(folder, settings):
    with pytest.raises(ValueError, match="expected a window of the test in 2 partitions, got none$"):
        held_out.evaluate(partitions.survey(str(folder)).partitions, replace(settings, units=["nobody"]))


def test_if_no_partition_can_be_read_the_error_says_why(folder, settings, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "watch")
    tasks = partitions.survey(str(copy)).partitions
    for path in copy.iterdir():
        path.write_bytes(b"PAR1 no more")
    with pytest.raises(ValueError, match="in 2 partitions, got none; .*a.parquet: cannot be read"):
        held_out.evaluate(tasks, settings, on_bad_part="skip")


def test_days_of_wearers_without_a_label_have_no_events_and_their_time_counts(settings, tmp_path):
    days = life("w1", interval_s=5, days=2).iloc[17_280 - 1440 : 17_280 + 720]  # two hours before midnight, one after
    write(tmp_path / "watch", {"a": [days]})
    tasks, by_day = (
        partitions.survey(str(tmp_path / "watch")).partitions,
        replace(settings, by="day", units=["w1 2026-03-03"]),
    )
    (card, total), _ = held_out.evaluate(tasks, by_day)
    assert card.empty
    assert total["wearer_days"] == pytest.approx(1 / 24, abs=0.001)
    assert 0 <= total["share_of_normal_0.3"] <= 1


def test_a_runs_partitions_and_test_are_loaded(folder, tmp_path):
    source = partitions.survey(str(folder), timezone="Europe/Rome")
    partitions.save(source.partitions, tmp_path / "parts.json", timezone="Europe/Rome", labelled=True)
    (tmp_path / "split.json").write_text(json.dumps({"by": "wearer", "validation": [], "test": TESTED}))
    tasks, settings = held_out.load_tasks(tmp_path, detector=None, stride=12, counters="interval")
    assert tasks == source.partitions
    assert settings == Settings(None, TESTED, "wearer", 12, timezone="Europe/Rome", counters="interval")


def test_a_run_of_an_older_version_is_refused_with_the_remedy(folder, tmp_path):
    partitions.save(partitions.survey(str(folder)).partitions, tmp_path / "parts.json", timezone="UTC")
    (tmp_path / "split.json").write_text('{"by": "wearer", "validation": []}')
    with pytest.raises(ValueError, match="split.json: expected the test's units, got none; run it again, --from 01"):
        held_out.load_tasks(tmp_path, detector=None, stride=12, counters="cumulative")


def test_04_reports_the_same_for_everything_as_for_a_test_that_holds_it(smoke, tmp_path):
    """The smoke run's own test, as if it were in partitions."""
    home = shutil.copytree(smoke.parents[1], tmp_path / "home", ignore=shutil.ignore_patterns(".smoke.*"))
    source = partitions.survey(str(home / "data/smoke/synthetic/anomalous_data.csv"))
    partitions.save(source.partitions, home / "data/smoke/parts.json", timezone="UTC", labelled=True)
    with runs_in(home):
        papermill.execute_notebook(
            ROOT / "notebooks/04_evaluate.ipynb", home / "04.ipynb", {"run": "smoke"}, progress_bar=False
        )
    metrics = json.loads((home / "models/.smoke.copy/metrics.json").read_text())  # by hand, 04 works on a copy
    assert metrics["everything"] == pytest.approx(metrics["methods"]["deployed score"], nan_ok=True)
    assert metrics["everything"]["events"] > 0
