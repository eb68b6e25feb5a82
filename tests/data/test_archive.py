import gzip
import os
import struct
import zipfile

import pytest

from lib.data import archive


def names(path):
    with archive.entries(path) as found:
        return [entry.name for entry in found]


def test_a_file_a_folder_and_a_zip_give_the_same_entries(tmp_path):
    folder = tmp_path / "export"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/a.csv").write_text("one")
    (folder / "b.csv").write_text("two")
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        packed.write(folder / "deep/a.csv", "deep/a.csv")
        packed.write(folder / "b.csv", "b.csv")
    assert names(folder) == names(tmp_path / "export.zip") == ["b.csv", "deep/a.csv"]
    assert names(folder / "b.csv") == ["b.csv"]


def test_zips_in_a_folder_are_opened_and_named(tmp_path):
    for number in (1, 2):
        with zipfile.ZipFile(tmp_path / f"takeout-{number}.zip", "w") as packed:
            packed.writestr("a.csv", "one")
    assert names(tmp_path) == ["takeout-1.zip/a.csv", "takeout-2.zip/a.csv"]


def test_a_zip_within_a_zip_is_opened_and_one_within_that_is_not(tmp_path):
    content = b""
    for depth in (3, 2, 1):
        with zipfile.ZipFile(tmp_path / f"{depth}.zip", "w") as packed:
            packed.writestr(f"{depth}.csv", f"at {depth}")
            if content:
                packed.writestr(f"{depth + 1}.zip", content)
        content = (tmp_path / f"{depth}.zip").read_bytes()
    assert names(tmp_path / "1.zip") == ["1.csv", "2.zip/2.csv", "2.zip/3.zip"]
    with archive.entries(tmp_path / "1.zip") as found:
        assert found[1].read(100) == b"at 2"


def test_a_zip_is_known_by_its_content(tmp_path):
    with zipfile.ZipFile(tmp_path / "export", "w") as packed:
        packed.writestr("a.csv", "one")
    assert names(tmp_path / "export") == ["a.csv"]


def test_hidden_files_and_those_of_a_mac_are_left_alone(tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        for name in ("a.csv", "__MACOSX/._a.csv", ".DS_Store", "x/.hidden/b.csv"):
            packed.writestr(name, "one")
    assert names(tmp_path / "export.zip") == ["a.csv"]


def test_a_gzip_is_read_unpacked(tmp_path):
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"one,two\n"))
    with archive.entries(tmp_path / "a.csv.gz") as (entry,):
        assert entry.head == b"one,two\n"
        assert entry.read(100) == b"one,two\n"


def test_a_name_in_a_zip_never_becomes_a_path(tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        packed.writestr("../../escaped.db", "SQLite format 3\0")
    with archive.entries(tmp_path / "export.zip") as (entry,), entry.local() as path:
        assert "escaped" not in path
        assert os.path.isfile(path)
    assert not os.path.exists(path)
    assert not list(tmp_path.parent.rglob("escaped.db"))


def test_a_zip_bomb_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.csv", bytes(archive.INFLATION_MATTERS + 1))
    with pytest.raises(archive.ArchiveError, match=r"bomb.zip: a\.csv grows more than 200 times"):
        names(tmp_path / "bomb.zip")


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "large.zip", "w") as packed:
        packed.writestr("a.csv", bytes(600))
        packed.writestr("b.csv", bytes(600))
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    with pytest.raises(archive.ArchiveError, match="unpacked"):
        names(tmp_path / "large.zip")


@pytest.mark.parametrize("packed", [True, False])
def test_too_many_files_are_refused(tmp_path, monkeypatch, packed):
    monkeypatch.setattr(archive, "MOST_ENTRIES", 3)
    folder = tmp_path / "export"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as many:
        for number in range(4):
            many.writestr(f"{number}.csv", "one")
            (folder / f"{number}.csv").write_text("one")
    with pytest.raises(archive.ArchiveError, match="at most 3 files.*got 4"):
        names(tmp_path / "many.zip" if packed else folder)


def test_an_encrypted_zip_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "locked.zip", "w") as packed:
        packed.writestr("a.csv", "one")
    content = bytearray((tmp_path / "locked.zip").read_bytes())
    central = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, central + 8, 1)
    (tmp_path / "locked.zip").write_bytes(content)
    with pytest.raises(archive.ArchiveError, match="encrypted"):
        names(tmp_path / "locked.zip")


def test_a_broken_zip_is_named(tmp_path):
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and nothing more")
    with pytest.raises(archive.ArchiveError, match=r"cut\.zip: cannot be read as a zip"):
        names(tmp_path / "cut.zip")


def test_a_pipe_and_a_device_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path, tmp_path / "pipe.csv", "/dev/zero"):
        with pytest.raises(archive.ArchiveError, match="expected a regular file"):
            names(path)


def test_more_bytes_than_a_reader_takes_are_refused(tmp_path):
    (tmp_path / "a.json").write_bytes(bytes(1001))
    with archive.entries(tmp_path / "a.json") as (entry,), pytest.raises(archive.ArchiveError, match="got more"):
        entry.read(1000)


def test_nothing_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        names(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="empty folder"):
        names(tmp_path)


def test_control_characters_of_a_name_are_not_printed():
    assert archive.printable("a\x1b[2J\n.csv") == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}.csv"
    assert len(archive.printable("x" * 5000)) == 200


@pytest.mark.usefixtures("reached")
def test_a_zip_on_s3_is_read(s3_client, tmp_path):
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as packed:
        packed.writestr("a.csv", "one")
    s3_client.create_bucket(Bucket="exports")
    s3_client.put_object(Bucket="exports", Key="me/export.zip", Body=(tmp_path / "export.zip").read_bytes())
    with archive.entries("s3://exports/me/export.zip") as (entry,):
        assert (entry.name, entry.read(100)) == ("a.csv", b"one")
