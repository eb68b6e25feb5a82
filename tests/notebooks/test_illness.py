"""The illness notebook, on simulated months and on somebody's own data and events."""

import json

import nbformat
import numpy as np
import pandas as pd
import pytest
from conftest import runs_in

from lib.files import ROOT, write_json
from lib.run import Run
from lib.simulation.months import add_fever, simulate_months
from lib.simulation.wearers import draw_wearer
from lib.workflow import cli
from lib.workflow.notebooks import CONTRACT

NOTEBOOK = ROOT / "notebooks/illness.ipynb"
NUMBERED = [path.stem for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
DAYS, ONSET = 60, 36


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run, as far as the notebook reads one."""
    with runs_in(tmp_path_factory.mktemp("home")):
        run = Run.at("small")
        run.models.mkdir(parents=True)
        run.data.mkdir(parents=True)
        facts = {step: {"parameters": {}} for step in NUMBERED}
        write_json(run.models / "run.json", facts | {"ran": facts})
        yield run


def notice(*words):
    """The exit status of `run_all.sh --only illness` with these arguments, and its illness.json."""
    status = cli.main(["--only", "illness", "run=small", "rises=1", *words])
    path = Run.at("small").models / "illness.json"
    return status, json.loads(path.read_text()) if path.exists() else None


def write_wearers(folder):
    """Write two wearers' readings, a file each, and beside them the day that the first fell ill."""
    folder.mkdir()
    for number in range(2):
        rng = np.random.default_rng(2 + number)
        beats = simulate_months(draw_wearer(rng, f"w{number}"), start="2026-03-02", days=DAYS, interval_s=300, rng=rng)
        beats = add_fever(beats, begin=24 * ONSET, rng=rng) if number == 0 else beats
        columns = {"heartRate": beats.heart_rate, "steps": beats.steps}
        times = np.array(beats.times, dtype="datetime64[s]")
        table = pd.DataFrame({"user_id": beats.user_id, "timestamp": times, **columns})
        table.to_csv(folder / f"w{number}.csv", index=False, date_format="%Y-%m-%dT%H:%M:%SZ")
    (folder / "events.csv").write_text("user_id,date\nw0,2026-04-07\nsomebody,2026-04-09\n")


def contract(path):
    (cell,) = [cell for cell in nbformat.read(path, as_version=4).cells if CONTRACT in cell.source]
    return cell.outputs[0].data["text/plain"]


def test_without_data_it_simulates_people_who_fall_ill_and_its_contract_is_the_committed_one(run):
    status, result = notice("months_wearers=3", "months_days=63")
    assert status == 0
    assert contract(run.models / "illness.ipynb") == contract(NOTEBOOK)
    assert result["levels"]["0.7"]["ill"] == 3
    assert result["levels"]["0.3"]["found"] >= 2
    assert "trend.png" in (run.models / "report.html").read_text()


def test_it_judges_the_trend_on_own_data_with_events_beside_them(run, tmp_path):
    write_wearers(tmp_path / "own")
    status, result = notice(f"data_path={tmp_path}/own", f"events_path={tmp_path}/own/events.csv", "counters=interval")
    assert status == 0
    judged = result["levels"]["0.7"]
    assert (judged["ill"], judged["found"]) == (1, 1)
    assert 0 < judged["days"][0] < 2  # the fever begins with the day of the onset
    outputs = [out for cell in nbformat.read(run.models / "illness.ipynb", 4).cells for out in cell.get("outputs", [])]
    assert any("2 wearers, 1 of 2 illnesses are theirs" in output.get("text", "") for output in outputs)
    assert "Warning" not in "".join(output.text for output in outputs if output.get("name") == "stderr")
    assert "data_path" not in run.journal.get("given", {})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["events_path={events}"], "events_path without data_path"),
        (["wearer=nobody", "months_wearers=1", "months_days=45"], "wearer=nobody: expected one of simulated 1"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_reason(run, tmp_path, capsys, words, message):
    (tmp_path / "events.csv").write_text("user_id,date\na,2026-04-07\n")
    assert notice(*(word.format(events=tmp_path / "events.csv") for word in words))[0] == 1
    assert message in capsys.readouterr().err
