"""What a run's detector finds, beside simpler methods: prints the README's table, and copies the figures it shows.

    .venv/bin/python benchmarks/scorecard.py --run default

Of the run's metrics.json alone: it says what was evaluated, and nothing here is reckoned anew.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

from lib.runs import Run

FIGURES = Path(__file__).with_name("figures")
SHOWN = ("auroc.png", "scores.png")
ROWS = {  # figure of a method: (what the README calls it, decimals, whether it is a share written in percent)
    "auroc_macro": ("AUROC, mean over kinds", 3, False),
    "auroc_pooled": ("AUROC, all anomalous windows together", 3, False),
    "recall_macro_0.3": ("event recall at 0.3 (borderline)", 2, False),
    "recall_macro_0.7": ("event recall at 0.7 (alert)", 2, False),
    "false_alarms_per_day_0.3": ("false alarms a wearer-day at 0.3", 1, False),
    "false_alarms_per_day_0.7": ("false alarms a wearer-day at 0.7", 1, False),
    "share_of_normal_0.3": ("normal windows that reach 0.3", 1, True),
    "share_of_normal_0.7": ("normal windows that reach 0.7", 2, True),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", default="default", help="whose metrics.json (default: %(default)s)")
    run = Run.at(parser.parse_args().run)
    metrics = run.models / "metrics.json"
    if not metrics.exists():
        sys.exit(f"{metrics}: not there; ./run_all.sh run={run.name} makes it")
    print(table(json.loads(metrics.read_text(encoding="utf-8"))))
    FIGURES.mkdir(exist_ok=True)
    for name in SHOWN:
        if (run.models / name).exists():  # without events there is no AUROC to draw
            shutil.copyfile(run.models / name, FIGURES / name)


def table(metrics):
    """The Markdown of a metrics.json: of what and where it was measured, and a column for each method."""
    methods = metrics["methods"]
    promised = {row.split()[1]: item["promised"] for row, item in metrics["calibration"].items()}
    lines = [measured(metrics), "", f"| | {' | '.join(methods)} |", "|---|" + "---|" * len(methods)]
    for figure, (name, decimals, percent) in ROWS.items():
        if percent:
            name += f" (promised {100 * promised[figure.split('_')[-1]]:.3g} %)"
        cells = [written(method[figure], decimals, percent) for method in methods.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def measured(metrics):
    """What was evaluated and on what kind of machine, in a sentence or two."""
    said = (
        "Test, {table}: {wearers} wearers ({wearers_learned_from} of whom the model learned from), {events} labelled "
        "events of {kinds} kinds, {wearer_days:.1f} wearer-days worn and without a label, {windows:,} windows. "
    )
    return said.format(**metrics["evaluated"]) + f"Evaluated on {metrics['machine']}."


def written(value, decimals, percent):
    """A figure as the README writes it; a dash where there is none."""
    if value is None:
        return "–"
    return f"{100 * value:.{decimals}f} %" if percent else f"{value:.{decimals}f}"


if __name__ == "__main__":
    main()
