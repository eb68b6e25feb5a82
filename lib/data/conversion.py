"""A whole export, from files to the raw table as Parquet, with a report of what was assumed, merged and left out."""

import json
import zipfile
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from lib.data import archive, assembly, clock, raw_files, series, sources, text
from lib.data.conversion_report import MOST_NAMES, Report
from lib.files import writing

METADATA = b"raw_table"  # the key under which a Parquet file tells the report
ROWS_AT_ONCE = 250_000  # that are spelled out
_PARQUET = b"PAR1"


class ConversionError(ValueError):
    """A source that holds nothing that can be read."""


def is_export(path):
    """Whether a source is an export of a known format, and no raw table: its first file that is either decides.

    Raises archive.ArchiveError, as `archive.entries` does, and raw_files.StoreLost where the place cannot be reached.
    """
    try:
        with raw_files.reached(*archive.place(path)), archive.entries(path) as entries:
            for entry in entries:
                if (
                    entry.head.startswith(_PARQUET)
                    or "timestamp" in (names := text.header(entry))
                    and "heartrate" in names
                ):
                    return False
                if sources.recognised(entry):
                    return True
    except FileNotFoundError:  # or a pattern, which raw files alone may be named by
        pass
    return False


def convert(path, *, timezone=None, progress=None):
    """Read a source of any format.

    Parameters
    ----------
    path : str or Path
        A file, a folder or a zip, local or s3://.
    timezone : str, optional
        IANA name of where the wearer lives: UTC is moved to it.
    progress : callable, optional
        Called as tqdm is, with `total` and `unit`; what it returns has `update` and `close`.

    Returns
    -------
    (pandas.DataFrame, Report)
        The raw table, as `assembly.table` gives it.

    Raises
    ------
    ConversionError
        If no file is of a known format, or none has readings.
    text.SourceError, archive.ArchiveError, assembly.ClockError, ValueError
        If a file is damaged, unsafe, or of another clock than the others; if the zone does not exist.
    """
    zone = clock.zone(timezone) if timezone else None
    report, notes = Report(timezone=timezone or ""), Counter()
    with archive.entries(path) as entries:
        groups = _by_format(entries, report)
        if not groups:
            raise ConversionError(_unknown(path, entries))
        with _counting(groups, progress) as (watched, opened):
            readings = []
            for module, some in watched.items():
                with _whole(module, opened):
                    readings += [_of_format(one, module) for one in module.read(some, notes) if len(one)]
    if not readings:
        raise ConversionError(f"{path}: {', '.join(report.formats)}, but no heart rate, steps, calories or distance")
    table = assembly.table(readings, zone=zone, notes=notes)
    _describe(report, readings, table, notes, zone)
    return table, report


def _of_format(one, module):
    """A series whose device names its format: an archive may hold the same steps in two formats."""
    return replace(one, device=f"{module.NAME} {one.device}".strip())


def _by_format(entries, report):
    """{format's module: its entries}; the names of the others go to the report."""
    groups = {}
    for entry in entries:
        module = sources.recognised(entry)
        if module is None:
            report.files_left_out.append(archive.printable(entry.name))
        else:
            groups.setdefault(module, []).append(entry)
    report.formats = {module.NAME: len(entries) for module, entries in groups.items()}
    report.assumed = [f"{module.NAME}: {line}" for module in groups for line in module.ASSUMED]
    return groups


@contextmanager
def _counting(groups, progress):
    """The same groups, of entries that tell `progress` how many bytes are read; and a list of the names opened."""
    total = sum(entry.size for entries in groups.values() for entry in entries)
    bar = progress(total=total, unit="B", unit_scale=True) if progress else None
    update, opened = bar.update if bar else (lambda _: None), []
    try:
        yield (
            {module: [entry.watched(update, opened.append) for entry in some] for module, some in groups.items()},
            opened,
        )
    finally:
        if bar:
            bar.close()


@contextmanager
def _whole(module, opened):
    """Raise SourceError, naming the file opened last, for whatever a damaged file makes a reader stumble on."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ArithmeticError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        problem = (
            f"expected {module.NAME}, got a file of another form or a damaged one ({type(error).__name__}: {error})"
        )
        raise text.SourceError(problem, file=opened[-1] if opened else module.NAME) from error
    except (NotImplementedError, RuntimeError, OSError) as error:
        raise text.SourceError(f"cannot be read ({error})", file=opened[-1] if opened else module.NAME) from error


def _unknown(path, entries):
    obstacles = [
        f"{archive.printable(entry.name)}: {text.obstacle(entry.head)}" for entry in entries if text.obstacle(entry.head)
    ]
    if obstacles:
        return f"{path}: {'; '.join(obstacles[:MOST_NAMES])}"
    if any({"timestamp", "heartrate"} <= set(text.header(entry)) or entry.head.startswith(_PARQUET) for entry in entries):
        return f"{path}: a raw table already: give it as data_path= (or --data) as it is"
    known = ", ".join(module.NAME for module in sources.formats())
    names = ", ".join(archive.printable(entry.name) for entry in entries[:MOST_NAMES])
    return f"{path}: expected an export of a known format ({known}), got {names}"


def _describe(report, readings, table, notes, zone):
    report.clocks = sorted({_clock_line(one, zone) for one in readings})
    report.calories = sorted({one.meaning for one in readings if one.channel == "calories"})
    days = table["timestamp"].dt.normalize().groupby(table["user_id"]).nunique()
    report.wearers = {name: int(count) for name, count in days.items()}
    report.readings = {
        name: int(sum(len(one) for one in readings if one.channel == name)) if name != series.HEART_RATE else int(count)
        for name, count in table.drop(columns=["user_id", "timestamp", "instant_ms"]).notna().sum().items()
        if count
    }
    report.totals = {name: counted(table, name) for name in series.AMOUNTS if name in table}
    rates = table[table[series.HEART_RATE].notna()]
    apart = rates["instant_ms"].groupby(rates["user_id"]).diff().median() / 1000
    report.spacing_s = None if np.isnan(apart) else float(apart)
    report.first, report.last = (str(moment) for moment in (table["timestamp"].min(), table["timestamp"].max()))
    report.notes = {reason: int(count) for reason, count in notes.items() if count}


def counted(table, channel):
    """What a running counter of the day counted in all: the sum over wearers and days of what each day reached."""
    by = [table["user_id"], table["timestamp"].dt.normalize()]
    return float(table[channel].groupby(by).max().sum())


def _clock_line(one, zone):
    where = (
        f"moved to {zone.key}" if zone else "left as UTC, for lack of a time zone: name it, as --timezone Europe/Paris"
    )
    return {
        series.LOCAL: "the wearer's wall clock, as written",
        series.UTC: f"UTC, {where}",
        series.OFFSET: "each reading's own offset gives the wearer's hour",
        series.PHONE: f"UTC, {where}" if zone else "the offset of the phone at export: name the zone with --timezone",
    }[one.clock]


def write(table, report, path):
    """Write what `convert` returned as Parquet, the report in its metadata. Nothing half-written stays.

    `timestamp` is a time zone's where all offsets are that zone's, without a zone for wall clocks, else text with
    each reading's offset.
    """
    columns = table.drop(columns=["timestamp", "instant_ms"])
    arrow = pa.Table.from_pandas(columns, preserve_index=False)
    arrow = arrow.add_column(1, "timestamp", _timestamps(table, report))
    described = {"counters": "cumulative", **vars(report)}
    metadata = {**(arrow.schema.metadata or {}), METADATA: json.dumps(described).encode()}
    with writing(path) as new:
        new.touch(mode=0o600)  # health data are their owner's alone
        parquet.write_table(arrow.replace_schema_metadata(metadata), new)


def report_in(schema):
    """The Report that `write` put into a Parquet file's schema."""
    described = json.loads(schema.metadata[METADATA])
    return Report(**{name: value for name, value in described.items() if name != "counters"})


def _timestamps(table, report):
    wall = table["timestamp"].to_numpy().astype("datetime64[ms]").astype(np.int64)
    instant = table["instant_ms"].to_numpy()
    offset = wall - instant
    zone = clock.zone(report.timezone or "UTC")
    if all(line.startswith("the wearer's wall clock") for line in report.clocks) and not offset.any():
        return pa.array(wall, pa.timestamp("ms"))
    if (offset == clock.offsets(instant, zone)).all():
        return pa.array(instant, pa.timestamp("ms", tz=zone.key))
    rows = range(0, len(wall), ROWS_AT_ONCE)
    parts = [_spelled(wall[row : row + ROWS_AT_ONCE], offset[row : row + ROWS_AT_ONCE]) for row in rows]
    return pa.chunked_array(parts)


def _spelled(wall, offset):
    """Times such as 2020-03-12T09:00:12-07:00, an Arrow array of text."""
    spelled = pc.strftime(pa.array(wall, pa.timestamp("ms")), "%Y-%m-%dT%H:%M:%S")
    kinds, code = np.unique(offset, return_inverse=True)
    names = pa.array([text.offset_text(kind) for kind in kinds]).take(pa.array(code))
    return pc.binary_join_element_wise(spelled, names, "")
