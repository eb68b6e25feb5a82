"""SHA256SUMS and CRC32SUMS: sums of all other files of a folder. Standard library alone.

A bundle is checked before anything else of it is imported, because a damaged module may do anything. The function's own
files are compared with their SHA-256, as by `sha256sum --check`. Packages are nine tenths of the bytes: their CRC-32
finds any flipped byte in less than half the time. The list of CRCs is itself covered by a SHA-256.
"""

import hashlib
import re
import zlib
from pathlib import Path

SUMS, CRCS = "SHA256SUMS", "CRC32SUMS"
_LINE = re.compile(r"([0-9a-f]+)  (\S.*)")
_DIGITS = {SUMS: 64, CRCS: 8}
_PIECE = 256 * 1024  # bytes: stays in the processor's cache


class DamagedFile(Exception):
    """A file is missing, or is not the one that was listed; `file` names it."""

    def __init__(self, file, problem):
        self.file = file
        super().__init__(f"{file}: {problem}")


def sha256(path):
    """The SHA-256 (hex) of a file's bytes, read piece by piece."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def crc32(path):
    """The CRC-32 (hex) of a file's bytes, read piece by piece."""
    crc, piece = 0, memoryview(bytearray(_PIECE))
    with open(path, "rb", buffering=0) as file:
        while read := file.readinto(piece):
            crc = zlib.crc32(piece[:read], crc)
    return f"{crc:08x}"


def write(folder, files, *, is_quick=lambda name: False):
    """Write the lists of {name: path} to `folder`; returns {name: path} of the lists.

    is_quick: whether a file of that name is compared by its CRC-32 alone.
    """
    folder, quick = Path(folder), {name: path for name, path in files.items() if is_quick(name)}
    lists = {CRCS: folder / CRCS} if quick else {}
    if quick:
        (folder / CRCS).write_text(_text(quick, crc32), encoding="ascii")
    checked = {name: path for name, path in files.items() if name not in quick} | lists
    (folder / SUMS).write_text(_text(checked, sha256), encoding="ascii")
    return {**lists, SUMS: folder / SUMS}


def _text(files, sum_of):
    return "".join(f"{sum_of(path)}  {name}\n" for name, path in sorted(files.items()))


def listed(folder, kind=SUMS):
    """A folder's SHA256SUMS or CRC32SUMS: {name: sum}. Raises DamagedFile unless `write` made it."""
    try:
        text = (Path(folder) / kind).read_bytes().decode("ascii")
    except (OSError, ValueError) as error:
        raise DamagedFile(kind, f"cannot be read ({type(error).__name__})") from None
    *lines, end = text.split("\n")
    matches = [_LINE.fullmatch(line) for line in lines]
    if end or not lines or not all(match and len(match[1]) == _DIGITS[kind] for match in matches):
        raise DamagedFile(kind, "cannot be read")
    sums = {match[2]: match[1] for match in matches}
    if len(sums) < len(lines):
        raise DamagedFile(kind, "lists a file twice")
    return sums


def check(folder):
    """Raise DamagedFile, naming the file, unless the folder holds a SHA256SUMS and all listed files, unchanged."""
    folder = Path(folder)
    sums = listed(folder)
    _compare(folder, sums, sha256)
    if CRCS in sums:
        _compare(folder, listed(folder, CRCS), crc32)


def _compare(folder, sums, sum_of):
    for name, expected in sums.items():
        try:
            actual = sum_of(folder / name)
        except (OSError, ValueError) as error:
            raise DamagedFile(name, f"cannot be read ({type(error).__name__})") from None
        if actual != expected:
            raise DamagedFile(name, "is not the file that was bundled")
