import itertools
import json
import os
import subprocess
import sys
import zipfile

import pytest
import request_log

from lib.detector import checksums
from lib.export import bundle
from lib.monitoring import log as monitoring_log

EVENTS = [{"metrics": [bundle.EXAMPLE_READING] * 3}, {"body": "{}", "httpMethod": "POST"}, None, {"warmup": True}]
CALLER = """
import json, sys
from lambda_function import lambda_handler
for event in json.loads(sys.argv[1]):
    print(json.dumps({"Answer": lambda_handler(event, None)}))
"""


@pytest.fixture(scope="module")
def folder(export, tmp_path_factory):
    """The zip, unpacked as Lambda does, and writable. Its packages are for this Python."""
    unpacked = tmp_path_factory.mktemp("bundle")
    with zipfile.ZipFile(export / bundle.ZIP) as archive:
        archive.extractall(unpacked)
    return unpacked


def called(folder, events=EVENTS):
    """The exit status of a new process of the bundle, and its JSON lines: the log's, and {"Answer": …} per event."""
    process = subprocess.run(
        [sys.executable, "-S", "-E", "-c", f"import sys; sys.path.insert(0, {str(folder)!r})\n{CALLER}"]
        + [json.dumps(events)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "OPENBLAS_NUM_THREADS": "1"},
    )
    return process.returncode, [json.loads(line) for line in process.stdout.splitlines()]


def test_a_sound_bundle_scores(folder):
    code, lines = called(folder)
    assert code == 0
    answer = next(line["Answer"] for line in lines if "Answer" in line)
    assert answer["statusCode"] == 200
    assert [item["index"] for item in answer["body"]["results"]] == [0, 1, 2]


def test_with_one_byte_changed_in_any_file_there_is_no_score(folder):
    """Every file in turn. A process that dies of the damage gives no score either, and is started again."""
    listed = [name for kind in (checksums.SUMS, checksums.CRCS) for name in checksums.listed(folder, kind)]
    names = [*listed, checksums.SUMS]
    assert len(names) > 200
    refused = 0
    for name, place in zip(names, itertools.cycle((0, 0.5, 0.999)), strict=False):
        sound = (folder / name).read_bytes()
        if not sound:
            continue  # an empty file has no byte
        flipped = bytearray(sound)
        flipped[int(place * len(sound))] ^= 1
        (folder / name).write_bytes(flipped)
        code, lines = called(folder)
        (folder / name).write_bytes(sound)
        answers = [line["Answer"] for line in lines if "Answer" in line]
        assert code or [answer["statusCode"] for answer in answers] == [503] * len(EVENTS), name
        assert not any("results" in str(answer) for answer in answers), name
        refused += not code
    assert refused > 0.95 * len(names)


@pytest.mark.parametrize("lost", ["lstm_model.onnx", "numpy/__init__.py", checksums.SUMS, checksums.CRCS])
def test_a_file_that_is_missing_is_503_for_all_and_named_in_the_log(folder, lost):
    sound = (folder / lost).read_bytes()
    (folder / lost).unlink()
    code, lines = called(folder)
    (folder / lost).write_bytes(sound)
    answers = [line["Answer"] for line in lines if "Answer" in line]
    assert code == 0
    assert [answer["statusCode"] for answer in answers] == [503] * 4
    problem = json.loads(answers[1]["body"])
    assert answers[1]["headers"] == {"Content-Type": "application/problem+json"}
    assert (problem["status"], problem["code"]) == (503, "no_model")
    assert answers[0]["body"] == problem
    fault_lines = [line for line in lines if "Fault" in line]
    assert [line["Fault"].partition(":")[0] for line in fault_lines] == [lost] * 4
    assert [line["ColdStart"] for line in fault_lines] == [1, 0, 0, 0]
    call = request_log.Call(None, 0.0, cold=True)
    for line in fault_lines:
        usual = json.loads(request_log.line(call, status=503, body=problem, facts={"fault": "x"}, model=None))
        assert line.keys() == usual.keys()
        assert line["_aws"]["CloudWatchMetrics"] == usual["_aws"]["CloudWatchMetrics"]
    table, skipped = monitoring_log.parse_lines(json.dumps(line) for line in fault_lines)
    assert table[["Version", "Status"]].values.tolist() == [[monitoring_log.UNANSWERED, 503]] * 4
    assert not skipped
