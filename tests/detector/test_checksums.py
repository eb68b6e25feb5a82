import random
import shutil
import subprocess
import zlib

import pytest

from lib.detector import checksums
from lib.detector.checksums import DamagedFile

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no bytes
FILES = {"model.json": b"{}", "lib/__init__.py": b"", "numpy/core.so": bytes(range(256)), "numpy/a.py": b"a = 1"}
LISTS = ("SHA256SUMS", "CRC32SUMS")


@pytest.fixture
def folder(tmp_path):
    """A folder of FILES with the lists of their sums, NumPy's by CRC-32."""
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    made = checksums.write(
        tmp_path, {name: tmp_path / name for name in FILES}, is_quick=lambda name: name.startswith("numpy")
    )
    assert made == {name: tmp_path / name for name in LISTS}
    return tmp_path


def test_what_is_written_is_sorted_and_reads_back(folder):
    assert f"{EMPTY}  lib/__init__.py\n" in (folder / "SHA256SUMS").read_text()
    assert list(checksums.listed(folder)) == ["CRC32SUMS", "lib/__init__.py", "model.json"]
    assert checksums.listed(folder, "CRC32SUMS") == {
        name: f"{zlib.crc32(FILES[name]):08x}" for name in ("numpy/a.py", "numpy/core.so")
    }


def test_a_crc_of_a_file_of_many_pieces_is_that_of_its_bytes(tmp_path):
    content = random.Random(1).randbytes(600_001)
    (tmp_path / "large").write_bytes(content)
    assert checksums.crc32(tmp_path / "large") == f"{zlib.crc32(content):08x}"


def test_a_folder_without_quick_files_has_one_list(tmp_path):
    (tmp_path / "a").write_text("a")
    assert list(checksums.write(tmp_path, {"a": tmp_path / "a"})) == ["SHA256SUMS"]
    checksums.check(tmp_path)


@pytest.mark.skipif(not shutil.which("sha256sum"), reason="no sha256sum here")
def test_sha256sum_reads_it(folder):
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)


def test_an_unchanged_folder_passes_whatever_else_lies_in_it(folder):
    (folder / "other").write_text("not listed")
    checksums.check(folder)


@pytest.mark.parametrize("name", ["model.json", "numpy/core.so"])
def test_a_byte_flipped_anywhere_in_a_file_is_found_and_the_file_named(folder, name):
    for place in range(len(FILES[name])):
        content = bytearray(FILES[name])
        content[place] ^= 1
        (folder / name).write_bytes(content)
        with pytest.raises(DamagedFile, match="is not the file") as caught:
            checksums.check(folder)
        assert caught.value.file == name


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("bit", range(8))
def test_a_byte_flipped_anywhere_in_a_list_itself_is_found(folder, name, bit):
    sums = folder / name
    sound = sums.read_bytes()
    for place in range(len(sound)):
        sums.write_bytes(sound[:place] + bytes([sound[place] ^ 1 << bit]) + sound[place + 1 :])
        with pytest.raises(DamagedFile):
            checksums.check(folder)


@pytest.mark.parametrize("name", [*LISTS, "model.json", "numpy/a.py"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(DamagedFile, match=f"{name}: cannot be read .FileNotFoundError.") as caught:
        checksums.check(folder)
    assert caught.value.file == name


@pytest.mark.parametrize(
    "text",
    ["", "\n", f"{EMPTY}  a", f"{EMPTY} a\n", f"{EMPTY.upper()}  a\n", f"{EMPTY[1:]}  a\n", f"{EMPTY}  a\n\n", "# a\n"],
)
def test_a_list_that_could_not_have_been_written_is_refused(tmp_path, text):
    (tmp_path / "SHA256SUMS").write_text(text)
    with pytest.raises(DamagedFile, match="SHA256SUMS: cannot be read"):
        checksums.listed(tmp_path)


def test_a_file_listed_twice_is_refused(tmp_path):
    (tmp_path / "SHA256SUMS").write_text(f"{EMPTY}  a\n{EMPTY}  a\n")
    with pytest.raises(DamagedFile, match="lists a file twice"):
        checksums.listed(tmp_path)
