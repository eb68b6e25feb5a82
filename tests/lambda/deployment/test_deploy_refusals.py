import io
import re
import shutil

import boto3
import deploy
import pytest
import small_export
from botocore import exceptions
from botocore.parsers import ResponseParserError
from deployment import refusals, rollout

from lib.export import bundle
from lib.export.wheels import COMPILED
from lib.files import ROOT

pytest_plugins = "aws_account"


@pytest.fixture
def march(runs, tmp_path, monkeypatch):
    """The export of a run `march` that a test may spoil; AWS must not be asked anything."""
    folder = tmp_path / "models/march/lambda_export"
    shutil.copytree(runs / "models/march/lambda_export", folder)
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    monkeypatch.setattr(rollout.boto3, "Session", lambda **_: pytest.fail("AWS was asked"))
    return folder


def refused(capsys, *words):
    """The one line that deploy.py ends with."""
    assert deploy.main(["--yes", "--run", "march", "--region", "eu-central-1", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("deploy.py: ")
    return line.removeprefix("deploy.py: ").removesuffix(" (live was not moved)")


def rezip(folder, **changes):
    """Write the export's zip anew with `changes` of small_export.write, and list it."""
    shutil.move(folder, folder.with_name("before"))
    small_export.write(folder, folder.with_name("before"), run="march", **changes)


def test_a_zip_over_the_direct_limit_is_refused_before_any_call_and_with_a_bucket_it_is_not(march, capsys):
    rezip(march, extra={"more.bin": bytes(bundle.LARGEST_ZIP)})
    assert re.search(
        r" is 51\.\d MB, more than the 50\.0 MB that Lambda takes directly: give --bucket", refused(capsys)
    )
    with pytest.raises(pytest.fail.Exception, match="AWS was asked"):
        deploy.main(["--run", "march", "--bucket", "models", "--region", "eu-central-1"])


def test_a_zip_that_unpacks_beyond_the_limit_is_refused_before_any_call(march, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "LARGEST_UNPACKED", 1_000_000)
    line = refused(capsys, "--bucket", "models")
    assert re.fullmatch(r"lambda_deployment\.zip unpacks to \d\.\d MB, more than Lambda's 1\.0 MB", line)


def held(numpy, onnxruntime):
    """What stands for packages that are for a Python, such as "313", on a machine."""
    modules = zip(COMPILED.values(), (numpy, onnxruntime), strict=True)
    return {f"{module}.cpython-{built_for}.so": b"" for module, built_for in modules}


@pytest.mark.parametrize(
    ("numpy", "onnxruntime", "said"),
    [
        ("311-x86_64-linux-gnu", "311-x86_64-linux-gnu", "numpy for python3.11 and onnxruntime for python3.11"),
        ("313-x86_64-linux-gnu", "312-x86_64-linux-gnu", "numpy for python3.13 and onnxruntime for python3.12"),
        ("313-darwin", "313-darwin", "numpy for no Python on x86_64 Linux and onnxruntime for no Python"),
        ("313-x86_64-linux-gnu", "313-aarch64-linux-gnu", "and onnxruntime for no Python on x86_64 Linux"),
    ],
)
def test_a_zip_that_lambda_can_not_run_is_refused_with_the_command_for_another(march, capsys, numpy, onnxruntime, said):
    rezip(march, packages=held(numpy, onnxruntime))
    line = refused(capsys)
    assert said in line
    assert "and takes both for python3.12 or python3.13" in line
    assert line.endswith("./run_all.sh run=march lambda_python=3.13 --from 05_export")


@pytest.mark.parametrize("name", ["threshold.npy", bundle.ZIP])
def test_a_file_that_is_not_the_one_that_was_exported_is_refused_by_its_name(march, capsys, name):
    (march / name).write_bytes(b"?")
    line = refused(capsys)
    assert f"{name} is missing, or not the file that was exported: ./run_all.sh run=march --from 05_export" in line


def test_a_zip_that_is_none_is_refused(march, capsys):
    (march / bundle.ZIP).write_bytes(b"?")
    small_export.seal(march)
    assert "can not be read (BadZipFile)" in refused(capsys)


@pytest.mark.parametrize("text", ["", "[]", '{"files": {}}', '{"files": 3}'])
def test_a_model_json_that_lists_no_files_is_refused(march, capsys, text):
    (march / "model.json").write_text(text)
    assert "makes it anew" in refused(capsys)


def test_a_bundle_that_gives_no_score_here_is_refused_before_any_call(march, capsys):
    rezip(march, extra={"threshold.npy": b"?"})
    assert "the bundle, run here, answers the example with 503" in refused(capsys)


def test_a_run_that_was_not_exported_is_refused_with_the_command_that_does_it(march, capsys):
    assert "./run_all.sh run=may" in refused(capsys, "--run", "may")
    assert "expected a run's name" in refused(capsys, "--run", "../march")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--function", "my function"], "--function 'my function': 1 to 64 letters, digits, - and _ is wanted"),
        (["--role", "detector"], "--role 'detector': an ARN such as arn:aws:iam::123456789012:role/name is wanted"),
        (["--bucket", "s3://models"], "--bucket 's3://models': a bucket's name, without s3:// is wanted"),
        (["--rollback", "live"], "--rollback 'live': a version's number is wanted"),
        (["--memory", "100"], "--memory 100: 128 to 10240 is wanted"),
        (["--timeout", "0"], "--timeout 0: 1 to 60 is wanted"),
        (["--reserved", "0"], "--reserved 0: 1 to 10000 is wanted"),
        (["--provisioned", "-1"], "--provisioned -1: 0 to 10000 is wanted"),
        (["--model", "s3"], "--model s3: --bucket is wanted, for the model to lie in"),
    ],
)
def test_a_value_that_aws_would_refuse_is_refused_before_any_call(march, capsys, words, problem):
    assert refused(capsys, *words) == problem


def test_without_a_role_there_is_nothing_to_create_a_function_with(aws, capsys):
    assert "to create it takes --role, its role's ARN" in refused(capsys)
    assert aws.stand_in.asked == ["GetCallerIdentity", "GetFunction"]


def test_without_a_region_it_is_said_how_to_name_one(aws, capsys, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr(rollout.boto3, "Session", boto3.session.Session)
    assert deploy.main(["--yes", "--run", "march"]) == 1
    assert "no region: give --region, such as eu-central-1, or set AWS_DEFAULT_REGION" in capsys.readouterr().err


def test_without_credentials_it_is_said_how_to_get_some(aws, capsys, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(rollout.boto3, "Session", boto3.session.Session)
    assert refused(capsys) == "no credentials: run aws configure or aws sso login, or set AWS_PROFILE"


@pytest.mark.parametrize(
    ("action", "fault", "fix"),
    [
        ("GetCallerIdentity", (403, "ExpiredToken", "expired"), "run aws configure or aws sso login"),
        ("HeadBucket", (404, "", ""), "bucket health-models: there is no such bucket: make it"),
        ("HeadBucket", (403, "", ""), "bucket health-models: the caller may not use it: allow s3:ListBucket"),
        (
            "PutObject",
            (403, "AccessDenied", "no"),
            "AWS refuses PutObject (AccessDenied): no; allow it in the caller's",
        ),
        ("CreateFunction", (403, "AccessDeniedException", "no"), "allow it in the caller's policy"),
        ("CreateFunction", (400, "CodeStorageExceededException", "full"), "delete function versions"),
        (
            "CreateFunction",
            (400, "InvalidParameterValueException", "The role cannot be assumed by Lambda."),
            "its trust policy must name lambda.amazonaws.com; a role made just now takes ten seconds",
        ),
        ("PublishVersion", (409, "ResourceConflictException", "busy"), "is under way: run this again"),
        ("CreateAlias", (412, "PreconditionFailedException", "moved"), "someone else changed it meanwhile"),
    ],
)
def test_what_aws_refuses_is_told_in_one_line_with_what_mends_it(aws, capsys, action, fault, fix):
    aws.stand_in.faults[action] = fault
    assert fix in refused(capsys, "--role", aws.role, "--bucket", aws.bucket)
    assert aws.live is None


def test_a_role_that_is_not_there_is_told_as_aws_does(aws, capsys):
    line = refused(capsys, "--role", aws.role.replace("role/detector", "role/other"))
    assert "cannot be assumed by Lambda; its trust policy must name lambda.amazonaws.com" in line


def test_an_endpoint_where_nothing_answers_is_told(aws, capsys, monkeypatch):
    monkeypatch.setattr(rollout.boto3, "Session", boto3.session.Session)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert refused(capsys).startswith("AWS can not be reached")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "aws")
    assert refused(capsys) == "Invalid endpoint: aws: check --region and AWS_ENDPOINT_URL"


def test_without_a_terminal_nothing_is_done_unless_yes_says_so(aws, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert deploy.main(["--run", "march", "--role", aws.role]) == 1
    assert "there is no terminal to ask at: --yes agrees" in capsys.readouterr().err
    assert "CreateFunction" not in aws.stand_in.asked


@pytest.mark.parametrize(("said", "live"), [("y\n", "1"), ("\n", None), ("", None)])
def test_at_a_terminal_it_asks_first(aws, monkeypatch, capsys, said, live):
    terminal = io.StringIO(said)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert deploy.main(["--run", "march", "--role", aws.role]) == 0
    assert aws.live == live
    assert ("nothing was changed" in capsys.readouterr().out) == (live is None)


def test_a_bucket_in_another_region_is_refused(aws, capsys):
    far = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{aws.stand_in.moto}", region_name="eu-west-1")
    far.create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    line = refused(capsys, "--role", aws.role, "--bucket", "far")
    assert line == "bucket far: it is in eu-west-1, and the function in eu-central-1: name one that is there"
    assert aws.stand_in.asked[-1] == "HeadBucket"


def test_what_is_no_answer_of_aws_is_told():
    assert "what answers is not AWS" in str(refusals.of_aws(ResponseParserError("<html>")))


def test_an_update_that_lambda_gives_up_is_told_with_its_reason():
    state = {"Configuration": {"State": "Failed", "StateReason": "the subnet has no addresses"}}
    error = exceptions.WaiterError(name="FunctionActive", reason="failed", last_response=state)
    assert str(refusals.of_aws(error)) == "the function does not become ready: the subnet has no addresses"


def test_what_deploys_is_not_in_the_bundle():
    own = {path.name for path in (ROOT / "lambda").glob("*.py")} & set(bundle.sources())
    assert own.isdisjoint({"deploy.py", "rollout.py", "refusals.py", "function.py", "model_store.py"})
