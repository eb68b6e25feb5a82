"""The log as a table: from texts, from files, and from CloudWatch Logs over HTTP."""

import gzip
import json
import os
import time

import boto3
import numpy as np
import pandas as pd
import pytest
from botocore.stub import Stubber
from moto.server import ThreadedMotoServer

from lib.monitoring import log, log_source
from lib.monitoring.log import NoLog

GROUP = "/aws/lambda/health-anomaly-detector"
PLATFORM = [
    "INIT_REPORT Init Duration: 10008.35 ms Phase: init Status: timeout\n",
    "START RequestId: 4f3a Version: 7\n",
    "REPORT RequestId: 4f3a Duration: 3.1 ms\n",
    "\n",
]


def line(request_id="r1", *, at=1_772_434_800_000, **changes):
    """A line as the handler writes it."""
    fields = {
        "_aws": {"Timestamp": at, "CloudWatchMetrics": []},
        "Model": "march",
        "ModelSha256": "0123456789ab",
        "RequestId": request_id,
        "Status": 200,
        "Level": "normal",
        "Readings": 60,
        "Alerts": 0,
        "DurationMs": 3.25,
        "HeartRate": [0, 5],
    }
    return json.dumps({name: value for name, value in {**fields, **changes}.items() if value is not None}) + "\n"


def test_a_line_becomes_a_row_and_missing_fields_are_absent():
    table, skipped = log.parse_lines([line()])
    (row,) = table.to_dict("records")
    assert (len(table), skipped) == (1, 0)
    assert str(row["Time"]) == "2026-03-02 07:00:00"
    assert (row["Version"], row["RequestId"], row["Status"]) == ("march/0123456789ab", "r1", 200)
    assert (row["Readings"], row["DurationMs"], row["HeartRate"].tolist()) == (60, 3.25, [0, 5])
    assert np.isnan(row["LargestScore"])
    assert row["Held"] is None


def test_rows_are_in_time_order_and_a_repeated_line_counts_once():
    table, _ = log.parse_lines([line("b", at=2000), line("a", at=1000), line("b", at=2000), line("b", at=3000)])
    assert table["RequestId"].tolist() == ["a", "b", "b"]


def test_requests_without_an_id_all_count():
    assert len(log.parse_lines([line(None), line(None)])[0]) == 2


def test_the_platforms_lines_are_ignored_and_foreign_lines_counted():
    table, skipped = log.parse_lines([*PLATFORM, "2026-03-02T07:00:00.000Z " + line(), "Traceback\n", '{"a": 1}\n'])
    assert (len(table), skipped) == (1, 2)


ID = "8f507cfc-1a2b-4c3d-9e8f-6f5b4a3c2d1e"
TIMEOUT = f"REPORT RequestId: {ID}\tDuration: 30000.00 ms\tMemory Size: 512 MB\tStatus: timeout\n"
CRASH = f"REPORT RequestId: {ID}\tDuration: 9.1 ms\tMemory Size: 512 MB\tStatus: error\tError Type: Runtime.ExitError\n"
TASK = f"2026-03-02T08:00:00.123Z {ID} Task timed out after 30.03 seconds\n"


@pytest.mark.parametrize(("text", "status", "code"), [(TIMEOUT, 504, "timeout"), (CRASH, 502, "error")])
def test_a_request_that_lambda_ended_failed_unanswered(text, status, code):
    table, skipped = log.parse_lines([line(), text])
    row = table.iloc[1]
    assert (len(table), skipped) == (2, 0)
    assert row[["Version", "Status", "Code", "RequestId"]].tolist() == [log.UNANSWERED, status, code, ID]
    assert row["Time"] == table["Time"][0]
    assert np.isnan(row["Readings"])
    assert row["Held"] is None


def test_a_request_whose_end_lambda_reports_twice_counts_once():
    table, skipped = log.parse_lines([line(), TASK, TIMEOUT, "2026-03-02T08:00:00.124Z " + TIMEOUT])
    assert (len(table), skipped) == (2, 0)
    assert table["Time"][1] == pd.Timestamp("2026-03-02T08:00:00.123")


def test_the_time_at_which_lambda_ended_a_request_comes_from_the_log_group_or_is_unknown():
    assert log.parse_events([(TIMEOUT, 5)])[0]["Time"][0] == pd.Timestamp("1970-01-01T00:00:00.005")
    table, skipped = log.parse_lines([TIMEOUT, line()])
    assert (len(table), skipped) == (1, 1)


def platform_report(status, *, type="platform.report", request_id=ID):
    """A line in Lambda's JSON log format."""
    record = {"requestId": request_id, "metrics": {"durationMs": 30000.0}, "status": status}
    return json.dumps({"time": "2026-03-02T08:00:00.123Z", "type": type, "record": record}) + "\n"


@pytest.mark.parametrize(
    ("status", "expected", "code"), [("timeout", 504, "timeout"), ("error", 502, "error"), ("failure", 502, "error")]
)
def test_a_request_that_lambda_ended_counts_in_the_json_log_format_too(status, expected, code):
    table, skipped = log.parse_lines([line(), platform_report(status)])
    row = table.iloc[1]
    assert (len(table), skipped) == (2, 0)
    assert row[["Version", "Status", "Code", "RequestId"]].tolist() == [log.UNANSWERED, expected, code, ID]
    assert row["Time"] == pd.Timestamp("2026-03-02T08:00:00.123")


def test_other_lines_of_the_json_log_format_are_ignored():
    others = [platform_report("success"), platform_report("timeout", type="platform.runtimeDone")]
    others.append(platform_report("timeout", type="platform.initReport", request_id=None))
    table, skipped = log.parse_lines([line(), *others])
    assert (len(table), skipped) == (1, 0)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[" * 100_000,
        "{" * 100_000,
        "null",
        line(at="soon"),
        line(at=-1),
        line(at=1e300),
        line(Status=None),
        line(Status=float("nan")),
        line(_aws=[]),
        line(ModelSha256=None),
    ],
)
def test_a_foreign_line_is_counted_and_never_raises(text):
    table, skipped = log.parse_lines([text])
    assert (len(table), skipped) == (0, 1)


@pytest.mark.parametrize("bad", ["much", True, [], float("inf")])
def test_a_field_that_is_not_a_number_is_absent(bad):
    assert np.isnan(log.parse_lines([line(Readings=bad)])[0]["Readings"][0])


@pytest.mark.parametrize("bad", ["much", 5, [1, "x"], [1, -1], [1, float("nan")], [True], {"a": 1}])
def test_a_list_of_anything_but_counts_is_absent(bad):
    assert log.parse_lines([line(HeartRate=bad)])[0]["HeartRate"][0] is None


def test_files_are_read_from_a_path_a_folder_or_a_glob_and_unpacked(tmp_path):
    (tmp_path / "a.jsonl").write_text(line("a", at=1000) + PLATFORM[1])
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper/b.gz").write_bytes(gzip.compress(line("b", at=2000).encode()))
    assert log_source.read_files(str(tmp_path / "a.jsonl"))[0]["RequestId"].tolist() == ["a"]
    assert log_source.read_files(str(tmp_path))[0]["RequestId"].tolist() == ["a", "b"]
    assert log_source.read_files(str(tmp_path / "*.jsonl"))[0]["RequestId"].tolist() == ["a"]


def test_a_log_without_handler_lines_is_refused_by_name(tmp_path):
    (tmp_path / "empty.jsonl").write_text("hello\n")
    (tmp_path / "bad.gz").write_bytes(b"no gzip")
    for name, message in {
        "none": "no such file",
        "empty.jsonl": "none of 1 lines is the handler's; expected the handler's JSON lines, a CSV of",
        "bad.gz": "cannot be read",
    }.items():
        with pytest.raises(NoLog, match=f"{name}.*{message}"):
            log_source.read_files(str(tmp_path / name))


@pytest.mark.parametrize(("sources", "count"), [(("", ""), "neither"), (("log.jsonl", "group"), "both")])
def test_exactly_one_source_is_required(sources, count):
    with pytest.raises(NoLog, match=f"^expected log_path .* or log_group .*, got {count}$"):
        log_source.load(*sources, days=1)


def test_lines_of_other_weights_are_left_out_and_a_log_of_others_alone_is_refused():
    table, _ = log.parse_lines([line("a"), line("b", ModelSha256="ba9876543210"), line("c", Model="march-adjusted")])
    assert log.answered_by_weights(table, "0123456789abcdef")["RequestId"].tolist() == ["a", "c"]
    with pytest.raises(NoLog, match="expected lines of the weights fedcba987654, got 3 lines of .*march/0123456789ab"):
        log.answered_by_weights(table, "fedcba9876543210")


def test_wearer_days_count_first_scores_and_in_older_lines_all_scored_readings():
    lines = [line("a", Seconds=3600), line("b", Readings=720, Rejected=20, Unknown=100), line("c", Readings=None)]
    worn = log.wearer_days(log.parse_lines(lines)[0], interval_s=6)
    np.testing.assert_allclose(worn, [1 / 24, 600 * 6 / 86_400, 0])


def test_a_ping_that_keeps_the_function_warm_is_not_a_request():
    sent = [line("ping", Readings=None, Level=None), line("bad", Status=400, Readings=None), line("scored")]
    requests = log.without_pings(log.parse_lines(sent)[0])
    assert requests["RequestId"].tolist() == ["bad", "scored"]
    with pytest.raises(log.NoLog, match="got 1 that only keep the function warm"):
        log.without_pings(log.parse_lines(sent[:1])[0])


def test_the_version_in_use_answered_most_of_the_last_day_whatever_the_last_line_says():
    old = [line(f"a{n}", at=n, Model="a") for n in range(9)]
    day = [line(f"b{n}", at=100_000_000 + n, Model="b") for n in range(3)]
    checked = line("check", at=100_000_009, Model="c")
    assert log.version_in_use(log.parse_lines([*old, *day, checked])[0]) == "b/0123456789ab"


@pytest.fixture(scope="module")
def cloudwatch():
    """A function's log group on loopback, two lines today and one a month ago."""
    server = ThreadedMotoServer(port=0)
    server.start()
    environment = {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    environment |= {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:{1}".format(*server.get_host_and_port()),
        "NO_PROXY": "127.0.0.1",
    }
    environment |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_MAX_ATTEMPTS": "1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        logs = boto3.client("logs")
        logs.create_log_group(logGroupName=GROUP)
        logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
        now = int(time.time() * 1000)
        times = {"old": now - 13 * 86_400_000, "a": now - 2000, "b": now - 1000}
        events = [{"timestamp": at, "message": line(name, at=at)} for name, at in times.items()]
        events.append({"timestamp": now - 500, "message": TIMEOUT})
        logs.put_log_events(logGroupName=GROUP, logStreamName="s", logEvents=events)
        yield logs
    server.stop()


def test_the_last_days_of_a_log_group_are_read_over_http(cloudwatch):
    assert log_source.load("", GROUP, days=1)[0]["RequestId"].tolist() == ["a", "b", ID]
    assert log_source.load("", GROUP, days=30)[0]["RequestId"].tolist() == ["old", "a", "b", ID]


def test_a_missing_log_group_is_refused_in_one_line(cloudwatch):
    message = "^log_group=/none: ResourceNotFoundException; no such group exists in eu-central-1: check its name"
    with pytest.raises(NoLog, match=message):
        log_source.fetch_group("/none", days=1)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "allow the caller logs:FilterLogEvents on it"),
        ("ExpiredTokenException", "the credentials are invalid or have expired: log in with aws sso login"),
        ("UnrecognizedClientException", "the credentials are invalid or have expired: log in with aws sso login"),
    ],
)
def test_an_aws_error_is_reported_with_its_remedy(cloudwatch, code, remedy):
    with Stubber(boto3.client("logs")) as stubber:
        stubber.add_client_error("filter_log_events", code)
        with pytest.raises(NoLog, match=f"^log_group={GROUP}: {code}; {remedy}"):
            log_source.fetch_group(GROUP, days=1, client=stubber.client)


def test_a_missing_region_is_reported_with_what_to_give(monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    with pytest.raises(NoLog, match="region.*AWS_DEFAULT_REGION"):
        log_source.fetch_group(GROUP, days=1)
