"""The files of a raw table: which there are, and what each holds, before anything of it is believed."""

import codecs
import csv
import zlib
from contextlib import contextmanager

import fsspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from fsspec.implementations.local import LocalFileSystem

from lib.detector.features import COUNTERS

SUFFIXES = (".csv", ".csv.gz", ".parquet")
_UNKNOWN = dict.fromkeys(("timestamp", "heartRate", *COUNTERS), ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])


class ReadingsError(ValueError):
    """A raw table that can not be read: carries `file`, `column`, `row` (1 = first reading) and `value`."""

    def __init__(self, problem, *, file, column=None, row=None, value=None):
        value = value.item() if isinstance(value, np.generic) else value
        self.file, self.column, self.row, self.value = file, column, row, value
        where = [str(file)]
        where += [f"column {column}"] if column is not None else []
        where += [f"row {row}"] if row is not None else []
        where += [f"value {value!r}"] if column is not None and row is not None else []
        super().__init__(f"{', '.join(where)}: {problem}")


class StoreLost(RuntimeError):
    """Where the readings lie can not be reached, or lets us in no more: nothing that is wrong with a file."""


def files(path):
    """The fsspec file system of `path` and the sorted names of the readable files there.

    Of a folder that itself holds none, those of its sub-folders (year=2026/month=03/ …), but for hidden ones.
    """
    filesystem, name = fsspec.core.url_to_fs(str(path))
    with reached(filesystem, name):
        found = _found(filesystem, name)
    if not found:
        raise FileNotFoundError(f"{path}: no file, folder or pattern that holds {', '.join(SUFFIXES)} files")
    return filesystem, found


def _found(filesystem, name):
    if filesystem.isfile(name):
        return [name]
    folder = filesystem.isdir(name)
    pattern = f"{name.rstrip('/')}/*" if folder else name
    found = sorted(entry for entry in filesystem.glob(pattern) if entry.endswith(SUFFIXES))
    return found if found or not folder else _below(filesystem, name.rstrip("/"))


def _below(filesystem, folder):
    """The readable files in a folder's sub-folders, but for what has a name that begins with . or _, as Spark's own."""
    inside = {entry: entry.removeprefix(f"{folder}/").split("/") for entry in filesystem.find(folder)}
    return sorted(
        entry
        for entry, names in inside.items()
        if entry.endswith(SUFFIXES) and not any(name.startswith((".", "_")) for name in names)
    )


def addresses(path):
    """The files of `path`, sorted, each by the name or s3:// address under which another process finds it."""
    filesystem, names = files(path)
    return names if isinstance(filesystem, LocalFileSystem) else [filesystem.unstrip_protocol(name) for name in names]


def load(filesystem, name, *, wearers=()):
    """The frame that a file holds, its rows numbered from 0.

    Raises ReadingsError for a file that can not be read, StoreLost where no file can.

    Where only some `wearers` are wanted, a Parquet file whose user_id is text gives their rows alone; others give all.
    """
    with _readable(name), reached(filesystem, name):
        if name.endswith(".parquet"):
            with filesystem.open(name, "rb") as stream:
                wanted = [("user_id", "in", wearers)] if wearers and _names_wearers(stream) else None
                table = pd.read_parquet(stream, use_threads=False, filters=wanted)  # as many processes read as cores
            return table.reset_index(drop=table.index.names == [None])  # a named index is a column
        try:
            with _opened(filesystem, name) as stream:
                return _load_csv(stream)
        except pd.errors.ParserError as error:
            with _opened(filesystem, name) as stream:
                row, problem = _too_long_a_row(stream) or (None, f"can not be read ({str(error).strip()})")
            raise ReadingsError(problem, file=name, row=row) from error


@contextmanager
def _readable(name):
    """Raise ReadingsError, naming the file, for whatever goes wrong as it is read."""
    try:
        yield
    except ReadingsError:
        raise
    except (ValueError, EOFError, zlib.error, OSError) as error:  # pandas' and Arrow's parsers raise ValueErrors
        raise ReadingsError(f"can not be read ({str(error).strip()})", file=name) from error


@contextmanager
def reached(filesystem, name):
    """Raise StoreLost for an error that tells of the network or the credentials, and not of the file that is used."""
    try:
        yield
    except Exception as error:
        if isinstance(filesystem, LocalFileSystem) or not _of_the_way(error):
            raise
        problem = f"{name}: {str(error).strip() or type(error).__name__}: the network or the credentials are wrong"
        raise StoreLost(f"{problem}; what is done stays, begin again for the rest") from error


def _of_the_way(error):
    """Whether an error of S3 is none of a file's: s3fs' own have a number where they are no permission denied."""
    from aiohttp import ClientError  # which s3fs loads, and small data need not wait for
    from botocore.exceptions import BotoCoreError

    if isinstance(error, (BotoCoreError, ClientError, PermissionError, ConnectionError, TimeoutError)):
        return True
    return isinstance(error, OSError) and error.errno is not None and not isinstance(error, FileNotFoundError)


def gives_some(filesystem, name):
    """Whether `load` gives some wearers' rows of a file without the others'. Raises what `load` does."""
    if not name.endswith(".parquet"):
        return False
    with _readable(name), reached(filesystem, name), filesystem.open(name, "rb") as stream:
        return _names_wearers(stream)


def named(filesystem, name):
    """The names of all wearers in a Parquet file whose user_id is text, a set; none of other files.

    Raises what `load` does.
    """
    if not name.endswith(".parquet"):
        return set()
    with _readable(name), reached(filesystem, name), filesystem.open(name, "rb") as stream:
        if not _names_wearers(stream):
            return set()
        batches = parquet.ParquetFile(stream).iter_batches(columns=["user_id"], use_threads=False)
        return set().union(*(batch.column(0).unique().to_pylist() for batch in batches))


def _names_wearers(stream):
    """Whether a Parquet file has a column of text user_id."""
    schema = parquet.read_schema(stream)
    kind = schema.field("user_id").type if "user_id" in schema.names else None
    kind = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
    return kind in (pa.string(), pa.large_string())


def _opened(filesystem, name):
    return filesystem.open(name, "rb", compression="gzip" if name.endswith(".gz") else None)


def _load_csv(stream):
    names = ["user_id", "label"]
    options = {"dtype": dict.fromkeys(names, str), "skipinitialspace": True, "low_memory": False}
    options |= {"keep_default_na": False, "na_values": {**_UNKNOWN, **dict.fromkeys(names, [""])}}  # NA may be a name
    table = pd.read_csv(stream, **options)
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first of too many values for an index
        raise pd.errors.ParserError("rows hold more values than the header names columns")
    return table


def _too_long_a_row(stream):
    """The first row (1 = first reading) of more values than the header names, and what is wrong with it; or None."""
    lines = csv.reader(codecs.getreader("utf-8")(stream, errors="replace"))
    header = next(lines, [])
    for row, values in enumerate((line for line in lines if line), start=1):
        if len(values) > len(header):
            return row, f"{len(values)} values, where the header names {len(header)} columns"
    return None
