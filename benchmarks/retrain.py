"""What happens to good and bad retrained models? Prints a table.

    .venv/bin/python benchmarks/retrain.py [--home FOLDER]

A month of simulated wearers makes a base. Runs with `base=` then use the next month, and faulty versions of it. Each is
a small training through run_all.sh and takes minutes.
"""

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from lib.data import readings
from lib.files import ROOT
from lib.simulation import watch

SMALL = ("epochs=3", "train_windows=2000", "score_stride=24", "short_windows=300", "lambda_python=local")
WEARERS = 100


def month(seed):
    """A raw table with a day of each wearer."""
    return readings.parse(watch.record_days(wearers=WEARERS, days=1, interval_s=5, seed=seed, first_id=0))


def noisy_heart(table, rng):
    """Shuffle each wearer's heart rates."""
    return table.assign(heartRate=table.groupby("user_id")["heartRate"].transform(lambda rates: rng.permutation(rates)))


def noisy_labels(table, rng, *, share):
    """Label a random fifth of the half hours of a share of the wearers as ill."""
    half_hour = table["timestamp"].dt.floor("30min")
    spans = table.groupby(["user_id", half_hour]).ngroup().to_numpy()
    ill = (rng.random(spans.max() + 1) < 0.2)[spans]
    names = table["user_id"].unique()
    chosen = table["user_id"].isin(rng.permutation(names)[: int(share * len(names))]).to_numpy()
    return table.assign(label=np.where(ill & chosen, "ill", ""))


def write_months(folder):
    """Write the months' files to `folder`. Returns {name of the run: path}."""
    rng, first, after = np.random.default_rng(5), month(1), month(2)
    tables = {
        "month": first,
        "next": after,
        "tenth": after[after["user_id"].isin(after["user_id"].unique()[: WEARERS // 10])],
        "heart-of-noise": noisy_heart(after, rng),
        "labels-of-noise": noisy_labels(after, rng, share=0.2),
        "all-labels-noise": noisy_labels(after, rng, share=1.0),
    }
    paths = {name: folder / f"{name}.csv.gz" for name in (*tables, "broken")}
    for name, table in tables.items():
        readings.write(table, paths[name])
    content = paths["next"].read_bytes()
    paths["broken"].write_bytes(content[: len(content) // 2])
    return paths


def run(name, path, home, *more):
    """The exit status and the error message of one run."""
    command = [str(ROOT / "run_all.sh"), f"run={name}", f"data_path={path}", *SMALL, *more]
    done = subprocess.run(command, env={**os.environ, "RUNS_HOME": str(home)}, capture_output=True, text=True)
    complaint = next((line for line in done.stderr.splitlines() if line.startswith("run_all.sh: ")), "")
    return done.returncode, complaint.removeprefix("run_all.sh: ").split("; force=true")[0]


def row(name, status, complaint, home):
    """A row of the table."""
    folder = home / "models" / (name if status == 0 else f".{name}.partial")
    metrics = json.loads((folder / "metrics.json").read_text()) if (folder / "metrics.json").exists() else {}
    measures = metrics.get("challenge", {}).get("measures", {}).values()
    cells = [_measure(**measure) for measure in measures] or ["–", "–"]
    return f"| {name.replace('-', ' ')} | {status} | {' | '.join(cells)} | {complaint or 'exported'} |"


def _measure(challenger, champion, low, high, **_):
    span = "" if low is None else f" ({low:+.2f} to {high:+.2f})"  # one wearer has no interval
    return f"{challenger:.2f}, {champion:.2f}{span}"


def main(home):
    """Make all runs in the folder `home`, and print the table."""
    paths = write_months(home)
    print("run", "base", *run("month", paths.pop("month"), home), flush=True)
    print("| retrained on | exit status | VUS-PR, the base's (difference) | recall, the base's (difference) | why |")
    print("|---|---|---|---|---|")
    for name, path in paths.items():
        print(row(name, *run(name, path, home, "base=month", "warm_start=true"), home), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, help="folder for the runs (default: a temporary one)")
    chosen = parser.parse_args().home
    if chosen:
        chosen.mkdir(parents=True, exist_ok=True)
        main(chosen.resolve())
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
