"""Does the headline hold for other seeds of the training? Prints a table.

    .venv/bin/python benchmarks/seeds.py [--run default] [--seeds 2,3,4] [--home FOLDER]

The script copies a finished run's data and runs `./run_all.sh --from 03_train seed=N` on the copy. Wearers, days and
anomalies stay the same. The training windows, the training itself, the windows to compare with and the roles of the
calibration wearers change, and the rivals learn from the new windows too. The first row is the run itself. Each other
row takes as long as 03, 04 and 05: about eight minutes.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from lib.evaluation.summary import DEPLOYED, LSTM, LSTM_BY_CHANNEL
from lib.files import ROOT, write_json
from lib.run import Run

RECALL = "recall at 1 a day"
REDONE = ("03_train", "04_evaluate", "05_export")
SHOWN = {  # of `figures`: decimals
    "deployed score, VUS-PR": 3,
    "best rival's": 3,
    "times the best rival's": 2,
    "above it": 3,
    "above it, low end of 95 %": 3,
    "AUROC": 3,
    "recall at 1 false alarm a day": 2,
    "best rival's recall": 2,
    "LSTM's plain error, VUS-PR": 3,
    "LSTM's errors by channel": 3,
}


def again(run, seed, home):
    """Train and evaluate on a copy of a finished run's data with another seed. Returns the models folder in `home`."""
    name = f"{run.name}-seed-{seed}"
    data, models = home / "data" / name, home / "models" / name
    for folder in (data, models):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(run.data, data)
    journal = {step: facts for step, facts in run.journal.items() if step not in REDONE}
    ran = {step: facts for step, facts in journal["ran"].items() if step not in REDONE}
    models.mkdir(parents=True)
    write_json(models / "run.json", journal | {"ran": ran})
    command = [str(ROOT / "run_all.sh"), f"run={name}", "--from", "03_train", f"seed={seed}"]
    done = subprocess.run(command, env={**os.environ, "RUNS_HOME": str(home)}, stdout=sys.stderr)
    if done.returncode:
        sys.exit(f"seed {seed}: run_all.sh ended with status {done.returncode}")
    return models


def figures(metrics):
    """{name of SHOWN: number} of a metrics.json, and the best rival's name."""
    ranking, best = metrics["ranking"], metrics["best_rival"]
    ours, theirs = ranking[DEPLOYED], ranking[best["name"]]
    values = (
        ours["VUS-PR"],
        theirs["VUS-PR"],
        ours["VUS-PR"] / theirs["VUS-PR"],
        best["difference"]["VUS-PR"]["difference"],
        best["difference"]["VUS-PR"]["low"],
        metrics["methods"][DEPLOYED]["auroc_macro"],
        ours[RECALL],
        theirs[RECALL],
        ranking[LSTM]["VUS-PR"],
        ranking[LSTM_BY_CHANNEL]["VUS-PR"],
    )
    return dict(zip(SHOWN, values, strict=True)), best["name"]


def row(name, rival, values):
    """A line of the table."""
    return f"| {name} | {rival} | {' | '.join(f'{values[what]:.{SHOWN[what]}f}' for what in SHOWN)} |"


def main(options, home):
    """Make the runs in the folder `home`, and print the table."""
    run, rows = Run.at(options.run), []
    print(f"| seed | best rival | {' | '.join(SHOWN)} |\n|---|---|{'---|' * len(SHOWN)}")
    run_seed = run.recorded("ran")["03_train"]["parameters"]["seed"]
    for seed in (run_seed, *options.seeds):
        models = run.models if seed == run_seed else again(run, seed, home)
        values, rival = figures(json.loads((models / "metrics.json").read_text(encoding="utf-8")))
        rows.append(values)
        print(row(seed, rival, values), flush=True)
    table = pd.DataFrame(rows)
    for name, values in {"mean": table.mean(), "lowest": table.min(), "highest": table.max()}.items():
        print(row(name, "", values))


def arguments():
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--run", default="default", help="the run with the data (default: %(default)s)")
    parser.add_argument("--seeds", default="2,3,4", help="seeds of the other trainings (default: %(default)s)")
    parser.add_argument("--home", type=Path, help="folder for the other runs (default: a temporary one)")
    options = parser.parse_args()
    options.seeds = [int(seed) for seed in options.seeds.split(",")]
    return options


if __name__ == "__main__":
    chosen = arguments()
    if chosen.home:
        main(chosen, chosen.home.resolve())
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(chosen, Path(temporary))
