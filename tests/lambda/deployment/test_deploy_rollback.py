import pytest
from aws_stand_in import READING
from deployment import plan, rollout

pytest_plugins = "aws_account"


def test_a_rollback_goes_back_through_the_versions_that_were_live(aws):
    aws.deploy("march")
    aws.stand_in.answers.append("no score")
    assert aws.run("--run", "april") == 1  # version 2, which never was live
    aws.deploy("march", "april", "march")
    moved = [aws.live]
    while aws.run("--rollback") == 0:
        moved.append(aws.live)
    assert moved == ["5", "4", "3", "1"]


def test_after_a_rollback_the_same_run_can_be_deployed_again_without_a_new_version(aws):
    aws.deploy("march", "april")
    assert aws.run("--rollback") == 0
    aws.deploy("april")
    assert (aws.live, aws.versions) == ("2", ["1", "2"])
    assert aws.run("--rollback") == 0
    assert aws.live == "1"


def test_a_rollback_can_name_the_version(aws):
    aws.deploy("march", "april", "march")
    assert aws.run("--rollback", "1") == 0
    assert aws.live == "1"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "live is version 1, and no earlier one is recorded: name it by --rollback VERSION"),
        (("1",), "live is version 1 already"),
        (("7",), "AWS refuses Invoke (ResourceNotFoundException)"),
    ],
)
def test_a_rollback_to_nowhere_is_refused(aws, capsys, words, problem):
    aws.deploy("march")
    assert aws.run("--rollback", *words) == 1
    assert problem in capsys.readouterr().err
    assert aws.live == "1"


def test_a_function_that_was_never_deployed_cannot_be_rolled_back(aws, capsys):
    assert aws.run("--rollback") == 1
    assert "has no alias live in eu-central-1: deploy a run first" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["GetFunction", "GetAlias", "Invoke", "UpdateAlias"])
def test_a_rollback_that_fails_leaves_live_where_it_was(aws, action):
    aws.deploy("march", "april")
    aws.fail(action)
    assert aws.run("--rollback") == 1
    assert aws.live == "2"


def test_a_version_that_no_longer_gives_a_score_is_not_made_live_again(aws, capsys):
    aws.deploy("march", "april")
    aws.stand_in.answers.append({"statusCode": 503, "body": {"detail": "the model is gone"}})
    assert aws.run("--rollback") == 1
    assert aws.live == "2"
    assert "version 1 answers the example with 503: the model is gone" in capsys.readouterr().err


def test_a_dry_run_shows_where_a_rollback_would_go(aws, capsys):
    aws.deploy("march", "april")
    aws.stand_in.asked.clear()
    assert aws.run("--rollback", "--dry-run") == 0
    assert (aws.live, "Invoke" in aws.stand_in.asked) == ("2", False)
    assert "live: version 2 → 1" in capsys.readouterr().out


def test_started_environments_go_with_live_and_end_at_0(aws):
    assert aws.run("--run", "march", "--provisioned", "2") == 0
    aws.deploy("april")
    assert aws.stand_in.provisioned == {"2": 2}
    assert aws.run("--rollback") == 0
    assert aws.stand_in.provisioned == {"1": 2}
    assert aws.run("--run", "april", "--provisioned", "0") == 0
    assert aws.stand_in.provisioned == {}


def test_environments_that_cannot_be_ended_are_reported_with_the_command_that_ends_them(aws, capsys):
    assert aws.run("--run", "march", "--provisioned", "2") == 0
    aws.fail("DeleteProvisionedConcurrencyConfig")
    aws.deploy("april")
    assert aws.live == "2"
    command = "delete-provisioned-concurrency-config --function-name health-anomaly-detector --qualifier 1"
    assert command in capsys.readouterr().out


def refused(aws, capsys, *words):
    """What deploy.py prints to stderr; it must not have changed anything."""
    before = (aws.live, aws.versions, dict(aws.stand_in.provisioned))
    aws.stand_in.asked.clear()
    assert aws.run(*words) == 1
    assert set(aws.stand_in.asked) <= READING
    assert (aws.live, aws.versions, aws.stand_in.provisioned) == before
    return capsys.readouterr().err


def test_environments_that_leave_no_request_of_what_is_reserved_are_refused_before_anything_changes(aws, capsys):
    assert aws.run("--run", "march", "--reserved", "3") == 0
    refusal = refused(aws, capsys, "--run", "april", "--provisioned", "3")
    assert "--provisioned 3, and one request, are more than the 3 reserved: take fewer, or --reserved 4" in refusal
    assert aws.run("--run", "april", "--provisioned", "2") == 0


def test_the_old_versions_environments_count_until_live_has_moved(aws, capsys):
    assert aws.run("--run", "march", "--provisioned", "2", "--reserved", "4") == 0
    refusal = refused(aws, capsys, "--run", "april")
    assert "--provisioned 2 beside the 2 of the version that is live, and one request, are more than the 4" in refusal
    assert aws.run("--run", "march") == 0  # again, which moves nothing
    assert aws.run("--run", "april", "--reserved", "5") == 0
    assert aws.stand_in.provisioned == {"2": 2}
    assert aws.run("--run", "april", "--reserved", "4") == 0
    assert "beside the 2" in refused(aws, capsys, "--rollback")
    assert aws.run("--rollback", "--provisioned", "1") == 0
    assert aws.stand_in.provisioned == {"1": 1}


def test_a_version_is_not_published_if_reserved_concurrency_leaves_no_room_to_check_it(aws, capsys):
    assert aws.run("--run", "march", "--provisioned", "2", "--reserved", "4") == 0
    aws.functions.put_function_concurrency(FunctionName="health-anomaly-detector", ReservedConcurrentExecutions=2)
    aws.stand_in.reserved = 2
    refusal = refused(aws, capsys, "--run", "april", "--provisioned", "1", "--reserved", "9")
    assert (
        "leave nothing of the 2 reserved to check another with: deploy the run that is live, with --reserved" in refusal
    )
    assert aws.run("--run", "march", "--reserved", "9") == 0
    assert aws.run("--run", "april", "--provisioned", "1") == 0


def test_the_stand_in_refuses_what_lambda_would(aws, monkeypatch, capsys):
    monkeypatch.setattr(rollout, "check_concurrency", lambda *_, **__: None)
    monkeypatch.setattr(plan, "check_concurrency", lambda *_, **__: None)
    assert aws.run("--run", "march", "--provisioned", "2", "--reserved", "3") == 0
    assert aws.run("--run", "april") == 1
    assert "Provisioned must not exceed ReservedConcurrentExecutions (live was not moved)" in capsys.readouterr().err
    aws.stand_in.reserved = 2
    assert aws.run("--run", "april", "--provisioned", "0") == 1
    assert "AWS refuses Invoke (TooManyRequestsException)" in capsys.readouterr().err
    assert (aws.live, aws.stand_in.provisioned) == ("1", {"1": 2})
