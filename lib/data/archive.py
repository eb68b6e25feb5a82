"""The files of an export: in a folder, in a zip, alone, here or on S3. Nothing is ever unpacked under its own name.

An export comes from the internet, so its names and sizes are not believed. Folders and pipes that pose as files are
refused. A zip may hold so many files and so many bytes, and no more.
"""

import gzip
import os
import re
import shutil
import stat
import tempfile
import zipfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

import fsspec
from fsspec.implementations.local import LocalFileSystem

HEAD_BYTES = 8192  # read of each file to recognise it
MOST_ENTRIES = 200_000  # of a zip or a folder
MOST_BYTES = 32 << 30  # of a zip, unpacked
MOST_NESTED_BYTES = 4 << 30  # of a zip within a zip
MOST_INFLATION = 200  # how many times larger a zip's large files may become; real exports reach 40
_NO_ZIPS = (".csv", ".gz", ".bz2", ".tsv", ".parquet", ".json", ".jsonl", ".xml", ".fit", ".db")
INFLATION_MATTERS = 64 << 20  # bytes unpacked from which on that is looked at


class ArchiveError(ValueError):
    """An export that cannot be opened: carries the `name` of the file or archive."""

    def __init__(self, name, problem):
        self.name = name
        super().__init__(f"{printable(name)}: {problem}")


@dataclass(frozen=True)
class Entry:
    """One file of an export.

    name: its path within the source, with `/`; size: bytes unpacked; opener: opens it for reading bytes.
    """

    name: str
    size: int
    opener: object = field(repr=False, compare=False)

    @property
    def stem(self):
        """The file's name without folders and suffixes."""
        return self.name.rsplit("/", 1)[-1].split(".")[0]

    @cached_property
    def head(self):
        """The first bytes, which tell the format; empty for a file that cannot be read."""
        try:
            with self.open() as stream:
                return stream.read(HEAD_BYTES)
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
            return b""

    def watched(self, update, opened):
        """The same entry. `opened` is called with its name, and `update` with the number of bytes of each read."""

        def opener():
            opened(self.name)
            return _Watched(self.opener(), update)

        return replace(self, opener=opener)

    @contextmanager
    def open(self):
        """A binary stream of the file's bytes, unzipped where its name ends in .gz."""
        with self.opener() as stream:
            yield gzip.GzipFile(fileobj=stream) if self.name.lower().endswith(".gz") else stream

    def read(self, at_most):
        """All bytes. Raises ArchiveError where there are more than `at_most`."""
        with self.open() as stream:
            content = stream.read(at_most + 1)
        if len(content) > at_most:
            raise ArchiveError(self.name, f"expected at most {at_most >> 20} MB, got more")
        return content

    @contextmanager
    def local(self):
        """The path of a private copy of the file, for readers that cannot take a stream."""
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "copy")
            with self.open() as stream, open(path, "wb") as copy:
                shutil.copyfileobj(stream, copy, 1 << 20)
            yield path


def place(address):
    """The fsspec file system and the name in it of a path or an address such as s3://bucket/key.

    The rest of an address is a name and nothing else: `x::y.csv` is no chain of file systems.
    """
    address = str(address)
    protocol, separator, _ = address.partition("://")
    if not separator or not re.fullmatch(r"[a-z][a-z0-9]*", protocol):
        return LocalFileSystem(), os.path.abspath(address)
    filesystem = fsspec.filesystem(protocol)
    return filesystem, filesystem._strip_protocol(address)


class _Watched:
    """A stream that tells how many bytes are read of it."""

    def __init__(self, stream, update):
        self.stream, self.update = stream, update

    def read(self, size=-1):
        """Read at most `size` bytes, or all."""
        block = self.stream.read(size)
        self.update(len(block))
        return block

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()


def printable(name):
    """A name for people to read: control characters replaced, and no longer than 200 characters."""
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(name))
    return text if len(text) <= 200 else f"{text[:197]}..."


@contextmanager
def entries(path):
    """The files of a source, an iterator's context: a file, a folder, a zip, a folder of zips; local or s3://.

    Yields
    ------
    list of Entry
        In order of name, without hidden files.

    Raises
    ------
    FileNotFoundError
        If nothing is there.
    ArchiveError
        If it is neither a regular file nor a folder, or a zip that is broken, encrypted or too large.
    """
    filesystem, root = place(path)
    names = sorted(_names(filesystem, root))
    if not names:
        raise FileNotFoundError(f"{path}: no such file, or an empty folder")
    if len(names) > MOST_ENTRIES:
        raise ArchiveError(path, f"expected at most {MOST_ENTRIES:,} files, got {len(names):,}")
    with ExitStack() as opened:
        collected = []
        for name in names:
            entry = _plain_entry(filesystem, name, root)
            if not _is_zip(entry):
                collected.append(entry)
                continue
            stream = opened.enter_context(filesystem.open(name, "rb"))
            archive = opened.enter_context(_archive(stream, name))
            inside = _zip_entries(archive, entry.name if len(names) > 1 else "")
            collected += [each for one in inside for each in (_nested(one, opened) if _is_zip(one) else [one])]
        yield collected


def _nested(entry, opened):
    """The entries of a zip within a zip. A private copy of it is made, and zips in it stay closed."""
    if entry.size > MOST_NESTED_BYTES:
        return [entry]
    copy = opened.enter_context(tempfile.TemporaryFile())
    with entry.open() as stream:
        shutil.copyfileobj(stream, copy, 1 << 20)
    return _zip_entries(opened.enter_context(_archive(copy, entry.name)), entry.name)


def _names(filesystem, root):
    if not filesystem.isdir(root):
        return [root] if filesystem.exists(root) else []
    base = root.rstrip("/")
    below = filesystem.find(base)
    return [name for name in below if not any(_hidden(part) for part in name[len(base) :].split("/"))]


def _hidden(part):
    return part == "__MACOSX" or (part.startswith(".") and part not in (".", ".."))


def _plain_entry(filesystem, name, root):
    if isinstance(filesystem, LocalFileSystem) and not stat.S_ISREG(os.stat(name).st_mode):
        raise ArchiveError(name, "expected a regular file, got a pipe, socket or device")
    inside = name[len(root.rstrip("/")) :].lstrip("/") or name.rsplit("/", 1)[-1]
    return Entry(inside, filesystem.size(name) or 0, lambda: filesystem.open(name, "rb"))


def _is_zip(entry):
    if entry.name.lower().endswith(_NO_ZIPS):  # whose first bytes a folder of thousands on S3 need not fetch
        return False
    return entry.head[:4] in (b"PK\x03\x04", b"PK\x05\x06") and not entry.name.lower().endswith((".xlsx", ".ods"))


def _archive(stream, name):
    try:
        return zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ArchiveError(name, f"cannot be read as a zip ({error})") from error


def _zip_entries(archive, prefix):
    """The entries of an open zip. Raises ArchiveError for one that would become too large."""
    infos = [info for info in archive.infolist() if not info.is_dir()]
    name = archive.filename or prefix or "zip"
    if len(infos) > MOST_ENTRIES:
        raise ArchiveError(name, f"expected at most {MOST_ENTRIES:,} files in the zip, got {len(infos):,}")
    if sum(info.file_size for info in infos) > MOST_BYTES:
        raise ArchiveError(
            name, f"expected at most {MOST_BYTES >> 30} GB unpacked; unpack it to a folder and name that"
        )
    for info in infos:
        if info.file_size > max(INFLATION_MATTERS, MOST_INFLATION * info.compress_size):
            raise ArchiveError(name, f"{printable(info.filename)} grows more than {MOST_INFLATION} times: a zip bomb?")
        if info.flag_bits & 1:
            raise ArchiveError(name, f"{printable(info.filename)} is encrypted; unpack it to a folder and name that")
    return [
        Entry(f"{prefix}/{info.filename}".lstrip("/"), info.file_size, lambda info=info: archive.open(info))
        for info in sorted(infos, key=lambda info: info.filename)
        if not any(_hidden(part) for part in info.filename.split("/"))
    ]
