"""01 and 02 on data larger than the run's tables may hold, on a cluster, with an unreadable file."""

import json
import logging

import nbformat
import pandas as pd
import papermill
import pytest
from conftest import runs_in
from distributed import LocalCluster
from wearer_files import eight_wearers, life

from lib.data import raw_files, readings
from lib.files import ROOT
from lib.workflow.parameters import notebook_parameters

PARAMETERS = {"interval_s": 30, "events_per_day": 3, "most_readings": 15_000}
NOTEBOOKS = ("01_generate", "02_clean")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """The data folder of a run, the folder of its executed notebooks, and the folder of its files."""
    parts = eight_wearers(tmp_path_factory.mktemp("parts") / "watch")
    (parts / "d.parquet").write_bytes(b"PAR1 no more")
    cluster = {"n_workers": 2, "threads_per_worker": 1, "memory_limit": 0, "dashboard_address": "127.0.0.1:0"}
    home = tmp_path_factory.mktemp("home")
    with LocalCluster(**cluster, silence_logs=logging.CRITICAL) as local, runs_in(home):
        values = {"run": "large", "data_path": str(parts), "dask_scheduler": local.scheduler_address, **PARAMETERS}
        values["on_bad_part"] = "skip"
        for name in NOTEBOOKS:
            source = ROOT / "notebooks" / f"{name}.ipynb"
            declared = {parameter.name for parameter in notebook_parameters(source)}
            parameters = {name: value for name, value in values.items() if name in declared}
            papermill.execute_notebook(source, home / source.name, parameters, progress_bar=False)
    return home / "data/large", home, parts


def text_of(path, stream="stdout"):
    """Return what an executed notebook wrote to a stream."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return "".join(output.text for output in outputs if output.get("name") == stream)


def test_the_tables_hold_a_sample_and_its_size_is_printed(large):
    data, home, _ = large
    tables = [
        readings.read(data / name)
        for name in ("raw/health_metrics.csv", "raw/calibration.csv", "synthetic/anomalous_data.csv")
    ]
    count = sum(map(len, tables))
    assert count < PARAMETERS["most_readings"]
    assert f"the tables hold {count:,} of 23,040 readings of 8 wearers in 3 partitions" in text_of(
        home / "01_generate.ipynb"
    )


def test_the_unreadable_file_is_named(large):
    _, home, parts = large
    assert f"set aside: {parts}/d.parquet: cannot be read" in text_of(home / "01_generate.ipynb", "stderr")
    journal = json.loads((home / "models/large/run.json").read_text())
    assert list(journal["01_generate"]["set_aside"]) == [f"{parts}/d.parquet"]


def test_everything_is_cleaned_and_counted(large):
    data, _, _ = large
    account = json.loads((data / "quality.json").read_text())["everything"]
    assert account["readings"] == 8 * len(life("w1")) == account["used"] + sum(account["rejected"].values())
    files = raw_files.addresses(data / "processed/parts")
    tables = [pd.read_parquet(file) for file in files]
    assert sum(map(len, tables)) == sum(account["samples"].values())
    assert sum(table["user_id"].nunique() for table in tables) == 8


def test_the_contract_of_large_data_holds(large):
    _, home, _ = large
    for name in NOTEBOOKS:
        cells = nbformat.read(home / f"{name}.ipynb", as_version=4).cells
        (contract,) = (cell for cell in cells if "NBVAL_CHECK_OUTPUT" in cell.source)
        assert "False" not in contract.outputs[0].data["text/plain"]
