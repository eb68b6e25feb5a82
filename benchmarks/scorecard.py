"""Print what a run's detector and simpler methods find as the README's table, and copy the figures it shows.

    .venv/bin/python benchmarks/scorecard.py --run default [--all]     # every column, as benchmarks/README.md has it

Everything comes from the run's metrics.json; nothing is computed again.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from lib.run import Run

FIGURES = Path(__file__).with_name("figures")
SHOWN = ("auroc.png", "recall.png", "scores.png")
COLUMNS = {  # by a method's figure: (heading in the README, decimals, whether in percent)
    "VUS-PR": ("VUS-PR", 3, False),
    "auroc_macro": ("AUROC", 3, False),
    "recall at 1 a day": ("recall at 1 false alarm a day", 2, False),
    "with the gate": ("recall at 1 a day, with the gate", 2, False),
    "calibrated: recall": ("recall by the calibrated threshold", 2, False),
    "calibrated: with the gate": ("calibrated recall, with the gate", 2, False),
    "calibrated: false alarms a day": ("its false alarms a day", 1, False),
    "recall_macro_0.7": ("recall at 0.7", 2, False),
    "false_alarms_per_day_0.7": ("false alarms a day at 0.7", 1, False),
    "share_of_normal_0.3": ("normal at 0.3", 1, True),
    "share_of_normal_0.7": ("normal at 0.7", 2, True),
    "ms a window": ("ms a window", 3, False),
}
BRIEF = (  # the columns of the README
    "VUS-PR",
    "auroc_macro",
    "with the gate",
    "share_of_normal_0.3",
    "share_of_normal_0.7",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="the run whose metrics.json to read (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every column")
    options = parser.parse_args()
    run = Run.at(options.run)
    metrics = run.models / "metrics.json"
    if not metrics.exists():
        sys.exit(f"{metrics} does not exist; ./run_all.sh run={run.name} makes it")
    print(table(json.loads(metrics.read_text(encoding="utf-8")), COLUMNS if options.all else BRIEF))
    FIGURES.mkdir(exist_ok=True)
    for name in SHOWN:
        if (run.models / name).exists():  # without events there is no AUROC to draw
            shutil.copyfile(run.models / name, FIGURES / name)


def table(metrics, columns=COLUMNS):
    """The Markdown of a metrics.json: what was measured and where, and one row a method, the best first."""
    promised = {row.split()[1]: item["promised"] for row, item in metrics["calibration"].items()}
    names = [
        f"{COLUMNS[figure][0]} (promised {100 * promised[figure.split('_')[-1]]:.3g} %)"
        if COLUMNS[figure][2]
        else COLUMNS[figure][0]
        for figure in columns
    ]
    lines = [measured(metrics), "", f"| method | {' | '.join(names)} |", "|---|" + "---|" * len(names)]
    for method, ranked in metrics["ranking"].items():
        figures = ranked | metrics["methods"][method]
        lines.append(f"| {method} | {' | '.join(cell(figures, figure) for figure in columns)} |")
    return "\n".join([*lines, "", *leads(metrics["best_rival"]), *beside(metrics)])


def cell(figures, name):
    """One of a method's figures in the format of COLUMNS, with its interval if it has one."""
    _, decimals, percent = COLUMNS[name]
    text = written(figures[name], decimals, percent)
    if figures.get(f"{name}, low") is None:
        return text
    low, high = (written(figures[f"{name}, {end}"], decimals, percent) for end in ("low", "high"))
    return f"{text} ({low}–{high})"


def leads(best):
    """The lead of the deployed score over the best rival, one line a measure."""
    for measure, lead in best["difference"].items():
        gain, low, high = (written(lead[name], 3, False) for name in ("difference", "low", "high"))
        yield f"{measure}: {gain} above {best['name']} (95 % over wearers: {low} to {high})"


def beside(metrics):
    """Lines below the table: recall at half a false alarm a day, and the false alarms of the quality check."""
    recall, gated = (written(recall, 2, False) for recall in metrics["at_half_a_day"].values())
    yield f"recall at half a false alarm a day: {recall}, {gated} with the gate"
    yield f"false alarms of the gate a day: {written(metrics['gate']['false_alarms_per_day'], 2, False)}"


def measured(metrics):
    """Sentences on what was evaluated and on what kind of machine."""
    text = (
        "Test, {table}: {wearers} wearers (the model learned from or was calibrated on {wearers_known} of them), "
        "{events} labelled events of {kinds} kinds, {wearer_days:.1f} worn and unlabelled wearer-days, "
        "{windows:,} windows. "
    )
    return text.format(**metrics["evaluated"]) + f"Evaluated on {metrics['machine']}."


def written(value, decimals, percent):
    """A figure as the README writes it; a dash for None."""
    if value is None:
        return "–"
    return f"{100 * value:.{decimals}f} %" if percent else f"{value:.{decimals}f}"


if __name__ == "__main__":
    main()
