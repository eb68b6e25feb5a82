"""Staging: the finished run stays complete whatever happens, and finished steps are kept."""

import errno
import pathlib

import pytest

from lib.files import write_json, writing
from lib.run import Run
from lib.workflow import staging


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    return tmp_path


def run_with(name, text, *, staged=False, ran=("01_a", "02_b")):
    run = Run.at(name, staged=staged)
    for folder in (run.data, run.models):
        folder.mkdir(parents=True)
        (folder / "file").write_text(text)
    run.record("ran", **{step: {"parameters": {}} for step in ran})
    return run


def contents(run):
    return {(run.data / "file").read_text(), (run.models / "file").read_text()}


def test_publishing_replaces_both_folders_and_leaves_no_other_file(home):
    run_with("x", "old")
    run_with("x", "new", staged=True)
    staging.publish("x")
    assert contents(Run.at("x")) == {"new"}
    assert sorted(path.name for path in home.glob("*/*")) == ["x", "x"]


def test_a_first_run_is_published():
    run_with("x", "new", staged=True)
    staging.publish("x")
    assert contents(Run.at("x")) == {"new"}


class Crash(BaseException):
    """The process dies here."""


def crash_at(monkeypatch, count):
    """Die just before the `count`-th change that is made to the file system from now on."""
    left = iter(range(count))

    def counted(change):
        def dying(*arguments, **options):
            if next(left, None) is None:
                raise Crash
            return change(*arguments, **options)

        return dying

    monkeypatch.setattr(pathlib.Path, "rename", counted(pathlib.Path.rename))
    monkeypatch.setattr(pathlib.Path, "unlink", counted(pathlib.Path.unlink))
    monkeypatch.setattr(staging, "write_json", counted(staging.write_json))
    monkeypatch.setattr(staging.shutil, "rmtree", counted(staging.shutil.rmtree))


@pytest.mark.parametrize("count", range(11))
def test_after_a_crash_at_any_step_of_publishing_the_old_or_the_new_run_is_complete(home, monkeypatch, count):
    run_with("x", "old")
    run_with("x", "new", staged=True)
    with monkeypatch.context() as patched:
        crash_at(patched, count)
        with pytest.raises(Crash):
            staging.publish("x")
        decided = (home / "models/.x.publish").exists()
        before = {"old", "new"} if decided else contents(Run.at("x"))
    staging.recover("x")
    assert len(contents(Run.at("x"))) == 1
    assert contents(Run.at("x")) <= before
    assert not list(home.glob("*/.x.old"))
    assert not decided or contents(Run.at("x")) == {"new"}


def test_publishing_has_no_more_steps_than_the_crash_test_covers(monkeypatch):
    run_with("x", "old")
    run_with("x", "new", staged=True)
    crash_at(monkeypatch, 11)
    staging.publish("x")
    assert contents(Run.at("x")) == {"new"}


def test_the_unfinished_run_is_continued_if_it_has_the_required_steps():
    run_with("x", "old")
    partial = run_with("x", "new", staged=True, ran=["01_a"])
    assert staging.origin("x", ["01_a"]) == partial
    assert staging.origin("x", ["01_a", "02_b"]) == Run.at("x")


def test_without_results_to_continue_from_the_first_missing_step_is_named():
    run_with("x", "new", staged=True, ran=["01_a"])
    with pytest.raises(staging.NothingToResume) as caught:
        staging.origin("x", ["01_a", "02_b"])
    assert str(caught.value) == "run 'x' has no 02_b to continue from: ./run_all.sh run=x --from 02_b"


def test_an_adjusted_run_is_not_repeated_but_its_base_is_named():
    write_json(Run.at("x-adjusted").models / "lambda_export/model.json", {"adjusted": {"from": {"run": "x"}}})
    with pytest.raises(
        staging.NothingToResume, match="'x-adjusted' is an adjusted export of 'x'.* --only monitor run=x reads"
    ) as caught:
        staging.origin("x-adjusted", ["01_a"])
    assert "run_all.sh" not in str(caught.value)


def test_steps_executed_by_hand_count_in_a_finished_run_only():
    by_hand = run_with("x", "old", ran=[])
    by_hand.record("01_a", rows=3)
    dead = run_with("y", "new", staged=True, ran=[])
    dead.record("01_a", rows=3)
    assert staging.done(by_hand) == {"01_a"}
    assert staging.done(dead) == set()


def test_writing_to_the_copy_of_a_finished_run_leaves_it_unchanged():
    finished = run_with("x", "old")
    staged = staging.stage("x", finished, without=["02_b"])
    for folder in (staged.data, staged.models):
        (folder / "file").write_text("new")
    assert contents(finished) == {"old"}
    assert staging.done(staged) == {"01_a"}
    assert staging.done(finished) == {"01_a", "02_b"}


def with_partitions(name):
    run = run_with(name, "old")
    parts = run.data / "processed/parts"
    parts.mkdir(parents=True)
    (parts / "part-00000.parquet").write_text("old")
    return run, parts


def test_clean_partitions_are_linked_and_replacing_one_leaves_the_finished_run_unchanged():
    finished, parts = with_partitions("x")
    linked = staging.stage("x", finished, without=[]).data / "processed/parts/part-00000.parquet"
    assert linked.samefile(parts / linked.name)
    assert not (linked.parents[2] / "file").samefile(finished.data / "file")
    with writing(linked) as new:
        new.write_text("new")
    assert [path.read_text() for path in (linked, parts / linked.name)] == ["new", "old"]


def test_clean_partitions_are_copied_if_files_cannot_be_linked(monkeypatch):
    finished, _ = with_partitions("x")
    monkeypatch.setattr(staging.os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EXDEV, "another device")))
    staged = staging.stage("x", finished, without=[])
    assert (staged.data / "processed/parts/part-00000.parquet").read_text() == "old"


def test_a_fresh_run_starts_empty():
    run_with("x", "half", staged=True)
    staged = staging.stage("x", None, without=["01_a"])
    assert list(staged.data.iterdir()) == []
    assert [path.name for path in staged.models.iterdir()] == ["run.json"]
    assert staged.journal == {"ran": {}}


def test_continuing_keeps_the_files_but_not_the_record_of_what_runs_again():
    partial = run_with("x", "half", staged=True)
    partial.record("02_b", rows=3)
    partial.record("given", seed=5)
    staged = staging.stage("x", partial, without=["02_b"])
    assert contents(staged) == {"half"}
    assert staged.journal == {"ran": {"01_a": {"parameters": {}}}, "given": {"seed": 5}}


def test_an_interrupted_copy_holds_no_results(monkeypatch):
    finished = run_with("x", "old")
    monkeypatch.setattr(staging, "write_json", lambda *_: (_ for _ in ()).throw(Crash))
    with pytest.raises(Crash):
        staging.stage("x", finished, without=[])
    assert staging.done(Run.at("x", staged=True)) == set()


def test_the_error_for_a_second_process_names_the_holder_of_the_lock():
    with staging.locked("x"):
        with (
            pytest.raises(staging.Busy, match=r"run 'x' is in use by process \d+ since \d{4}-"),
            staging.locked("x"),
        ):
            pytest.fail("locked twice")
        with staging.locked("y"):
            pass
    with staging.locked("x"):
        pass
