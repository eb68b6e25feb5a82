"""SHA256SUMS: the SHA-256 of every other file of a folder, as `sha256sum --check` reads it. Standard library alone.

A bundle is checked by it before anything else of it is imported, for a damaged module may do anything.
"""

import hashlib
import re
from pathlib import Path

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  (\S.*)")


class DamagedFile(Exception):
    """A file is missing, or is not the one that was listed; `file` names it."""

    def __init__(self, file, problem):
        self.file = file
        super().__init__(f"{file}: {problem}")


def sha256(path):
    """The SHA-256 (hex) of a file's bytes, read piece by piece."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def written(files):
    """The text of a SHA256SUMS that lists {name: path}."""
    return "".join(f"{sha256(path)}  {name}\n" for name, path in sorted(files.items()))


def listed(text):
    """What a SHA256SUMS lists: {name: SHA-256}. Raises DamagedFile for any line that `written` could not have made."""
    *lines, end = text.split("\n")
    matches = [_LINE.fullmatch(line) for line in lines]
    if end or not lines or not all(matches):
        raise DamagedFile(SUMS, "can not be read")
    sums = {match[2]: match[1] for match in matches}
    if len(sums) < len(lines):
        raise DamagedFile(SUMS, "lists a file twice")
    return sums


def check(folder):
    """Raise DamagedFile, naming the file, unless the folder holds a SHA256SUMS and all that it lists, unchanged."""
    folder = Path(folder)
    try:
        sums = listed((folder / SUMS).read_bytes().decode("ascii"))
    except (OSError, ValueError) as error:
        raise DamagedFile(SUMS, f"can not be read ({type(error).__name__})") from None
    for name, expected in sums.items():
        try:
            found = sha256(folder / name)
        except (OSError, ValueError) as error:
            raise DamagedFile(name, f"can not be read ({type(error).__name__})") from None
        if found != expected:
            raise DamagedFile(name, "is not the file that was bundled")
