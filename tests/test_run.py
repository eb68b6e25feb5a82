"""A run's folders and record, files written whole or not at all, and locks."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from lib import files
from lib.files import ROOT, Locked, fingerprint, is_full, locked, resolve, write_json, writing
from lib.run import NoSuchRun, Run, open_run, versions


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    monkeypatch.delenv("RUN_STAGED", raising=False)
    return tmp_path


def test_a_run_opened_by_hand_works_in_the_final_folders(home):
    run = open_run("march", create=True)
    assert (run.data, run.models) == (home / "data/march", home / "models/march")
    assert run.data.is_dir()
    assert run.models.is_dir()


def test_a_run_that_does_not_exist_is_not_created_and_those_that_do_are_named(home):
    with pytest.raises(NoSuchRun, match="no run 'march'. There is none yet: ./run_all.sh run=march makes it"):
        open_run("march")
    for name in ("march", "default"):
        open_run(name, create=True)
    (home / "models/.april.partial").mkdir()
    with pytest.raises(NoSuchRun) as caught:
        open_run("defualt")
    expected = "there is no run 'defualt'; did you mean 'default'? There are: default, march"
    assert caught.value.args == (expected,)
    assert sorted(path.name for path in (home / "data").iterdir()) == ["default", "march"]


def test_a_staged_run_works_in_hidden_folders_and_shows_the_final_ones(home, monkeypatch):
    monkeypatch.setenv("RUN_STAGED", "1")
    run = open_run("march")
    assert (run.data, run.models) == (home / "data/.march.partial", home / "models/.march.partial")
    assert run.show(run.models / "lambda_export/threshold.npy") == "models/march/lambda_export/threshold.npy"
    assert run.show(run.data / "raw") == "data/march/raw"


def test_without_runs_home_a_run_is_in_the_repository(monkeypatch):
    monkeypatch.delenv("RUNS_HOME")
    assert Run.at("march").models == ROOT / "models/march"


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a b", "..", "märz", None])
def test_an_invalid_name_is_refused_with_the_rule(name):
    with pytest.raises(ValueError, match=r"letters, digits, '\.', '_' and '-'") as caught:
        open_run(name)
    assert repr(name) in str(caught.value)


@pytest.mark.parametrize("name", ["default", "2026-12", "a.b_c"])
def test_ordinary_names_are_accepted(name):
    assert Run.at(name).name == name


def test_facts_are_read_back_and_later_facts_join_earlier_ones():
    run = open_run("march", create=True)
    run.record("02_clean", rows=3, share=np.float32(0.5))
    run.record("03_train", epochs=np.int64(4))
    run.record("02_clean", rows=5)
    assert run.recorded("02_clean") == {"rows": 5, "share": 0.5}
    assert open_run("march").recorded("03_train") == {"epochs": 4}


def test_a_record_that_is_not_an_object_is_refused():
    run = open_run("odd", create=True)
    (run.models / "run.json").write_text("[]")
    with pytest.raises(ValueError, match=r"^run.json: expected an object, got a list$"):
        _ = run.journal


def test_a_name_too_long_for_a_folder_is_refused():
    assert Run.at("x" * 100).name == "x" * 100
    with pytest.raises(ValueError, match="expected at most 100 characters, got 101"):
        Run.at("x" * 101)


@pytest.mark.parametrize("name", ["README.md", "readme.MD"])
def test_the_names_of_files_beside_the_runs_are_refused(name):
    with pytest.raises(ValueError, match="expected another name, because data/ and models/ hold a file of this one"):
        Run.at(name)


def test_the_folders_of_a_run_are_their_owners_alone(home):
    umask = os.umask(0o022)
    run = open_run("private", create=True)
    os.umask(umask)
    assert {folder.stat().st_mode & 0o777 for folder in (run.data, run.models)} == {0o700}


def test_a_lock_is_never_a_link_to_another_file(home):
    other = home / "other"
    other.write_text("kept")
    (home / "lock").symlink_to(other)
    with pytest.raises(OSError, match="symbolic link"), locked(home / "lock"):
        pass
    assert other.read_text() == "kept"


def test_a_file_reaches_the_disk_before_it_takes_its_place(home, monkeypatch):
    steps = []
    monkeypatch.setattr(files.os, "fsync", lambda _: steps.append("disk"))
    monkeypatch.setattr(files.os, "replace", lambda *_: steps.append("place"))
    with writing(home / "record.json") as new:
        new.write_text("{}")
    assert steps == ["disk", "place"]


def test_a_step_that_has_not_run_is_named_with_the_ways_to_run_it():
    with pytest.raises(LookupError) as caught:
        open_run("x", create=True).recorded("02_clean")
    assert caught.value.args == (
        "run 'x' has no 02_clean yet: run notebooks/02_clean first, or ./run_all.sh run=x --from 02_clean",
    )


def test_writing_puts_the_file_in_place_only_at_the_end(home):
    path = home / "new/table.csv.gz"
    with writing(path) as new:
        new.write_text("whole")
        assert not path.exists()
        assert (new.parent, new.name[0], "".join(new.suffixes)[-7:]) == (path.parent, ".", ".csv.gz")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def write_half(path, write):
    with writing(path) as new:
        write(new)
        raise RuntimeError("disk full")


def test_writing_that_fails_leaves_the_old_file_and_nothing_else(home):
    path = home / "threshold.npy"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk full"):
        write_half(path, lambda new: new.write_text("ha"))
    assert path.read_text() == "old"
    assert list(home.iterdir()) == [path]


def test_a_folder_is_replaced_whole(home):
    path = home / "saved_model"
    path.mkdir()
    (path / "old.pb").touch()
    with writing(path) as new:
        new.mkdir()
        (new / "new.pb").touch()
    assert [file.name for file in path.iterdir()] == ["new.pb"]
    assert list(home.iterdir()) == [path]


def test_a_folder_that_cannot_be_moved_in_leaves_the_old_one(home, monkeypatch):
    path, rename = home / "saved_model", Path.rename
    path.mkdir()
    (path / "old.pb").touch()

    def refuse_the_new(self, target):
        if (self / "new.pb").exists():
            raise PermissionError("no")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    writes = writing(path)
    new = writes.__enter__()
    new.mkdir()
    (new / "new.pb").touch()
    with pytest.raises(PermissionError):
        writes.__exit__(None, None, None)
    assert [file.name for file in path.iterdir()] == ["old.pb"]
    assert list(home.iterdir()) == [path]


def test_a_half_written_folder_is_removed(home):
    with pytest.raises(RuntimeError, match="disk full"):
        write_half(home / "saved_model", lambda new: (new / "variables").mkdir(parents=True))
    assert list(home.iterdir()) == []


def test_a_block_that_writes_nothing_is_an_error(home):
    with pytest.raises(FileNotFoundError, match="nothing was written"), writing(home / "a.csv"):
        pass


def test_json_keeps_the_order_of_keys_and_accepts_arrays(home):
    write_json(home / "a.json", {"b": np.arange(2), "a": "µ"})
    assert (home / "a.json").read_text(encoding="utf-8") == ('{\n  "b": [\n    0,\n    1\n  ],\n  "a": "µ"\n}\n')
    assert json.loads((home / "a.json").read_bytes()) == {"b": [0, 1], "a": "µ"}


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), (object(), TypeError)])
def test_a_value_that_json_cannot_express_is_refused_and_the_old_file_stays(home, value, error):
    write_json(home / "a.json", 1)
    with pytest.raises(error):
        write_json(home / "a.json", {"x": value})
    assert (home / "a.json").read_text() == "1\n"


def test_relative_paths_start_at_the_repository_root(monkeypatch, home):
    monkeypatch.chdir(home)
    assert resolve("lib/run.py") == str(ROOT / "lib/run.py")
    assert resolve("lib/r*n.py") == str(ROOT / "lib/r*n.py")


def test_absolute_paths_and_s3_are_left_as_they_are(home):
    assert resolve(str(home)) == str(home)
    assert resolve("s3://bucket/watch/*.parquet") == "s3://bucket/watch/*.parquet"


@pytest.mark.parametrize("path", ["no/such.csv", "no/such/*.csv"])
def test_a_missing_file_or_an_empty_glob_is_named(path):
    with pytest.raises(FileNotFoundError) as caught:
        resolve(path)
    assert path in str(caught.value)


def test_the_fingerprint_is_the_sha256_of_the_concatenated_files(home):
    (home / "a").write_bytes(b"12")
    (home / "b").write_bytes(b"3")
    assert fingerprint([home / "a", home / "b"]) == hashlib.sha256(b"123").hexdigest()


def test_versions_name_python_and_the_installed_libraries():
    by_name = versions()
    assert list(by_name)[0] == "python"
    assert by_name["numpy"] == np.__version__


def test_a_full_disk_is_distinguished_from_other_errors(tmp_path):
    assert is_full(OSError(errno.ENOSPC, "No space left on device", "a.csv"))
    assert is_full(shutil.Error([("a.csv", "b.csv", "[Errno 28] No space left on device")]))  # as of copytree
    assert not is_full(FileNotFoundError(errno.ENOENT, "No such file", "a.csv"))


def test_a_lock_excludes_a_second_holder_names_the_first_and_leaves_no_file(home):
    path = home / "new/.x.lock"
    with locked(path):
        with pytest.raises(Locked) as caught, locked(path):
            pytest.fail("locked twice")
        assert caught.value.holder == path.read_text()
        assert caught.value.holder.startswith(f"process {os.getpid()} since 20")
    assert not path.exists()


def test_a_lock_file_that_a_killed_process_left_locks_nothing(home):
    (home / ".x.lock").write_text("process 1 since 2026-03-02 07:00:00, and long gone")
    with locked(home / ".x.lock"):
        assert (home / ".x.lock").read_text().startswith(f"process {os.getpid()} since ")
        assert "gone" not in (home / ".x.lock").read_text()


def test_a_lock_file_removed_while_it_is_opened_is_created_again(home, monkeypatch):
    path, flock = home / ".x.lock", fcntl.flock
    removals = iter([path.unlink])

    def after_the_holder_left(file, operation):
        next(removals, lambda: None)()
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", after_the_holder_left)
    with locked(path):
        assert path.exists()
