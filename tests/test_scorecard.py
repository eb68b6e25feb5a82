"""benchmarks/scorecard.py on figures made up by hand."""

import importlib.util
import json

import pytest

from lib.runs import ROOT

EVALUATED = {"table": "t.csv", "wearers": 3, "wearers_learned_from": 0, "events": 9, "kinds": 2, "wearer_days": 1.25}
METHOD = {"auroc_macro": 0.7561, "auroc_pooled": None, "recall_macro_0.3": 0.5, "recall_macro_0.7": 0.25}
METHOD |= {"false_alarms_per_day_0.3": 10.31, "false_alarms_per_day_0.7": 0.38}
METHOD |= {"share_of_normal_0.3": 0.0362, "share_of_normal_0.7": 0.00049}
METRICS = {
    "evaluated": EVALUATED | {"windows": 12_345},
    "machine": "Linux x86_64, 2 CPU cores",
    "methods": {"LSTM autoencoder": METHOD, "PCA": METHOD},
    "calibration": {"reach 0.3": {"promised": 0.05}, "reach 0.7": {"promised": 0.001}},
}


@pytest.fixture
def scorecard():
    spec = importlib.util.spec_from_file_location("scorecard", ROOT / "benchmarks/scorecard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_has_a_row_a_figure_and_a_column_a_method(scorecard):
    first, _, *rows = scorecard.table(METRICS).splitlines()
    assert "Test, t.csv: 3 wearers (0 of whom the model learned from), 9 labelled events of 2 kinds, 1.2" in first
    assert first.endswith("12,345 windows. Evaluated on Linux x86_64, 2 CPU cores.")
    assert rows[:3] == [
        "| | LSTM autoencoder | PCA |",
        "|---|---|---|",
        "| AUROC, mean over kinds | 0.756 | 0.756 |",
    ]
    assert "| AUROC, all anomalous windows together | – | – |" in rows
    assert "| normal windows that reach 0.3 (promised 5 %) | 3.6 % | 3.6 % |" in rows
    assert "| normal windows that reach 0.7 (promised 0.1 %) | 0.05 % | 0.05 % |" in rows
    assert len(rows) == 10


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
