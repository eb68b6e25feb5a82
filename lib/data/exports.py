"""Exports given as data_path: converted once to Parquet, and read as a raw table from then on.

What is converted is kept in `data/.exports/` of RUNS_HOME, readable by its owner alone, under a name made of the
source's state: a run's later notebooks, and the next run of the same export, find it there.
"""

import hashlib
import json

import pyarrow.parquet as parquet

from lib.data import archive, conversion
from lib.files import private_folder
from lib.run import runs_home

FORM = 1  # of what is kept: raise it when a reader's results change
FOLDER = ".exports"


def as_raw_table(path, *, timezone="UTC", counters="cumulative", progress=None):
    """Where the raw table of a source is.

    Parameters
    ----------
    path : str or Path
        As `data_path` takes it.
    timezone : str
        IANA name; "UTC" where none is known.
    counters : str
        What the user says of the counters; an export's are always running ones.
    progress : callable, optional
        Of `conversion.convert`.

    Returns
    -------
    (str or Path, tuple of str)
        `path` itself and nothing, for a raw table; else the converted Parquet file, and the report in lines.

    Raises
    ------
    ValueError
        If counters is "interval" for an export, and what `conversion.convert` raises.
    """
    if not conversion.is_export(path):
        return path, ()
    if counters == "interval":
        raise ValueError(
            f"{path}: counters=interval, but an export is converted to running counters: leave counters= out"
        )
    kept = runs_home() / "data" / FOLDER / f"{_state(path, timezone)}.parquet"
    if not kept.exists():
        private_folder(kept.parent)
        table, report = conversion.convert(path, timezone=None if timezone == "UTC" else timezone, progress=progress)
        conversion.write(table, report, kept)
    return str(kept), tuple(conversion.report_in(parquet.read_schema(kept)).lines())


def _state(path, timezone):
    """A name for the source as it is now, the zone and the form: another where one of them differs."""
    filesystem, name = archive.place(path)
    names = filesystem.find(name) if filesystem.isdir(name) else [name]
    states = [(name, str(filesystem.ukey(name))) for name in sorted(names)]
    return hashlib.sha256(json.dumps([FORM, timezone, states]).encode()).hexdigest()[:32]
