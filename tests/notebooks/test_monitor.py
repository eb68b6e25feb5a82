"""The monitor notebook on the log of simulated wearers: its verdict, its files, and what it refuses."""

import json
import shutil
from pathlib import Path

import browser
import nbformat
import numpy as np
import pytest
import small_model
import streamed_log
from browser import ERRORS, FIGURES, LINKS, OVERFLOWING, WIDTHS, WINDOWS
from conftest import runs_in

from lib.detector import checksums
from lib.detector.detector import Detector
from lib.export import bundle
from lib.files import ROOT, write_json
from lib.run import Run
from lib.workflow import cli
from lib.workflow.notebooks import CONTRACT

NOTEBOOK = ROOT / "notebooks/monitor.ipynb"
NUMBERED = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
WEARERS, DAYS, DAY_MS = 5, 32, 86_400_000
NOTE = "<img src=x onerror=alert(1)>"  # feedback is untrusted text
LIMITS = {"threshold": [2.0, 2.0], "alert": [12.0, 12.0]}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, as far as the monitor reads one. Its model is the hand-made one."""
    with runs_in(tmp_path_factory.mktemp("home")):
        run = Run.at("small")
        export = run.models / "lambda_export"
        export.mkdir(parents=True)
        run.data.mkdir(parents=True)
        streamed_log.model(export, limits=LIMITS)
        for path in export.iterdir():
            (run.models / path.name).write_bytes(path.read_bytes())
        (export / checksums.SUMS).write_text("")
        files = {name: export / name for name in ("model.json", "threshold.npy", checksums.SUMS)}
        bundle.write_zip(export / bundle.ZIP, files)
        np.save(run.models / "calibration_errors.npy", np.random.default_rng(1).gamma(2, 2, 2000))
        facts = {step: {"parameters": {}} for step in NUMBERED}
        write_json(run.models / "run.json", facts | {"ran": facts})
        yield run


@pytest.fixture(scope="module")
def days(run):
    """Of each wearer the lines of two days, and of one more on which the sensor reads 6 bpm too high."""
    detector = small_model.load(run.models / "lambda_export")
    lines = []
    for number in range(WEARERS):
        first, second = streamed_log.life(number, days=2)[:2]
        lives = (first, second, streamed_log.offset(second, 6))
        lines.append([streamed_log.wearer_day(detector, life, request_id="r", day_ms=0) for life in lives])
    return lines


def log(path, days, *, drifts=False):
    """Write a log of DAYS days; with `drifts` the sensor is off on the last two. Returns ids of alerting requests."""
    rng, alerted, lines = np.random.default_rng(2), [], []
    for day in range(DAYS):
        for wearer in range(WEARERS):
            which = 2 if drifts and day >= DAYS - 2 else rng.integers(2)
            for line in map(json.loads, days[wearer][which]):
                line["RequestId"] = f"{day}-{wearer}-{line['RequestId']}"
                line["_aws"]["Timestamp"] += 1_772_409_600_000 + day * DAY_MS
                alerted += [line["RequestId"]] if line["Alerts"] else []
                lines.append(json.dumps(line))
    path.write_text("\n".join(lines))
    return alerted


def monitored(*words, now="2026-04-03T06:00"):
    """The exit status of `run_all.sh --only monitor` with these arguments at that time, and its monitor.json."""
    status = cli.main(["--only", "monitor", "run=small", f"now={now}", *words])
    path = Run.at("small").models / "monitor.json"
    return status, json.loads(path.read_text()) if path.exists() else None


def contract(path):
    (cell,) = [cell for cell in nbformat.read(path, as_version=4).cells if CONTRACT in cell.source]
    return cell.outputs[0].data["text/plain"]


def cell_outputs(run):
    cells = nbformat.read(run.models / "monitor.ipynb", 4).cells
    return [output for cell in cells for output in cell.get("outputs", [])]


def test_a_normal_month_is_healthy_and_its_contract_is_the_committed_one(run, days, tmp_path, capsys):
    log(tmp_path / "log.jsonl", days)
    status, result = monitored(f"log_path={tmp_path}/log.jsonl")
    assert (status, result["verdict"], result["proposal"]) == (0, "healthy", None)
    *_, verdict, reason, page = capsys.readouterr().out.splitlines()
    assert (verdict, reason) == ("verdict: healthy", f"  {result['why'][0]}")
    assert page.startswith("  page: ")
    assert page.endswith("models/small/monitor.html")
    first = (run.models / "monitor.html").read_text().partition("<main>")[2][:400]
    assert "Verdict: <b>healthy</b>" in first
    assert result["why"][0] in first
    assert result["version"].startswith("by hand/")  # not a run's name, so the run's own export counts
    assert contract(run.models / "monitor.ipynb") == contract(NOTEBOOK)
    assert len(json.loads((run.models / "normal_days.json").read_text())["days"]) == 28
    outputs = cell_outputs(run)
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3
    assert "Warning" not in "".join(output.text for output in outputs if output.get("name") == "stderr")


def test_requests_that_lambda_ends_and_silence_after_them_ask_for_a_repair(run, days, tmp_path):
    log(tmp_path / "log.jsonl", days)
    ended = [f"\nREPORT RequestId: {number}\tDuration: 30000.00 ms\tStatus: timeout" for number in range(60)]
    with open(tmp_path / "log.jsonl", "a") as file:
        file.write("".join(ended))
    status, result = monitored(f"log_path={tmp_path}/log.jsonl", now="2026-04-05T06:00")
    assert (status, result["verdict"]) == (0, "repair")
    assert result["why"][0].startswith("no request since 2026-04-02")
    assert "of the last day's requests failed (5xx)" in result["why"][1]


def test_without_a_score_the_replay_is_skipped_with_a_message(run, days, tmp_path):
    log(tmp_path / "log.jsonl", days)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    unscored = [{k: v for k, v in line.items() if k != "Held"} | {"Unknown": line["Readings"]} for line in lines]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, unscored)))
    status, result = monitored(f"log_path={tmp_path}/log.jsonl")
    assert (status, result["verdict"], result["proposal"]) == (0, "repair", None)
    outputs = cell_outputs(run)
    assert any("there is nothing to replay" in output.get("text", "") for output in outputs)


def test_a_log_of_one_day_is_compared_with_calibration_alone(run, days, tmp_path):
    log(tmp_path / "log.jsonl", days)
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    begin = json.loads(lines[0])["_aws"]["Timestamp"] // DAY_MS * DAY_MS
    today = [line for line in lines if json.loads(line)["_aws"]["Timestamp"] < begin + DAY_MS]
    (tmp_path / "day.jsonl").write_text("\n".join(today))
    status, result = monitored(f"log_path={tmp_path}/day.jsonl", now="2026-03-03T00:00")
    assert (status, result["from"], result["to"]) == (0, "2026-03-02", "2026-03-02")
    assert result["verdict"] in ("healthy", "too little data")
    assert "drift cannot be judged yet: too few normal days" in result["also"]


def test_a_sensor_that_drifts_on_the_last_days_asks_for_retraining(run, days, tmp_path):
    log(tmp_path / "log.jsonl", days, drifts=True)
    status, result = monitored(f"log_path={tmp_path}/log.jsonl")
    assert (status, result["verdict"]) == (0, "retrain")
    (why,) = (why for why in result["why"] if why.startswith("the inputs have changed since 2026-04-01: "))
    assert "HeartRate: shift +0." in why


@pytest.fixture(scope="module")
def adjusted(run, days, tmp_path_factory):
    """The exit status and the result after false alarms whose adjustment is accepted, and a copy of the page."""
    folder = tmp_path_factory.mktemp("adjusted")
    reported = log(folder / "log.jsonl", days)[::2]
    rows = [f"{name},{number % 10 == 0},{NOTE}" for number, name in enumerate(reported)]
    (folder / "feedback.csv").write_text("\n".join(["request_id,correct,note", *rows]))
    status, result = monitored(f"log_path={folder}/log.jsonl", f"feedback_path={folder}/feedback.csv", "accept=true")
    return status, result, shutil.copy(run.models / "monitor.html", folder)


def test_false_alarms_ask_for_an_adjustment_that_makes_a_run_of_its_own(run, adjusted, capsys):
    status, result, page = adjusted
    assert (status, result["verdict"]) == (0, "adjust")
    assert NOTE not in Path(page).read_text()
    assert NOTE.replace("<", "&lt;").replace(">", "&gt;") in Path(page).read_text()
    detectors = [Detector.load(Run.at(name).models / "lambda_export") for name in ("small-adjusted", "small")]
    assert [detector.calibration["alert"] for detector in detectors] == [
        result["proposal"]["factor"] * LIMITS["alert"][1],
        LIMITS["alert"][1],
    ]
    assert cli.main(["--only", "monitor", "run=small-adjusted", "log_path=lib"]) == 2
    assert "run 'small-adjusted' is an adjusted export of 'by hand'" in capsys.readouterr().err


def test_brief_false_alarms_are_removed_by_asking_for_windows_in_a_row(run, days, tmp_path):
    log(tmp_path / "log.jsonl", days)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    alerting = [line for line in lines if line["Alerts"]]
    for line in alerting[::2]:
        line["Held"] = [30.0, 0.1, 0.1, 0.1, 0.1]  # no threshold removes these without the others
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    rows = [f"{line['RequestId']},{number % 2 == 1}" for number, line in enumerate(alerting)]
    (tmp_path / "feedback.csv").write_text("\n".join(["request_id,correct", *rows]))
    arguments = [f"log_path={tmp_path}/log.jsonl", f"feedback_path={tmp_path}/feedback.csv", "accept=true"]
    status, result = monitored(*arguments, "most_in_a_row=3", "adjusted_run=lasting")
    assert (status, result["proposal"]["persistence"], result["proposal"]["false_alarms"]) == (0, 3, 0)
    assert Detector.load(Run.at("lasting").models / "lambda_export").persistence.k == 3


@pytest.mark.skipif(not browser.path(), reason="chromium is not installed")
def test_its_page_shows_its_figures_without_an_error_and_fits_a_laptop_and_a_phone(adjusted, tmp_path):
    path = Path(adjusted[-1])
    with browser.opened(tmp_path / "profile") as tab:
        for window in WINDOWS.values():
            tab.visit(path.as_uri(), **window)
            figures = tab.evaluate(FIGURES)
            assert (len(figures), min(figures) > 100) == (4, True)
            assert (tab.evaluate(ERRORS), tab.evaluate(OVERFLOWING), tab.errors) == (0, [], [])
            page, width = tab.evaluate(WIDTHS)
            assert page <= width
        assert path.with_name("report.html").as_uri() in tab.evaluate(LINKS)


def test_a_missing_log_is_reported_with_the_command_to_continue(run, capsys):
    assert monitored()[0] == 1
    message = capsys.readouterr().err
    assert "expected log_path (files) or log_group (a log group of CloudWatch), got neither" in message
    assert "to continue: ./run_all.sh run=small --only monitor" in message


@pytest.mark.parametrize(
    "word",
    [
        "log_path=none.jsonl",
        "log_days=0",
        "now=noon",
        "reference_days=6",
        "most_false=1.5",
        "cut_false_alarms=0",
        "most_in_a_row=25",
    ],
)
def test_an_impossible_value_is_refused_at_once(run, capsys, word):
    assert cli.main(["--only", "monitor", "run=small", word]) == 2
    assert capsys.readouterr().err.startswith(f"run_all.sh: {word}")
