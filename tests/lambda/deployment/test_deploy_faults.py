import pytest
from deployment import function

pytest_plugins = "aws_account"
ALL = ("--bucket", "health-models", "--reserved", "5", "--provisioned", "2")
STEPS = [  # what a redeployment with all options asks of AWS, in this order
    "GetCallerIdentity HeadBucket GetFunction GetAlias GetProvisionedConcurrencyConfig HeadObject PutObject",
    "UpdateFunctionCode UpdateFunctionConfiguration PublishVersion GetFunctionConfiguration Invoke",
    "PutFunctionConcurrency PutProvisionedConcurrencyConfig UpdateAlias",
]
ACTIONS = " ".join(STEPS).split()


def test_the_steps_of_a_redeployment_are_those_that_are_made_to_fail_below(aws):
    aws.deploy("march")
    aws.stand_in.asked.clear()
    assert aws.run("--run", "april", *ALL) == 0
    assert [*dict.fromkeys(a for a in aws.stand_in.asked if a != "GetObject")] == ACTIONS
    assert aws.stand_in.provisioned == {"2": 2}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_failure_at_any_step_leaves_live_where_it_was_and_the_next_run_goes_on(aws, action, capsys):
    aws.deploy("march")
    aws.fail(action)
    assert aws.run("--run", "april", *ALL) == 1
    assert (aws.live, aws.stand_in.provisioned) == ("1", {})
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("(live was not moved)")
    aws.stand_in.faults.clear()
    assert aws.run("--run", "april", *ALL) == 0
    assert (aws.live, aws.versions) == ("2", ["1", "2"])


CALLS = [  # how many calls of an action go well before one fails: the later ones of a redeployment
    *(("GetFunction", after) for after in (1, 2, 3, 4)),  # while the code and then the settings are changed
    *(("GetFunctionConfiguration", after) for after in (1, 2)),  # while the version becomes active
    *((action, after) for action in ("HeadObject", "PutObject") for after in (1, 5)),
    ("GetProvisionedConcurrencyConfig", 1),
    ("GetProvisionedConcurrencyConfig", 2),
]


@pytest.mark.parametrize(("action", "after"), CALLS)
def test_a_failure_of_a_later_call_of_an_action_leaves_live_where_it_was(aws, action, after, monkeypatch, capsys):
    monkeypatch.setattr(function, "PAUSE_S", 0.01)
    aws.deploy("march")
    aws.stand_in.slow, aws.stand_in.starting = 2, [{"Status": "IN_PROGRESS"}] * 2
    aws.stand_in.asked.clear()
    aws.fail(action, after=after)
    assert aws.run("--run", "april", *ALL) == 1
    assert aws.stand_in.asked.count(action) > after
    assert (aws.live, aws.stand_in.provisioned) == ("1", {})
    assert capsys.readouterr().err.endswith("(live was not moved)\n")
    aws.stand_in.faults.clear()
    aws.stand_in.slow, aws.stand_in.starting, aws.stand_in.busy = 0, [], 0
    assert aws.run("--run", "april", *ALL) == 0
    assert aws.live == "2"


@pytest.mark.parametrize("action", [name for name in ACTIONS if name.startswith(("Put", "Update", "Publish"))][:-1])
def test_a_change_with_a_lost_answer_leaves_live_where_it_was_and_the_next_run_goes_on(aws, action):
    aws.deploy("march")
    aws.stand_in.lost.add(action)
    assert aws.run("--run", "april", *ALL) == 1
    assert (aws.live, aws.stand_in.provisioned) == ("1", {})
    aws.stand_in.lost.clear()
    assert aws.run("--run", "april", *ALL) == 0
    assert (aws.live, aws.versions, aws.stand_in.provisioned) == ("2", ["1", "2"], {"2": 2})


def test_a_function_created_with_a_lost_answer_is_used_by_the_next_run(aws):
    aws.stand_in.lost.add("CreateFunction")
    assert aws.run("--run", "march") == 1
    assert aws.live is None
    aws.stand_in.lost.clear()
    assert aws.run("--run", "march") == 0
    assert (aws.live, aws.versions) == ("1", ["1"])


def interrupt(monkeypatch, method):
    """Let Ctrl-C come as soon as a method of LiveFunction's client has been answered."""
    original = function.LiveFunction.__init__

    def interrupted(self, client, name):
        original(self, client, name)
        call = getattr(client, method)

        def stopped(**arguments):
            call(**arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(client, method, stopped)

    monkeypatch.setattr(function.LiveFunction, "__init__", interrupted)


@pytest.mark.parametrize("method", ["publish_version", "put_provisioned_concurrency_config"])
def test_ctrl_c_before_live_is_moved_leaves_it_where_it_was_and_reports_it(aws, monkeypatch, capsys, method):
    aws.deploy("march")
    interrupt(monkeypatch, method)
    assert aws.run("--run", "april", *ALL) == 1
    assert (aws.live, aws.stand_in.provisioned) == ("1", {})
    assert "stopped: run it again to continue (live was not moved)" in capsys.readouterr().err


def test_ctrl_c_while_live_is_moved_keeps_what_may_be_live_and_names_the_command(aws, monkeypatch, capsys):
    aws.deploy("march")
    interrupt(monkeypatch, "update_alias")
    assert aws.run("--run", "april", *ALL) == 1
    assert (aws.live, aws.stand_in.provisioned) == ("2", {"2": 2})
    output = capsys.readouterr()
    assert "stopped as live was moved (aws lambda get-alias" in output.err
    assert "version 2 may be live, and keeps its environments: aws lambda delete-provisioned" in output.out


def test_every_change_is_waited_for_before_the_next_is_asked_for(aws, monkeypatch):
    monkeypatch.setattr(function, "PAUSE_S", 0.01)
    aws.stand_in.slow = 2
    aws.deploy("march")
    assert aws.run("--run", "april", *ALL) == 0
    assert aws.live == "2"


def test_a_change_that_lambda_gives_up_leaves_live_where_it_was(aws, monkeypatch, capsys):
    monkeypatch.setattr(function, "PAUSE_S", 0.01)
    aws.deploy("march")
    failed = {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "the role is gone"}
    aws.stand_in.slow, aws.stand_in.state = 9, failed
    assert aws.run("--run", "april") == 1
    assert "the function does not become ready: the role is gone (live was not moved)" in capsys.readouterr().err
    assert aws.live == "1"


def test_environments_that_take_a_while_are_waited_for(aws, monkeypatch):
    monkeypatch.setattr(function, "PAUSE_S", 0.01)
    aws.deploy("march")
    aws.stand_in.starting = [{"Status": "IN_PROGRESS"}] * 3
    assert aws.run("--run", "april", "--provisioned", "2") == 0
    assert (aws.live, aws.stand_in.starting) == ("2", [])


def test_environments_that_do_not_start_leave_live_where_it_was_and_cost_nothing(aws, capsys):
    aws.deploy("march")
    aws.stand_in.starting = [{"Status": "FAILED", "StatusReason": "too many"}]
    assert aws.run("--run", "april", "--provisioned", "2") == 1
    problem = "provisioned concurrency: too many; use a smaller --provisioned, or none (live was not moved)"
    assert problem in capsys.readouterr().err
    assert (aws.live, aws.stand_in.provisioned) == ("1", {})


def test_if_it_is_unknown_whether_live_was_moved_the_command_that_shows_it_is_printed(aws, capsys):
    aws.deploy("march")
    aws.stand_in.lost.add("UpdateAlias")
    aws.stand_in.then["UpdateAlias"] = {"GetAlias": (500, "ServiceException", "out of order")}
    assert aws.run("--run", "april", "--provisioned", "2") == 1
    assert aws.stand_in.provisioned == {"2": 2}  # of what may be live
    output = capsys.readouterr().err
    assert "AWS stopped answering as live was moved" in output
    assert "aws lambda get-alias --function-name health-anomaly-detector --name live shows where it is" in output


@pytest.mark.parametrize("action", ["CreateFunction", "PublishVersion", "Invoke", "CreateAlias"])
def test_a_failure_of_the_first_deployment_makes_no_alias(aws, action):
    aws.fail(action)
    assert aws.run("--run", "march") == 1
    aws.stand_in.faults.clear()
    assert aws.live is None
    assert aws.run("--run", "march") == 0
    assert aws.live == "1"


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"statusCode": 503, "body": {"detail": "the model is missing"}}, "with 503: the model is missing"),
        ({"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"}, "with no status: Task timed out"),
        ({"statusCode": 200, "body": {"anomalyScore": None, "model": {}}}, "with 200: no score"),
        ("warm", "with no status: no score"),
    ],
)
def test_a_version_without_a_score_is_not_made_live(aws, answer, problem, capsys):
    aws.deploy("march")
    aws.stand_in.answers.append(answer)
    assert aws.run("--run", "april") == 1
    assert aws.live == "1"
    assert f"version 2 answers the example {problem} (live was not moved)" in capsys.readouterr().err


def test_a_version_with_another_score_is_not_made_live(aws, capsys):
    aws.deploy("march")
    body = aws.expected("april")
    aws.stand_in.answers.append({"statusCode": 200, "body": {**body, "anomalyScore": body["anomalyScore"] * 1.001}})
    assert aws.run("--run", "april") == 1
    assert aws.live == "1"
    assert "version 2 scores the example" in capsys.readouterr().err


def test_a_version_that_answers_with_another_model_is_not_made_live(aws, capsys):
    aws.deploy("march")
    aws.stand_in.answers.append({"statusCode": 200, "body": aws.expected("march")})
    assert aws.run("--run", "april") == 1
    assert aws.live == "1"
    assert "'run': 'march'" in capsys.readouterr().err


def test_a_function_that_may_not_read_its_model_is_not_made_live(aws, capsys):
    aws.deploy("march")
    aws.stand_in.cool()
    aws.fail("GetObject", status=403, code="AccessDenied")
    assert aws.run("--run", "april", "--bucket", aws.bucket) == 1
    assert aws.live == "1"
    assert "version 2 answers the example with 503" in capsys.readouterr().err
