"""What a run's detector finds, beside simpler methods: prints the README's table, and copies the figures it shows.

    .venv/bin/python benchmarks/scorecard.py --run default [--all]     # every column, as benchmarks/README.md has it

Of the run's metrics.json alone: it says what was evaluated, and nothing here is reckoned anew.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from lib.run import Run

FIGURES = Path(__file__).with_name("figures")
SHOWN = ("auroc.png", "recall.png", "scores.png")
COLUMNS = {  # of a method's figures: (what the README calls it, decimals, whether it is written in percent)
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
BRIEF = (  # what the README shows of them
    "VUS-PR",
    "auroc_macro",
    "with the gate",
    "calibrated: with the gate",
    "calibrated: false alarms a day",
    "share_of_normal_0.3",
    "share_of_normal_0.7",
    "ms a window",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose metrics.json (default: %(default)s)")
    parser.add_argument("--all", action="store_true", help="every column")
    given = parser.parse_args()
    run = Run.at(given.run)
    metrics = run.models / "metrics.json"
    if not metrics.exists():
        sys.exit(f"{metrics}: not there; ./run_all.sh run={run.name} makes it")
    print(table(json.loads(metrics.read_text(encoding="utf-8")), COLUMNS if given.all else BRIEF))
    FIGURES.mkdir(exist_ok=True)
    for name in SHOWN:
        if (run.models / name).exists():  # without events there is no AUROC to draw
            shutil.copyfile(run.models / name, FIGURES / name)


def table(metrics, columns=COLUMNS):
    """The Markdown of a metrics.json: of what and where it was measured, and a row for each method, the best first."""
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
    """One of a method's figures as COLUMNS has it, with its interval where it has one."""
    _, decimals, percent = COLUMNS[name]
    said = written(figures[name], decimals, percent)
    if figures.get(f"{name}, low") is None:
        return said
    low, high = (written(figures[f"{name}, {end}"], decimals, percent) for end in ("low", "high"))
    return f"{said} ({low}–{high})"


def leads(best):
    """How far the deployed score is ahead of the best rival, a line a measure."""
    for what, found in best["difference"].items():
        gain, low, high = (written(found[name], 3, False) for name in ("difference", "low", "high"))
        yield f"{what}: {gain} above {best['name']} (95 % over wearers: {low} to {high})"


def beside(metrics):
    """What stands beside the table, a line each: recall at half a false alarm a day, and the gate's own mistakes."""
    recall, gated = (written(found, 2, False) for found in metrics["at_half_a_day"].values())
    yield f"recall at half a false alarm a day: {recall}, {gated} with the gate"
    yield f"false alarms of the gate a day: {written(metrics['gate']['false_alarms_per_day'], 2, False)}"


def measured(metrics):
    """What was evaluated and on what kind of machine, in a sentence or two."""
    said = (
        "Test, {table}: {wearers} wearers ({wearers_known} of whom the model learned from or was calibrated on), "
        "{events} labelled events of {kinds} kinds, {wearer_days:.1f} wearer-days worn and without a label, "
        "{windows:,} windows. "
    )
    return said.format(**metrics["evaluated"]) + f"Evaluated on {metrics['machine']}."


def written(value, decimals, percent):
    """A figure as the README writes it; a dash where there is none."""
    if value is None:
        return "–"
    return f"{100 * value:.{decimals}f} %" if percent else f"{value:.{decimals}f}"


if __name__ == "__main__":
    main()
