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
ROWS = {  # figure of a method: (what the README calls it, how it is written)
    "auroc_macro": ("AUROC, mean over kinds", "{:.3f}"),
    "auroc_pooled": ("AUROC, all anomalous windows together", "{:.3f}"),
    "recall_macro_0.3": ("event recall at 0.3 (borderline)", "{:.2f}"),
    "recall_macro_0.7": ("event recall at 0.7 (alert)", "{:.2f}"),
    "false_alarms_per_day_0.3": ("false alarms a wearer-day at 0.3", "{:.1f}"),
    "false_alarms_per_day_0.7": ("false alarms a wearer-day at 0.7", "{:.1f}"),
    "share_of_normal_0.3": ("normal windows that reach 0.3 (promised {promised:.1%})", "{:.1%}"),
    "share_of_normal_0.7": ("normal windows that reach 0.7 (promised {promised:.1%})", "{:.2%}"),
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
        shutil.copyfile(run.models / name, FIGURES / name)


def table(metrics):
    """The Markdown of a metrics.json: what was evaluated, and a column for each method."""
    methods, seen = metrics["methods"], metrics["evaluated"]
    promised = {f"share_of_normal_{row.split()[1]}": item["promised"] for row, item in metrics["calibration"].items()}
    lines = [
        f"{seen['table']}: {seen['wearers']} wearers, {seen['events']} events, {seen['wearer_days']:.1f} normal "
        f"wearer-days, {seen['windows']:,} windows; split by {seen['split_by']}",
        "",
        f"| | {' | '.join(methods)} |",
        "|---|" + "---|" * len(methods),
    ]
    for figure, (name, form) in ROWS.items():
        cells = ["–" if method[figure] is None else form.format(method[figure]) for method in methods.values()]
        lines.append(f"| {name.format(promised=promised.get(figure, 0))} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
