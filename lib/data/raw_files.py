"""The files of a raw table: which there are, and what each holds, before anything of it is believed."""

import codecs
import csv
import os
import stat
import zlib
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet
from fsspec.implementations.local import LocalFileSystem

from lib.data import raw_columns, text
from lib.data.archive import place, printable

SUFFIXES = tuple(f"{kind}{packed}" for kind in (".csv", ".tsv") for packed in ("", ".gz", ".bz2")) + (".parquet",)
_HEAD_BYTES = 1 << 16
_PACKED = {".gz": "gzip", ".bz2": "bz2"}
_NO_VALUE = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


class ReadingsError(ValueError):
    """A raw table that cannot be read: carries `file`, `column`, `row` (1 = first reading) and `value`."""

    def __init__(self, problem, *, file, column=None, row=None, value=None):
        value = value.item() if isinstance(value, np.generic) else value
        self.file, self.column, self.row, self.value = file, column, row, value
        where = [printable(file)]
        where += [f"column {printable(column)}"] if column is not None else []
        where += [f"row {row}"] if row is not None else []
        where += [f"value {value!r}"] if column is not None and row is not None else []
        super().__init__(f"{', '.join(where)}: {problem}")


class StoreLost(RuntimeError):
    """The place of the readings cannot be reached, or no longer lets us in: no fault of a file."""


def files(path):
    """The file system of `path`, and the sorted names of the raw files there.

    Of a folder that itself holds none, those of its sub-folders (year=2026/month=03/ …), without hidden ones.

    Raises
    ------
    FileNotFoundError
        If there is no raw file.
    ReadingsError
        If the file is a pipe, a socket or a device.
    """
    filesystem, name = place(path)
    with reached(filesystem, name):
        names, _ = _sorted_out(filesystem, name)
    if not names:
        kinds = ", ".join(SUFFIXES)
        raise FileNotFoundError(f"{path}: expected a file, folder or pattern that holds files of {kinds}")
    return filesystem, names


def left_out(path):
    """The names of the files beside those that `files` gives, which nothing reads."""
    filesystem, name = place(path)
    with reached(filesystem, name):
        return _sorted_out(filesystem, name)[1]


def _sorted_out(filesystem, name):
    """The raw files of a file, a folder or a pattern, and the other files there."""
    if filesystem.isfile(name) or _is_special(filesystem, name):
        _require_regular(filesystem, name)
        return [name], []
    folder = name.rstrip("/")
    is_folder = filesystem.isdir(folder)
    entries = filesystem.glob(name) if not is_folder else [entry for entry in filesystem.find(folder) if entry != folder]
    entries = sorted(entry for entry in entries if is_folder or filesystem.isfile(entry) or _is_special(filesystem, entry))
    raw = [entry for entry in entries if entry.lower().endswith(SUFFIXES)]
    if is_folder:
        inside = {entry: entry.removeprefix(f"{folder}/").split("/") for entry in raw}
        here = [entry for entry, parts in inside.items() if len(parts) == 1]
        below = [entry for entry, parts in inside.items() if not any(part.startswith((".", "_")) for part in parts)]
        raw = here or below
    for entry in raw:
        _require_regular(filesystem, entry)
    return raw, sorted(set(entries) - set(raw))


def _is_special(filesystem, name):
    return isinstance(filesystem, LocalFileSystem) and os.path.exists(name) and not os.path.isdir(name)


def _require_regular(filesystem, name):
    if isinstance(filesystem, LocalFileSystem) and not stat.S_ISREG(os.stat(name).st_mode):
        raise ReadingsError("expected a regular file, got a pipe, socket or device", file=name)


def addresses(path):
    """The raw files of `path`, sorted, each by the name or s3:// address by which another process finds it."""
    filesystem, names = files(path)
    return names if isinstance(filesystem, LocalFileSystem) else [filesystem.unstrip_protocol(name) for name in names]


def load(filesystem, name, *, wearers=()):
    """The frame that a file holds, its rows numbered from 0 and its columns named as the raw table's.

    wearers: where not empty, a Parquet file whose user_id is text gives the rows of these alone; other files give all.
    Columns that are none of the raw table's are in `frame.attrs["ignored"]`.

    Raises
    ------
    ReadingsError
        If the file cannot be read, naming the row where one is at fault.
    StoreLost
        If no file can be read.
    """
    with _readable(name), reached(filesystem, name):
        if name.lower().endswith(".parquet"):
            with filesystem.open(name, "rb") as stream:
                table = _load_parquet(stream, wearers)
        else:
            table = _load_csv(filesystem, name)
    return _named(table, name)


def _named(table, name):
    """The table with the raw table's own columns, by their own names."""
    try:
        known, ignored = raw_columns.recognised(table.columns)
    except ValueError as error:
        raise ReadingsError(str(error), file=name) from None
    table = table[list(known)].rename(columns=known)
    table.attrs["ignored"] = ignored
    return table


@contextmanager
def _readable(name):
    """Raise ReadingsError, naming the file, for whatever goes wrong as it is read."""
    try:
        yield
    except ReadingsError:
        raise
    except UnicodeDecodeError as error:
        problem = "the text is not UTF-8, but perhaps Windows-1252: save it as CSV UTF-8"
        raise ReadingsError(problem, file=name) from error
    except (ValueError, EOFError, zlib.error, OSError) as error:  # pandas' and Arrow's parsers raise ValueErrors
        raise ReadingsError(f"cannot be read ({str(error).strip()})", file=name) from error


@contextmanager
def reached(filesystem, name):
    """Raise StoreLost for an error of the network or the credentials, not of the file that is used."""
    try:
        yield
    except Exception as error:
        if isinstance(filesystem, LocalFileSystem) or not _is_of_the_store(error):
            raise
        problem = f"{name}: {str(error).strip() or type(error).__name__}: the network or the credentials are wrong"
        raise StoreLost(f"{problem}; what is done stays, begin again for the rest") from error


def _is_of_the_store(error):
    """Whether an error of S3 is no file's: s3fs' own have a number unless they deny permission."""
    from aiohttp import ClientError  # which s3fs loads, and small data need not wait for
    from botocore.exceptions import BotoCoreError

    if isinstance(error, (BotoCoreError, ClientError, PermissionError, ConnectionError, TimeoutError)):
        return True
    return isinstance(error, OSError) and error.errno is not None and not isinstance(error, FileNotFoundError)


def gives_some(filesystem, name):
    """Whether `load` gives some wearers' rows of a file without the others'. Raises what `load` does."""
    if not name.lower().endswith(".parquet"):
        return False
    with _readable(name), reached(filesystem, name), filesystem.open(name, "rb") as stream:
        return _names_wearers(stream)


def wearers_in(filesystem, name):
    """The names of all wearers in a Parquet file whose user_id is text, a set; empty for other files.

    Raises what `load` does.
    """
    if not name.lower().endswith(".parquet"):
        return set()
    with _readable(name), reached(filesystem, name), filesystem.open(name, "rb") as stream:
        return set(_spellings(stream).values()) if _names_wearers(stream) else set()


def _names_wearers(stream):
    """Whether a Parquet file has a column of text user_id."""
    schema = parquet.read_schema(stream)
    kind = schema.field("user_id").type if "user_id" in schema.names else None
    kind = kind.value_type if isinstance(kind, pa.DictionaryType) else kind
    return kind in (pa.string(), pa.large_string())


def _spellings(stream):
    """{user_id as written: the wearer's name} of a Parquet file."""
    batches = parquet.ParquetFile(stream).iter_batches(columns=["user_id"], use_threads=False)
    written = set().union(*(batch.column(0).unique().to_pylist() for batch in batches)) - {None}
    return {name: raw_columns.plain_id(name) for name in written}


def _load_parquet(stream, wearers):
    chosen = None
    if wearers and _names_wearers(stream):
        chosen = [name for name, wearer in _spellings(stream).items() if wearer in set(wearers)]
    filters = None if chosen is None else [("user_id", "in", chosen)]
    table = pd.read_parquet(stream, use_threads=False, filters=filters)  # as many processes read as cores
    return table.reset_index(drop=table.index.names == [None])  # a named index is a column


def _opened(filesystem, name):
    packed = _PACKED.get(os.path.splitext(name.lower())[1])
    return filesystem.open(name, "rb", compression=packed)


def _load_csv(filesystem, name):
    with _opened(filesystem, name) as stream:
        head = stream.read(_HEAD_BYTES)
    if obstacle := text.obstacle(head):
        raise ReadingsError(obstacle, file=name)
    separator = _separator(head, name)
    columns = next(csv.reader([head.decode("utf-8", "replace").split("\n", 1)[0]], delimiter=separator), [])
    try:
        with _opened(filesystem, name) as stream:
            table = pd.read_csv(stream, sep=separator, low_memory=False, skipinitialspace=True, **_types(columns))
        if not isinstance(table.index, pd.RangeIndex):  # pandas took the first of too many values for an index
            raise pd.errors.ParserError("rows hold more values than the header names columns")
        return table
    except pd.errors.ParserError as error:
        with _opened(filesystem, name) as stream:
            row, problem = _too_long_a_row(stream, separator) or (None, f"cannot be read ({str(error).strip()})")
        raise ReadingsError(problem, file=name, row=row) from error


def _separator(head, name):
    """What separates a CSV file's columns. Raises ReadingsError for semicolons, which decimal commas go with."""
    first = head.decode("utf-8", "replace").split("\n", 1)[0]
    if "\t" in first and "," not in first:
        return "\t"
    if first.count(";") > first.count(","):
        problem = "columns are separated by semicolons: save it as CSV with commas, and numbers with decimal points"
        raise ReadingsError(problem, file=name, column=first.split(";")[0].strip('\ufeff" \r'))
    return ","


def _types(columns):
    """pandas' options: names and labels stay text, and NA may be somebody's name."""
    folded = {name: text.folded(name) for name in columns}
    as_text = [name for name, plain in folded.items() if plain in ("userid", "label")]
    missing = {name: [""] if name in as_text else _NO_VALUE for name in columns}
    return {"dtype": dict.fromkeys(as_text, str), "keep_default_na": False, "na_values": missing}


def _too_long_a_row(stream, separator):
    """The first row (1 = first reading) of more values than the header names, and its problem; or None."""
    lines = csv.reader(codecs.getreader("utf-8")(stream, errors="replace"), delimiter=separator)
    header = next(lines, [])
    for row, values in enumerate((line for line in lines if line), start=1):
        if len(values) > len(header):
            return row, f"{len(values)} values, where the header names {len(header)} columns"
    return None
