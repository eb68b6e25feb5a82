"""benchmarks/scorecard.py on figures made up by hand."""

import importlib.util
import json

import pytest

from lib.files import ROOT

EVALUATED = {"table": "t.csv", "wearers": 3, "wearers_known": 0, "events": 9, "kinds": 2, "wearer_days": 1.25}
METHOD = {"auroc_macro": 0.7561, "recall_macro_0.7": 0.25, "false_alarms_per_day_0.7": 0.38}
METHOD |= {"share_of_normal_0.3": 0.0362, "share_of_normal_0.7": 0.00049}
RANKED = {"VUS-PR": 0.4321, "recall at 1 a day": 0.5, "with the gate": 0.625, "ms a window": 0.0123}
RANKED |= {"VUS-PR, low": 0.4, "VUS-PR, high": 0.45}
RANKED |= {"calibrated: recall": 0.4, "calibrated: with the gate": 0.55, "calibrated: false alarms a day": 1.32}
METRICS = {
    "evaluated": EVALUATED | {"windows": 12_345},
    "machine": "Linux x86_64, 2 CPU cores",
    "methods": {"LSTM autoencoder": METHOD, "PCA": METHOD},
    "ranking": {"PCA": RANKED, "LSTM autoencoder": dict.fromkeys(RANKED)},
    "best_rival": {"name": "PCA", "difference": {"VUS-PR": {"difference": 0.08361, "low": 0.0617, "high": None}}},
    "at_half_a_day": {"recall": 0.75, "with the gate": 0.875},
    "gate": {"false_alarms_per_day": 0.057},
    "calibration": {"reach 0.3": {"promised": 0.05}, "reach 0.7": {"promised": 0.001}},
}


@pytest.fixture
def scorecard():
    spec = importlib.util.spec_from_file_location("scorecard", ROOT / "benchmarks/scorecard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_has_a_row_a_method_the_best_first_and_says_by_how_much_the_deployed_score_leads(scorecard):
    first, _, names, _, *rows = scorecard.table(METRICS).splitlines()
    assert "Test, t.csv: 3 wearers (the model learned from or was calibrated on 0 of them), 9 labelled" in first
    assert first.endswith("12,345 windows. Evaluated on Linux x86_64, 2 CPU cores.")
    assert names.endswith("| normal at 0.3 (promised 5 %) | normal at 0.7 (promised 0.1 %) | ms a window |")
    assert rows == [
        "| PCA | 0.432 (0.400–0.450) | 0.756 | 0.50 | 0.62 | 0.40 | 0.55 | 1.3 | 0.25 | 0.4 | 3.6 % | 0.05 % | 0.012 |",
        "| LSTM autoencoder | – | 0.756 | – | – | – | – | – | 0.25 | 0.4 | 3.6 % | 0.05 % | – |",
        "",
        "VUS-PR: 0.084 above PCA (95 % over wearers: 0.062 to –)",
        "recall at half a false alarm a day: 0.75, 0.88 with the gate",
        "false alarms of the gate a day: 0.06",
    ]


def test_a_table_may_have_some_of_the_columns(scorecard):
    columns = ("calibrated: with the gate", "share_of_normal_0.7")
    _, _, names, _, first, *_ = scorecard.table(METRICS, columns).splitlines()
    assert names == "| method | calibrated recall, with the gate | normal at 0.7 (promised 0.1 %) |"
    assert first == "| PCA | 0.55 | 0.05 % |"


@pytest.mark.parametrize(("page", "columns"), [("README.md", "BRIEF"), ("benchmarks/README.md", "COLUMNS")])
def test_the_readmes_tables_have_the_headings_that_are_printed(scorecard, page, columns):
    _, _, names, *_ = scorecard.table(METRICS, getattr(scorecard, columns)).splitlines()
    assert names in (ROOT / page).read_text(encoding="utf-8").splitlines()


def test_the_figures_that_a_run_has_are_copied(scorecard, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    monkeypatch.setattr(scorecard, "FIGURES", tmp_path / "figures")
    monkeypatch.setattr("sys.argv", ["scorecard.py", "--run", "march"])
    folder = tmp_path / "models/march"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(METRICS), encoding="utf-8")
    (folder / "scores.png").write_bytes(b"drawn")
    scorecard.main()
    assert capsys.readouterr().out.startswith("Test, t.csv")
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["scores.png"]


def test_a_run_that_was_not_evaluated_is_refused_by_what_makes_it(scorecard, tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["scorecard.py", "--run", "march"])
    with pytest.raises(SystemExit, match="run_all.sh run=march makes it"):
        scorecard.main()
