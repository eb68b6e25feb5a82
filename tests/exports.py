"""What tests of exports share: a table's readings as plain pairs, and ways to pack an export."""

import gzip
import zipfile
from pathlib import Path


def rates(table):
    """Heart rates as (wall clock, bpm)."""
    rows = table[table["heartRate"].notna()]
    return list(zip(rows["timestamp"].dt.strftime("%Y-%m-%d %H:%M:%S"), rows["heartRate"], strict=True))


def counts(table, channel="steps"):
    """A counter's points as (time of day, total)."""
    rows = table[table[channel].notna()]
    return list(zip(rows["timestamp"].dt.strftime("%H:%M:%S"), rows[channel], strict=True))


def zipped(folder, path):
    """Write all files of a folder into a zip, under a folder of its own, as exports come."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(Path(folder).rglob("*")):
            if file.is_file():
                archive.write(file, f"export/{file.relative_to(folder)}")
    return path


def gzipped(path, target):
    """Write a file's gzip."""
    target.write_bytes(gzip.compress(Path(path).read_bytes()))
    return target
