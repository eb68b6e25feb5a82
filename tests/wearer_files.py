"""Small raw tables in several Parquet files, for the tests of partitions."""

import numpy as np
import pandas as pd


def life(wearer, *, days=1, interval_s=30, label=""):
    """The raw table of a wearer's days, with a reading every `interval_s` and random values by wearer."""
    rng = np.random.default_rng(abs(int(wearer[1:])))
    moments = pd.date_range("2026-03-02", periods=days * 86_400 // interval_s, freq=f"{interval_s}s")
    steps = rng.poisson(3, len(moments)).cumsum()
    heart = 70 + rng.integers(-5, 6, len(moments))
    table = pd.DataFrame({"user_id": wearer, "timestamp": moments, "heartRate": heart, "steps": steps})
    return table.assign(label=label) if label else table


def write(folder, files):
    """Write {name: wearers or frames} as Parquet files, and return the folder."""
    folder.mkdir(exist_ok=True)
    for name, wearers in files.items():
        tables = [life(wearer) if isinstance(wearer, str) else wearer for wearer in wearers]
        pd.concat(tables).to_parquet(folder / f"{name}.parquet", index=False)
    return folder


def eight_wearers(folder):
    """Write a day of eight wearers in three files, and return the folder."""
    return write(folder, {"a": ["w1", "w4", "w2"], "b": ["w3", "w5"], "c": ["w6", "w7", "w8"]})


def three_days(path, kind):
    """Write three days of six wearers, a file per day, as Parquet or CSV, and return the folder."""
    path.mkdir()
    for day in range(3):
        table = pd.concat([life(f"w{number}") for number in range(1, 7)])
        table["timestamp"] += pd.Timedelta(days=day)
        table.to_parquet(path / f"{day}.parquet") if kind == "parquet" else table.to_csv(path / f"{day}.csv")
    return path


def in_order(table):
    """The readings of a table wearer by wearer, in time order."""
    return table.sort_values(["user_id", "instant"], kind="stable", ignore_index=True)
