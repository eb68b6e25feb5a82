"""Batch scoring gives the scores of the deployed function, and continues after an interruption."""

import errno
import json
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import life

from lib import files, score
from lib.data import partitioning
from lib.detector import scoring
from lib.detector.detector import Detector
from lib.evaluation import batch_score
from lib.files import ROOT
from lib.run import Run

sys.path.insert(0, str(ROOT / "lambda"))
from answer import answer_body
from request import parse

START = np.datetime64("2026-03-02T07:00:00", "ms")


def raw(minutes, *, wearer="ada", seed=0, running=True):
    """Return a wearer's readings every 5 s, with running counters or with amounts."""
    samples = life(12 * minutes, seed=seed)
    table = pd.DataFrame(samples[:, :4], columns=["heartRate", "steps", "calories", "distance"])
    if running:
        table[["steps", "calories", "distance"]] = table[["steps", "calories", "distance"]].cumsum().round(2)
    when = np.datetime_as_string(START + 5000 * np.arange(1, len(table) + 1), unit="s")
    return table.assign(user_id=wearer, timestamp=when)


@pytest.fixture
def run(tmp_path, monkeypatch, export):
    """A run with the export that all tests share."""
    monkeypatch.setenv("RUNS_HOME", str(tmp_path / "home"))
    run = Run.at("march")
    run.models.mkdir(parents=True)
    (run.models / "lambda_export").symlink_to(export)
    return run


@pytest.fixture
def folder(tmp_path):
    """A folder with a file of each of two wearers."""
    data = tmp_path / "data"
    data.mkdir()
    for number, wearer in enumerate(("ada", "bo")):
        raw(30, wearer=wearer, seed=number).to_parquet(data / f"{wearer}.parquet")
    return data


def score_with(run, data, out, *options):
    return score.main(["--run", run.name, "--data", str(data), "--out", str(out), "--workers", "1", *options])


def test_an_export_is_scored_as_it_is(run, tmp_path, capsys):
    rows = raw(30)
    heart = rows.rename(columns={"heartRate": "beats per minute"})[["timestamp", "beats per minute"]]
    (tmp_path / "export").mkdir()
    heart.assign(timestamp=heart["timestamp"] + "Z").to_csv(tmp_path / "export/heart.csv", index=False)
    minutes = rows.iloc[::12].assign(timestamp=lambda table: table["timestamp"].str[:-2] + "00Z", steps=40)
    minutes[["timestamp", "steps"]].to_csv(tmp_path / "export/steps.csv", index=False)
    assert score_with(run, tmp_path / "export", tmp_path / "scores.parquet", "--timezone", "Asia/Tokyo") == 0
    scores = pd.read_parquet(tmp_path / "scores.parquet").dropna(subset="score")
    assert len(scores) >= 20
    assert scores["timestamp"].dt.hour.isin([16]).all()
    assert set(scores["channel_set"]) == {"heart rate and steps"}
    assert "Fitbit export, CSV (Google data) (2 files)" in capsys.readouterr().out


def test_scores_equal_those_of_a_request_each_minute(run, tmp_path, export):
    rows = raw(40, running=False)
    rows.to_csv(tmp_path / "ada.csv", index=False)
    assert score_with(run, tmp_path / "ada.csv", tmp_path / "scores.parquet", "--counters", "interval") == 0
    scores = pd.read_parquet(tmp_path / "scores.parquet").set_index("timestamp")["score"]
    detector, baseline = Detector.load(export), None
    metrics = json.loads(rows.drop(columns="user_id").to_json(orient="records"))
    for end in range(60, len(metrics) + 1, 12):
        request = {"counters": "interval", "metrics": metrics[end - 60 : end]}
        request |= {"baseline": baseline} if baseline else {}
        body, _ = answer_body(parse(request, interval_s=5), detector)
        baseline = body["baseline"]
        assert scores.loc[metrics[end - 1]["timestamp"]] == pytest.approx(body["anomalyScore"], abs=1e-5)


def test_windows_without_a_channel_are_scored_without_it(run, tmp_path, export):
    rows = raw(30, running=False)
    rows.loc[180:, "distance"] = np.nan
    rows.to_csv(tmp_path / "ada.csv", index=False)
    assert score_with(run, tmp_path / "ada.csv", tmp_path / "scores.parquet", "--counters", "interval") == 0
    scores = pd.read_parquet(tmp_path / "scores.parquet").set_index("timestamp").dropna(subset="channel_set")
    assert scores["channel_set"].tolist() == ["all channels"] * 11 + ["without distance"] * 15
    assert scores["score"].notna().all()
    detector, metrics = Detector.load(export), json.loads(rows.drop(columns="user_id").to_json(orient="records"))
    for end in (60, 180, 240, 360):  # windows that have the channel throughout, or not at all
        request = {"counters": "interval", "metrics": metrics[end - 60 : end]}
        body, _ = answer_body(parse(request, interval_s=5), detector)
        row = scores.loc[metrics[end - 1]["timestamp"]]
        assert row["score"] == pytest.approx(body["anomalyScore"], abs=1e-5)
        assert (row["channel_set"] in body["message"]) == (row["channel_set"] != "all channels")


def test_every_complete_window_has_a_row_and_other_minutes_one_with_the_trend(run, folder, tmp_path, capsys):
    assert score_with(run, folder, tmp_path / "scores.parquet") == 0
    table = pd.read_parquet(tmp_path / "scores.parquet")
    assert table.groupby("user_id").size().to_dict() == {"ada": 31, "bo": 31}  # from 7:00 to 7:30
    assert (table.loc[table["score"].isna(), "level"] == "unknown").all()
    assert (table["trend_level"] == "unknown").all()  # after half an hour
    table = table.dropna(subset="score")
    assert table.groupby("user_id").size().to_dict() == {
        "ada": 26,
        "bo": 26,
    }  # none in the first four minutes
    assert table["level"].isin(["normal", "borderline", "anomaly"]).all()
    assert (table["score"] >= 0.7).equals(table["level"] == "anomaly")
    assert set(table["channel_set"]) == {"all channels"}
    assert "52 windows, 52 of them now" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "home", "scores.parquet"]


def test_a_killed_call_continues_with_the_missing_parts(run, folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "scores.parquet"
    words = ["--run", run.name, "--data", str(folder), "--out", str(out), "--workers", "1"]
    script = "import os\nfrom lib import score\nfrom lib.evaluation import batch_score\n"
    script += "original = batch_score.score_partition\ndef killed(part, **options):\n"
    script += "    return os.kill(os.getpid(), 9) if part.name == 'part-00001' else original(part, **options)\n"
    script += f"batch_score.score_partition = killed\nscore.main({words!r})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not out.exists()
    parts, original = [], batch_score.score_partition
    monkeypatch.setattr(
        batch_score, "score_partition", lambda part, **options: parts.append(part.name) or original(part, **options)
    )
    assert score_with(run, folder, out) == 0
    assert parts == ["part-00001"]
    assert "52 windows, 26 of them now" in capsys.readouterr().out
    scores = pd.read_parquet(out)
    assert score_with(run, folder, tmp_path / "again.parquet") == 0
    pd.testing.assert_frame_equal(scores, pd.read_parquet(tmp_path / "again.parquet"))


def test_files_left_empty_or_truncated_by_a_power_failure_are_scored_again(run, folder, tmp_path, capsys, monkeypatch):
    out = tmp_path / "scores.parquet"
    raw(30, wearer="cy", seed=2).to_parquet(folder / "cy.parquet")
    with monkeypatch.context() as patched:
        patched.setattr(batch_score, "_concatenate", lambda paths, out: 0)
        patched.setattr(files, "remove", lambda path: None)
        score_with(run, folder, out)
    empty, cut, _ = sorted((tmp_path / ".scores.parquet.parts").glob("*.parquet"))
    empty.write_bytes(b"")
    cut.write_bytes(cut.read_bytes()[:-10])
    capsys.readouterr()
    assert score_with(run, folder, out) == 0
    assert "78 windows, 52 of them now" in capsys.readouterr().out
    scores = pd.read_parquet(out).groupby("user_id")["score"]
    assert scores.count().to_dict() == {"ada": 26, "bo": 26, "cy": 26}


def test_a_full_disk_is_reported_and_finished_scores_stay(run, folder, tmp_path, capsys, monkeypatch):
    out, write = tmp_path / "scores.parquet", batch_score.parquet.write_table

    def full(table, path):
        if set(table["user_id"].to_pylist()) == {"bo"}:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(table, path)

    with monkeypatch.context() as patched:
        patched.setattr(batch_score.parquet, "write_table", full)
        with pytest.raises(SystemExit, match="the disk is full: .*; free some space; finished scores are kept"):
            score_with(run, folder, out)
    assert not out.exists()
    assert score_with(run, folder, out) == 0
    assert "52 windows, 26 of them now" in capsys.readouterr().out


def test_ctrl_c_says_how_to_continue(run, folder, tmp_path, capsys, monkeypatch):
    def interrupted(part, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(batch_score, "score_partition", interrupted)
    assert score_with(run, folder, tmp_path / "scores.parquet") == 130
    assert "stopped by Ctrl-C; finished scores are kept" in capsys.readouterr().err


@pytest.mark.usefixtures("reached")
def test_two_workers_score_s3_as_one_process_does_a_folder(run, folder, tmp_path, s3_client):
    local, remote = (tmp_path / f"{name}.parquet" for name in ("local", "remote"))
    s3_client.create_bucket(Bucket="watches-to-score")
    for path in folder.iterdir():
        s3_client.upload_file(str(path), "watches-to-score", f"march/{path.name}")
    assert score_with(run, folder, local) == 0
    assert score_with(run, "s3://watches-to-score/march", remote, "--workers", "2") == 0
    pd.testing.assert_frame_equal(pd.read_parquet(remote), pd.read_parquet(local))


def test_a_bad_part_can_be_skipped_and_is_reported(run, folder, tmp_path, capsys):
    (folder / "bo.parquet").write_bytes(b"cut off")
    assert score_with(run, folder, tmp_path / "scores.parquet", "--on-bad-part", "skip") == 1
    assert set(pd.read_parquet(tmp_path / "scores.parquet")["user_id"]) == {"ada"}
    stderr = capsys.readouterr().err
    assert "skipped: " in stderr
    assert "finished scores are kept" in stderr


def test_a_bad_part_that_stops_is_reported_with_the_option_that_skips_it(run, folder, tmp_path):
    (folder / "bo.parquet").write_bytes(b"cut off")
    with pytest.raises(SystemExit, match="bo.parquet: cannot be read") as stopped:
        score_with(run, folder, tmp_path / "scores.parquet")
    assert "; --on-bad-part skip goes on without it; finished scores are kept beside" in str(stopped.value)
    assert "on_bad_part" not in str(stopped.value)


def test_a_second_call_with_the_same_output_is_refused(run, folder, tmp_path):
    out = tmp_path / "scores.parquet"
    with (
        files.locked(tmp_path / ".scores.parquet.lock"),
        pytest.raises(SystemExit, match="scores.parquet is being written by process"),
    ):
        score_with(run, folder, out)
    assert not out.exists()
    assert score_with(run, folder, out) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "home", "scores.parquet"]


def test_a_repaired_part_alone_is_scored(run, folder, tmp_path, capsys):
    good, out = (folder / "bo.parquet").read_bytes(), tmp_path / "scores.parquet"
    (folder / "bo.parquet").write_bytes(b"cut off")
    assert score_with(run, folder, out, "--on-bad-part", "skip") == 1
    (folder / "bo.parquet").write_bytes(good)
    assert score_with(run, folder, out, "--on-bad-part", "skip") == 0
    assert "52 windows, 26 of them now" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "home", "scores.parquet"]


def test_a_changed_stride_scores_again(run, folder, tmp_path):
    out = tmp_path / "scores.parquet"
    score_with(run, folder, out)
    score_with(run, folder, out, "--stride", "60")
    assert len(pd.read_parquet(out)) == 12


def test_files_of_a_day_each_are_scored_like_one_file(run, tmp_path):
    single, days = tmp_path / "single", tmp_path / "days"
    rows = pd.concat([raw(40, wearer=wearer, seed=number) for number, wearer in enumerate(("ada", "bo"))])
    late = rows["timestamp"] > "2026-03-02T07:20:00"
    for folder, tables in ((single, {"all": rows}), (days, {"first": rows[~late], "second": rows[late]})):
        folder.mkdir()
        for name, table in tables.items():
            table.to_parquet(folder / f"{name}.parquet")
        assert score_with(run, folder, tmp_path / f"{folder.name}.parquet") == 0
    scores = pd.read_parquet(tmp_path / "days.parquet")
    assert scores.groupby("user_id")["score"].count().to_dict() == {"ada": 36, "bo": 36}
    pd.testing.assert_frame_equal(scores, pd.read_parquet(tmp_path / "single.parquet"))


def test_parquet_is_scored_in_small_parts_and_csv_in_one(run, tmp_path, monkeypatch):
    monkeypatch.setattr(partitioning, "MIN_READINGS", 1)
    rows = pd.concat([raw(30, wearer=wearer, seed=number) for number, wearer in enumerate(("ada", "bo", "cy"))])
    rows.to_parquet(tmp_path / "watch.parquet")
    rows.to_csv(tmp_path / "watch.csv")
    parts, original = [], batch_score.score_partition
    monkeypatch.setattr(
        batch_score, "score_partition", lambda part, **options: parts.append(part.wearers) or original(part, **options)
    )
    for kind in ("parquet", "csv"):
        assert score_with(run, tmp_path / f"watch.{kind}", tmp_path / f"of-{kind}") == 0
    assert parts == [("ada",), ("bo",), ("cy",), ()]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "of-parquet"), pd.read_parquet(tmp_path / "of-csv"))


def test_readings_shorter_than_a_window_have_no_score(run, folder, tmp_path):
    raw(3, wearer="cy").to_parquet(folder / "cy.parquet")
    assert score_with(run, folder, tmp_path / "scores.parquet") == 0
    assert set(pd.read_parquet(tmp_path / "scores.parquet").dropna(subset="score")["user_id"]) == {"ada", "bo"}


def test_readings_too_far_apart_for_windows_have_a_trend_and_the_command_says_so(run, tmp_path, capsys):
    minutes = 8 * 24 * 60
    table = pd.DataFrame({"user_id": "ada", "timestamp": np.datetime64("2026-03-02", "s") + 60 * np.arange(minutes)})
    table["heartRate"], table["steps"] = 60 + 12 * (np.arange(minutes) > 7 * 24 * 60), 0  # a fever on the last day
    table.to_csv(tmp_path / "ada.csv", index=False)
    assert score_with(run, tmp_path / "ada.csv", tmp_path / "scores.parquet") == 0
    rows = pd.read_parquet(tmp_path / "scores.parquet")
    assert len(rows) == minutes
    assert rows["score"].isna().all()
    assert (rows["trend_level"].iloc[-1], rows["trend_level"].iloc[-24 * 60]) == ("anomaly", "normal")
    assert rows["trend_score"].iloc[: 24 * 60].isna().all()
    assert "no window could be scored: readings are too far apart" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stride", "0"], "--stride 0"),
        (["--timezone", "Mars"], "--timezone 'Mars'"),
        (["--dask-scheduler", "here"], "--dask-scheduler 'here': expected an address"),
        (["--run", "none"], "model.json"),
        (["--data", "nowhere"], "nowhere"),
        (["--out", "s3://watches/scores.parquet"], "expected a local file"),
    ],
)
def test_an_invalid_option_is_refused_by_name(run, folder, tmp_path, capsys, options, message):
    with pytest.raises(SystemExit) as stopped:
        score_with(run, folder, tmp_path / "scores.parquet", *options)
    assert message in f"{stopped.value}{capsys.readouterr().err}"


def test_a_window_of_a_stuck_sensor_is_unknown():
    assert scoring.levels(np.array([0.1, 0.3, 0.7, np.nan])).tolist() == ["normal", "borderline", "anomaly", "unknown"]
