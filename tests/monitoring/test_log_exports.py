"""Logs as AWS tools export them give the same requests as the handler's own lines."""

import csv
import gzip
import io
import json

import pytest

from lib.monitoring import log_source

REQUEST = "8f507cfc-1a2b-4c3d-9e8f-6f5b4a3c2d1e"
TIMEOUT = f"REPORT RequestId: {REQUEST}\tDuration: 30000.00 ms\tStatus: timeout\n"
AT = 1_772_434_800_000


def line(request_id, at):
    fields = {"_aws": {"Timestamp": at}, "Model": "march", "ModelSha256": "0123456789ab", "Status": 200}
    return json.dumps(fields | {"RequestId": request_id, "Readings": 60, "Held": [0.5, 0.25]})


EVENTS = [{"timestamp": AT + n, "message": text} for n, text in enumerate([line("a", AT), line("b", AT + 1), TIMEOUT])]


def insights_csv():
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["@timestamp", "@message"])
    writer.writeheader()
    for event in EVENTS:
        time = f"2026-03-02 07:00:00.{event['timestamp'] - AT:03}"
        writer.writerow({"@timestamp": time, "@message": event["message"]})
    return stream.getvalue()


def insights_json():
    rows = [
        [{"field": "@timestamp", "value": str(event["timestamp"])}, {"field": "@message", "value": event["message"]}]
        for event in EVENTS
    ]
    return json.dumps({"results": rows, "status": "Complete"}, indent=4)


def firehose():
    return "".join(json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [event]}) for event in EVENTS)


@pytest.mark.parametrize(
    "text",
    [
        insights_csv(),
        insights_json(),
        firehose(),
        json.dumps({"events": EVENTS}),
        json.dumps({"events": EVENTS, "searchedLogStreams": []}, indent=4),
        json.dumps(EVENTS, indent=4),
        "".join(event["message"] for event in EVENTS[:2]) + "\n" + TIMEOUT,
        "\ufeff\n" + "\n".join(event["message"] for event in EVENTS),
    ],
    ids=["insights csv", "insights json", "firehose", "events", "indented", "list", "lines without breaks", "bom"],
)
def test_an_export_gives_the_requests_of_its_lines(tmp_path, text):
    (tmp_path / "log.gz").write_bytes(gzip.compress(text.encode()))
    table, skipped = log_source.read_files(str(tmp_path))
    assert sorted(table["RequestId"]) == sorted([REQUEST, "a", "b"])
    assert table["Status"].tolist().count(504) == 1
    assert skipped == 0


def test_a_foreign_file_is_refused_with_the_forms_that_are_read(tmp_path):
    (tmp_path / "log.csv").write_text("time,text\n1,hello\n")
    with pytest.raises(log_source.NoLog, match="none of 2 lines is the handler's; expected .*Insights.*Firehose"):
        log_source.read_files(str(tmp_path / "log.csv"))
