"""SQLite databases of an export, opened so that nothing in them runs and nothing of them changes."""

import sqlite3
from contextlib import contextmanager

import numpy as np

from lib.data.text import SourceError

_MAGIC = b"SQLite format 3\0"


def is_sqlite(entry):
    """Whether a file is a SQLite database."""
    return entry.head.startswith(_MAGIC)


def tables(entry):
    """The names of its tables, a frozenset; none of a damaged one."""
    try:
        with opened(entry) as connection:
            return table_names(connection)
    except SourceError:
        return frozenset()


@contextmanager
def opened(entry):
    """A connection to a private copy, for reading. Raises SourceError for a damaged database."""
    try:
        with entry.local() as path:
            connection = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
            try:
                connection.execute("PRAGMA trusted_schema = OFF")
                yield connection
            finally:
                connection.close()
    except sqlite3.Error as error:
        raise SourceError(f"cannot be read as SQLite ({error})", file=entry.name) from error


def table_names(connection):
    """The names of the tables, without views, whose queries are a stranger's."""
    return frozenset(name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))


def column_names(connection, table):
    """The names of a table's columns."""
    return [row[1] for row in connection.execute("SELECT * FROM pragma_table_xinfo(?)", (table,)).fetchall()]


def arrays(connection, query, count):
    """What a query of `count` columns selects: an array each, int64 where all are whole numbers, NaN for NULL."""
    rows = connection.execute(query).fetchall()
    if not rows:
        return tuple(np.zeros(0, dtype=np.int64) for _ in range(count))
    return tuple(_array(column) for column in zip(*rows, strict=True))


def _array(column):
    if all(isinstance(value, int) for value in column):
        return np.array(column, dtype=np.int64)
    return np.array([np.nan if value is None else value for value in column], dtype=np.float64)
