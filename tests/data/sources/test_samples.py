"""Samples of exports that the repository does not hold: each as a folder, as a zip, and file by file."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from exports import zipped

from lib.data import conversion
from lib.files import ROOT

SAMPLES = Path(os.environ.get("EXPORT_SAMPLES") or ROOT.parent / "shared/formats")
pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"no samples of exports at {SAMPLES} (EXPORT_SAMPLES names another folder)"
)
ZONE = "America/Los_Angeles"
STEPS = 5276  # of two hours from 9 o'clock, of which these in the first
STEPS_BY_10 = 4387
HEART_RATES = {  # in each sample; the full series has 951
    "apple_health_xml": 177,
    "fitabase_csv": 1902,  # two wearers
    "fitbit_googledata_csv": 951,
    "fitbit_takeout_json": 951,
    "fitbit_web_api": 951,
    "gadgetbridge_sqlite": 108,
    "garmin_connect_json": 58,
    "google_fit_takeout": 80,
    "health_connect_sqlite": 951,
    "polar_json": 317,
    "samsung_health_csv": 120,
    "wear_os_health_services": 476,
    "withings_csv": 24,
    "zepp_mifit_csv": 120,
}


def by_hour(table):
    """What each wearer's steps reached by 10 o'clock and by the end."""
    wearers = [rows for _, rows in table.dropna(subset="steps").groupby("user_id", observed=True)]
    at = np.datetime64("2020-03-12T10:00", "ms").astype(np.int64)
    early = [np.interp(at, rows["timestamp"].astype("int64"), rows["steps"]) for rows in wearers]
    return early, [rows["steps"].max() for rows in wearers]


@pytest.mark.parametrize("name", HEART_RATES)
@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_a_sample_gives_its_heart_rates_and_steps_at_the_right_hours(name, packed, tmp_path):
    source = zipped(SAMPLES / name, tmp_path / "export.zip") if packed else SAMPLES / name
    table, report = conversion.convert(source, timezone=ZONE)
    assert report.readings["heartRate"] == HEART_RATES[name]
    assert not report.files_left_out
    early, late = by_hour(table)
    assert set(late) == {STEPS}
    assert early == pytest.approx([STEPS_BY_10] * len(early), rel=0.01)
    hours = table.loc[table["heartRate"].notna(), "timestamp"].dt.hour
    assert set(hours) == {9, 10}


@pytest.mark.parametrize("name", HEART_RATES)
def test_each_file_alone_is_read(name, tmp_path):
    for file in sorted((SAMPLES / name).rglob("*")):
        if file.is_file() and "binning_data" not in file.name:
            _, report = conversion.convert(file, timezone=ZONE)
            assert set(report.totals.values()) | set(report.readings.values()), file


def test_the_real_files_of_garmin_watches():
    table, report = conversion.convert(SAMPLES / "garmin_fit")
    assert report.readings["heartRate"] == 690 + 1270
    assert report.totals["steps"] == 12_105 + 3_093 + 18_943  # of the files' own closing messages
    assert report.totals["distance"] == pytest.approx(9803.97 + 3757.37 + 15_684.79)


def test_the_layouts_of_myphd():
    _, report = conversion.convert(SAMPLES / "myphd_csv")
    assert set(report.wearers) == {
        "P000001",
        "isolationforest_AppleWatch",
        "isolationforest_Fitbit",
        "nightsignal_AppleWatch",
    }
    assert report.readings["heartRate"] == 951


@pytest.mark.parametrize("name", [*HEART_RATES, "garmin_fit", "myphd_csv"])
def test_a_damaged_file_is_refused_with_a_valueerror_or_read(name, tmp_path):
    rng = np.random.default_rng(1)
    for file in sorted((SAMPLES / name).rglob("*")):
        if not file.is_file():
            continue
        content = np.frombuffer(file.read_bytes(), dtype=np.uint8)
        for damage in range(8):
            damaged = content.copy()
            if damage % 2:
                damaged[rng.integers(0, len(damaged), 20)] = rng.integers(32, 127, 20)
            else:
                damaged = damaged[: rng.integers(50, len(damaged))]
            (tmp_path / file.name).write_bytes(damaged.tobytes())
            with contextlib.suppress(ValueError):
                conversion.convert(tmp_path, timezone=ZONE)
        (tmp_path / file.name).unlink()
