"""Batch scoring gives what the function would have given; and is taken up again where it was cut off."""

import errno
import json
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import life

from lib import score
from lib.detector import scoring
from lib.detector.detector import Detector
from lib.files import ROOT
from lib.run import Run

sys.path.insert(0, str(ROOT / "lambda"))
from answer import answer_body
from request import parse

START = np.datetime64("2026-03-02T07:00:00", "ms")


def raw(minutes, *, wearer="ada", seed=0, running=True):
    """A wearer's readings every 5 s, with running counters, or what was counted since the last."""
    samples = life(12 * minutes, seed=seed)
    table = pd.DataFrame(samples[:, :4], columns=["heartRate", "steps", "calories", "distance"])
    if running:
        table[["steps", "calories", "distance"]] = table[["steps", "calories", "distance"]].cumsum().round(2)
    when = np.datetime_as_string(START + 5000 * np.arange(1, len(table) + 1), unit="s")
    return table.assign(user_id=wearer, timestamp=when)


@pytest.fixture
def run(tmp_path, monkeypatch, export):
    """A run whose export is the session's."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "home"))
    run = Run.at("march")
    run.models.mkdir(parents=True)
    (run.models / "lambda_export").symlink_to(export)
    return run


@pytest.fixture
def folder(tmp_path):
    """Two parts, each of a wearer."""
    data = tmp_path / "data"
    data.mkdir()
    for number, wearer in enumerate(("ada", "bo")):
        raw(30, wearer=wearer, seed=number).to_parquet(data / f"{wearer}.parquet")
    return data


def asked(run, data, out, *words):
    return score.main(["--run", run.name, "--data", str(data), "--out", str(out), "--workers", "1", *words])


def test_scores_are_the_functions_own_asked_minute_by_minute(run, tmp_path, export):
    rows = raw(40, running=False)
    rows.to_csv(tmp_path / "ada.csv", index=False)
    assert asked(run, tmp_path / "ada.csv", tmp_path / "scores.parquet", "--counters", "interval") == 0
    found = pd.read_parquet(tmp_path / "scores.parquet").set_index("timestamp")["score"]
    detector, own = Detector.load(export), None
    metrics = json.loads(rows.drop(columns="user_id").to_json(orient="records"))
    for end in range(60, len(metrics) + 1, 12):
        request = {"counters": "interval", "metrics": metrics[end - 60 : end], **({"baseline": own} if own else {})}
        body, _ = answer_body(parse(request, interval_s=5), detector)
        own = body["baseline"]
        assert found.loc[metrics[end - 1]["timestamp"]] == pytest.approx(body["anomalyScore"], abs=1e-5)


def test_windows_in_which_a_channel_is_no_longer_reported_are_scored_without_it(run, tmp_path, export):
    rows = raw(30, running=False)
    rows.loc[180:, "distance"] = np.nan
    rows.to_csv(tmp_path / "ada.csv", index=False)
    assert asked(run, tmp_path / "ada.csv", tmp_path / "scores.parquet", "--counters", "interval") == 0
    found = pd.read_parquet(tmp_path / "scores.parquet").set_index("timestamp").dropna(subset="channel_set")
    assert found["channel_set"].tolist() == ["all channels"] * 11 + ["without distance"] * 15
    assert found["score"].notna().all()
    detector, metrics = Detector.load(export), json.loads(rows.drop(columns="user_id").to_json(orient="records"))
    for end in (60, 180, 240, 360):  # of windows that hold it throughout, or not at all
        request = {"counters": "interval", "metrics": metrics[end - 60 : end]}
        body, _ = answer_body(parse(request, interval_s=5), detector)
        row = found.loc[metrics[end - 1]["timestamp"]]
        assert row["score"] == pytest.approx(body["anomalyScore"], abs=1e-5)
        assert (row["channel_set"] in body["message"]) == (row["channel_set"] != "all channels")


def test_every_whole_window_has_a_row_and_every_other_minute_one_with_the_trend_alone(run, folder, tmp_path, capsys):
    assert asked(run, folder, tmp_path / "scores.parquet") == 0
    table = pd.read_parquet(tmp_path / "scores.parquet")
    assert table.groupby("user_id").size().to_dict() == {"ada": 31, "bo": 31}  # minutes 7:00 to 7:30
    assert (table.loc[table["score"].isna(), "level"] == "unknown").all()
    assert (table["trend_level"] == "unknown").all()  # in half an hour
    table = table.dropna(subset="score")
    assert table.groupby("user_id").size().to_dict() == {"ada": 26, "bo": 26}  # 30 minutes, from the fifth on
    assert table["level"].isin(["normal", "borderline", "anomaly"]).all()
    assert (table["score"] >= 0.7).equals(table["level"] == "anomaly")
    assert set(table["channel_set"]) == {"all channels"}
    assert "52 windows, 52 of them now" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "home", "scores.parquet"]


def test_what_was_killed_goes_on_with_what_is_left(run, folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "scores.parquet"
    words = ["--run", run.name, "--data", str(folder), "--out", str(out), "--workers", "1"]
    script = "import os\nfrom lib import score\nwhole = score.scored\ndef killed(part, **form):\n"
    script += "    return os.kill(os.getpid(), 9) if part.name == 'part-00001' else whole(part, **form)\n"
    script += f"score.scored = killed\nscore.main({words!r})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists()
    taken, whole = [], score.scored
    monkeypatch.setattr(score, "scored", lambda part, **form: taken.append(part.name) or whole(part, **form))
    assert asked(run, folder, out) == 0
    assert taken == ["part-00001"]
    assert "52 windows, 26 of them now" in capsys.readouterr().out
    found = pd.read_parquet(out)
    assert asked(run, folder, tmp_path / "again.parquet") == 0
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "again.parquet"))


def test_what_a_power_cut_left_empty_or_truncated_is_scored_again(run, folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "scores.parquet"
    raw(30, wearer="cy", seed=2).to_parquet(folder / "cy.parquet")
    with monkeypatch.context() as patched:
        patched.setattr(score, "_join", lambda paths, out: 0)
        patched.setattr(score.files, "remove", lambda path: None)
        asked(run, folder, out)
    empty, cut, _ = sorted((tmp_path / ".scores.parquet.parts").glob("*.parquet"))
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:-10])
    capsys.readouterr()
    assert asked(run, folder, out) == 0
    assert "78 windows, 52 of them now" in capsys.readouterr().out
    scores = pd.read_parquet(out).groupby("user_id")["score"]
    assert scores.count().to_dict() == {"ada": 26, "bo": 26, "cy": 26}


def test_a_full_disk_is_told_and_what_is_scored_stays(run, folder, tmp_path, capsys, monkeypatch):
    out, write = tmp_path / "scores.parquet", score.parquet.write_table

    def full(table, path):
        if set(table["user_id"].to_pylist()) == {"bo"}:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(table, path)

    with monkeypatch.context() as patched:
        patched.setattr(score.parquet, "write_table", full)
        with pytest.raises(SystemExit, match="the disk is full: .*; make room: what is scored is kept"):
            asked(run, folder, out)
    assert not out.exists()
    assert asked(run, folder, out) == 0
    assert "52 windows, 26 of them now" in capsys.readouterr().out


def test_ctrl_c_says_how_to_go_on(run, folder, tmp_path, capsys, monkeypatch):
    def interrupted(part, **form):
        raise KeyboardInterrupt

    monkeypatch.setattr(score, "scored", interrupted)
    assert asked(run, folder, tmp_path / "scores.parquet") == 130
    assert "stopped by Ctrl-C; what is scored is kept" in capsys.readouterr().err


@pytest.mark.usefixtures("reached")
def test_two_workers_score_s3_as_one_process_does_a_folder(run, folder, tmp_path, s3_client):
    here, there = (tmp_path / f"{name}.parquet" for name in ("here", "there"))
    s3_client.create_bucket(Bucket="watches-to-score")
    for path in folder.iterdir():
        s3_client.upload_file(str(path), "watches-to-score", f"march/{path.name}")
    assert asked(run, folder, here) == 0
    assert asked(run, "s3://watches-to-score/march", there, "--workers", "2") == 0
    pd.testing.assert_frame_equal(pd.read_parquet(there), pd.read_parquet(here))


def test_a_bad_part_can_be_set_aside_and_is_told(run, folder, tmp_path, capsys):
    (folder / "bo.parquet").write_bytes(b"cut off")
    assert asked(run, folder, tmp_path / "scores.parquet", "--on-bad-part", "skip") == 1
    assert set(pd.read_parquet(tmp_path / "scores.parquet")["user_id"]) == {"ada"}
    said = capsys.readouterr().err
    assert "set aside" in said
    assert "what is scored is kept" in said


def test_a_bad_part_that_stops_is_told_in_the_options_that_there_are(run, folder, tmp_path):
    (folder / "bo.parquet").write_bytes(b"cut off")
    with pytest.raises(SystemExit, match="bo.parquet: can not be read") as stopped:
        asked(run, folder, tmp_path / "scores.parquet")
    assert "; --on-bad-part skip goes on without it; what is scored is kept beside" in str(stopped.value)
    assert "on_bad_part" not in str(stopped.value)


def test_a_second_call_that_writes_the_same_file_is_refused_while_the_first_is_at_it(run, folder, tmp_path):
    out = tmp_path / "scores.parquet"
    with score.alone(out), pytest.raises(SystemExit, match="scores.parquet: another process scores into it"):
        asked(run, folder, out)
    assert not out.exists()
    assert asked(run, folder, out) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "home", "scores.parquet"]


def test_a_lock_that_a_killed_call_left_is_no_hindrance(run, folder, tmp_path):
    (tmp_path / ".scores.parquet.lock").touch()
    assert asked(run, folder, tmp_path / "scores.parquet") == 0


def test_once_a_bad_part_is_mended_it_alone_is_scored(run, folder, tmp_path, capsys):
    good, out = (folder / "bo.parquet").read_bytes(), tmp_path / "scores.parquet"
    (folder / "bo.parquet").write_bytes(b"cut off")
    assert asked(run, folder, out, "--on-bad-part", "skip") == 1
    (folder / "bo.parquet").write_bytes(good)
    assert asked(run, folder, out, "--on-bad-part", "skip") == 0
    assert "52 windows, 26 of them now" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "home", "scores.parquet"]


def test_another_stride_is_another_score(run, folder, tmp_path):
    out = tmp_path / "scores.parquet"
    asked(run, folder, out)
    asked(run, folder, out, "--stride", "60")
    assert len(pd.read_parquet(out)) == 12


def test_files_of_a_day_each_are_scored_as_one_of_all_days(run, tmp_path):
    whole, days = tmp_path / "whole", tmp_path / "days"
    rows = pd.concat([raw(40, wearer=wearer, seed=number) for number, wearer in enumerate(("ada", "bo"))])
    late = rows["timestamp"] > "2026-03-02T07:20:00"
    for folder, tables in ((whole, {"all": rows}), (days, {"first": rows[~late], "second": rows[late]})):
        folder.mkdir()
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet")
        assert asked(run, folder, tmp_path / f"{folder.name}.parquet") == 0
    found = pd.read_parquet(tmp_path / "days.parquet")
    assert found.groupby("user_id")["score"].count().to_dict() == {"ada": 36, "bo": 36}
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "whole.parquet"))


def test_parquet_is_scored_in_small_parts_and_csv_in_one(run, tmp_path, monkeypatch):
    monkeypatch.setattr(score.partitions, "LEAST_READINGS", 1)
    rows = pd.concat([raw(30, wearer=wearer, seed=number) for number, wearer in enumerate(("ada", "bo", "cy"))])
    rows.to_parquet(tmp_path / "watch.parquet")
    rows.to_csv(tmp_path / "watch.csv")
    taken, whole = [], score.scored
    monkeypatch.setattr(score, "scored", lambda part, **form: taken.append(part.wearers) or whole(part, **form))
    for kind in ("parquet", "csv"):
        assert asked(run, tmp_path / f"watch.{kind}", tmp_path / f"of-{kind}") == 0
    assert taken == [("ada",), ("bo",), ("cy",), ()]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "of-parquet"), pd.read_parquet(tmp_path / "of-csv"))


def test_a_life_shorter_than_a_window_has_no_score(run, folder, tmp_path):
    raw(3, wearer="cy").to_parquet(folder / "cy.parquet")
    assert asked(run, folder, tmp_path / "scores.parquet") == 0
    assert set(pd.read_parquet(tmp_path / "scores.parquet").dropna(subset="score")["user_id"]) == {"ada", "bo"}


def test_where_readings_are_too_far_apart_there_is_a_trend_and_the_command_says_so(run, tmp_path, capsys):
    minutes = 8 * 24 * 60
    table = pd.DataFrame({"user_id": "ada", "timestamp": np.datetime64("2026-03-02", "s") + 60 * np.arange(minutes)})
    table["heartRate"], table["steps"] = 60 + 12 * (np.arange(minutes) > 7 * 24 * 60), 0  # a fever on the last day
    table.to_csv(tmp_path / "ada.csv", index=False)
    assert asked(run, tmp_path / "ada.csv", tmp_path / "scores.parquet") == 0
    rows = pd.read_parquet(tmp_path / "scores.parquet")
    assert len(rows) == minutes
    assert rows["score"].isna().all()
    assert (rows["trend_level"].iloc[-1], rows["trend_level"].iloc[-24 * 60]) == ("anomaly", "normal")
    assert rows["trend_score"].iloc[: 24 * 60].isna().all()
    assert "no window could be scored: readings are too far apart" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--stride", "0"], "--stride 0"),
        (["--timezone", "Mars"], "--timezone 'Mars' is no IANA name"),
        (["--dask-scheduler", "here"], "--dask-scheduler 'here': an address"),
        (["--run", "none"], "model.json"),
        (["--data", "nowhere"], "nowhere"),
        (["--out", "s3://watches/scores.parquet"], "a file of this machine is wanted"),
    ],
)
def test_what_can_not_be_is_refused_by_name(run, folder, tmp_path, capsys, words, said):
    with pytest.raises(SystemExit) as stopped:
        asked(run, folder, tmp_path / "scores.parquet", *words)
    assert said in f"{stopped.value}{capsys.readouterr().err}"


def test_a_window_of_a_stuck_sensor_is_unknown():
    assert scoring.levels(np.array([0.1, 0.3, 0.7, np.nan])).tolist() == ["normal", "borderline", "anomaly", "unknown"]
