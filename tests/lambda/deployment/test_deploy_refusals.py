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
    """The export of a run `march` that a test may damage; no call of AWS is allowed."""
    folder = tmp_path / "models/march/lambda_export"
    shutil.copytree(runs / "models/march/lambda_export", folder)
    monkeypatch.setenv("RUNS_HOME", str(tmp_path))
    monkeypatch.setattr(rollout.boto3, "Session", lambda **_: pytest.fail("AWS was called"))
    return folder


def refused(capsys, *words):
    """The one line that deploy.py prints to stderr."""
    assert deploy.main(["--yes", "--run", "march", "--region", "eu-central-1", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("deploy.py: ")
    return line.removeprefix("deploy.py: ").removesuffix(" (live was not moved)")


def rezip(folder, **changes):
    """Write the export's zip again with `changes` of small_export.write, and list it."""
    shutil.move(folder, folder.with_name("before"))
    small_export.write(folder, folder.with_name("before"), run="march", **changes)


def test_a_zip_over_the_direct_limit_needs_a_bucket(march, capsys):
    rezip(march, extra={"more.bin": bytes(bundle.LARGEST_ZIP)})
    assert re.search(
        r"expected at most 50\.0 MB, which Lambda takes directly, got 51\.\d MB: give --bucket", refused(capsys)
    )
    with pytest.raises(pytest.fail.Exception, match="AWS was called"):
        deploy.main(["--run", "march", "--bucket", "models", "--region", "eu-central-1"])


def test_a_zip_that_unpacks_beyond_the_limit_is_refused_before_any_call(march, capsys, monkeypatch):
    monkeypatch.setattr(bundle, "LARGEST_UNPACKED", 1_000_000)
    line = refused(capsys, "--bucket", "models")
    assert re.fullmatch(r"lambda_deployment\.zip unpacks to \d\.\d MB, more than Lambda's 1\.0 MB", line)


def compiled_for(numpy, onnxruntime):
    """Files that stand for packages, built for a Python such as "313" on a machine."""
    modules = zip(COMPILED.values(), (numpy, onnxruntime), strict=True)
    return {f"{module}.cpython-{built_for}.so": b"" for module, built_for in modules}


@pytest.mark.parametrize(
    ("numpy", "onnxruntime", "packages"),
    [
        ("311-x86_64-linux-gnu", "311-x86_64-linux-gnu", "numpy for python3.11 and onnxruntime for python3.11"),
        ("313-x86_64-linux-gnu", "312-x86_64-linux-gnu", "numpy for python3.13 and onnxruntime for python3.12"),
        ("313-darwin", "313-darwin", "numpy for no Python on x86_64 Linux and onnxruntime for no Python"),
        ("313-x86_64-linux-gnu", "313-aarch64-linux-gnu", "and onnxruntime for no Python on x86_64 Linux"),
    ],
)
def test_a_zip_that_lambda_cannot_run_is_refused_with_the_command_for_another(
    march, capsys, numpy, onnxruntime, packages
):
    rezip(march, packages=compiled_for(numpy, onnxruntime))
    line = refused(capsys)
    assert packages in line
    assert "expected both packages for python3.12 or python3.13" in line
    assert line.endswith("./run_all.sh run=march lambda_python=3.13 --from 05_export")


@pytest.mark.parametrize("name", ["threshold.npy", bundle.ZIP])
def test_a_file_that_is_not_the_exported_one_is_refused_by_its_name(march, capsys, name):
    (march / name).write_bytes(b"?")
    line = refused(capsys)
    assert f"{name} is missing, or is not the exported file: ./run_all.sh run=march --from 05_export" in line


def test_a_file_that_is_not_a_zip_is_refused(march, capsys):
    (march / bundle.ZIP).write_bytes(b"?")
    small_export.seal(march)
    assert "cannot be read (BadZipFile)" in refused(capsys)


@pytest.mark.parametrize("text", ["", "[]", '{"files": {}}', '{"files": 3}'])
def test_a_model_json_that_lists_no_files_is_refused(march, capsys, text):
    (march / "model.json").write_text(text)
    assert "writes it again" in refused(capsys)


def test_a_bundle_without_a_score_here_is_refused_before_any_call(march, capsys):
    rezip(march, extra={"threshold.npy": b"?"})
    assert "the bundle, run here, answers the example with 503" in refused(capsys)


def test_a_run_that_was_not_exported_is_refused_with_the_command_that_does_it(march, capsys):
    assert "./run_all.sh run=may" in refused(capsys, "--run", "may")
    assert "expected a run's name" in refused(capsys, "--run", "../march")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--function", "my function"], "--function: expected 1 to 64 letters, digits, - and _, got 'my function'"),
        (["--role", "detector"], "--role: expected an ARN such as arn:aws:iam::123456789012:role/name, got 'detector'"),
        (["--bucket", "s3://models"], "--bucket: expected a bucket's name, without s3://, got 's3://models'"),
        (["--rollback", "live"], "--rollback: expected a version's number, got 'live'"),
        (["--memory", "100"], "--memory: expected 128 to 10240, got 100"),
        (["--timeout", "0"], "--timeout: expected 1 to 60, got 0"),
        (["--reserved", "0"], "--reserved: expected 1 to 10000, got 0"),
        (["--provisioned", "-1"], "--provisioned: expected 0 to 10000, got -1"),
        (["--model", "s3"], "--model s3 needs --bucket, which is to hold the model"),
    ],
)
def test_a_value_that_aws_would_refuse_is_refused_before_any_call(march, capsys, words, problem):
    assert refused(capsys, *words) == problem


def test_without_a_role_a_function_cannot_be_created(aws, capsys):
    assert "give --role, its role's ARN, to create it" in refused(capsys)
    assert aws.stand_in.asked == ["GetCallerIdentity", "GetFunction"]


def test_without_a_region_the_remedy_is_printed(aws, capsys, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setattr(rollout.boto3, "Session", boto3.session.Session)
    assert deploy.main(["--yes", "--run", "march"]) == 1
    assert "no region: give --region, such as eu-central-1, or set AWS_DEFAULT_REGION" in capsys.readouterr().err


def test_without_credentials_the_remedy_is_printed(aws, capsys, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setattr(rollout.boto3, "Session", boto3.session.Session)
    assert refused(capsys) == "no credentials: run aws configure or aws sso login, or set AWS_PROFILE"


@pytest.mark.parametrize("missing", [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_DEFAULT_REGION",)])
def test_a_dry_run_without_an_account_shows_what_would_be_set(aws, capsys, monkeypatch, missing):
    for name in missing:
        monkeypatch.delenv(name)
    monkeypatch.setattr(rollout.boto3, "Session", boto3.session.Session)
    words = ("--run", "march", "--bucket", "health-models", "--memory", "1024", "--reserved", "5", "--dry-run")
    assert deploy.main(words) == 0
    output = capsys.readouterr().out
    texts = ("upload up to 6 files", "s3://health-models/models/march/", "MemorySize: 1024", "reserved concurrency: 5")
    for text in texts:
        assert text in output
    assert "Timeout: unchanged, or 30 for a new function" in output
    assert "AWS was not asked (no " in output
    assert aws.stand_in.asked == []


@pytest.mark.parametrize(
    ("action", "fault", "fix"),
    [
        ("GetCallerIdentity", (403, "ExpiredToken", "expired"), "run aws configure or aws sso login"),
        ("HeadBucket", (404, "", ""), "bucket health-models: there is no such bucket: create it"),
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
            "its trust policy must name lambda.amazonaws.com; a new role takes ten seconds",
        ),
        ("PublishVersion", (409, "ResourceConflictException", "busy"), "is under way: run this again"),
        ("CreateAlias", (412, "PreconditionFailedException", "moved"), "someone else changed it meanwhile"),
    ],
)
def test_a_refusal_by_aws_is_one_line_with_the_remedy(aws, capsys, action, fault, fix):
    aws.stand_in.faults[action] = fault
    assert fix in refused(capsys, "--role", aws.role, "--bucket", aws.bucket)
    assert aws.live is None


def test_a_role_that_does_not_exist_is_reported_in_the_words_of_aws(aws, capsys):
    line = refused(capsys, "--role", aws.role.replace("role/detector", "role/other"))
    assert "cannot be assumed by Lambda; its trust policy must name lambda.amazonaws.com" in line


def test_an_endpoint_without_an_answer_is_reported(aws, capsys, monkeypatch):
    monkeypatch.setattr(rollout.boto3, "Session", boto3.session.Session)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert refused(capsys).startswith("AWS cannot be reached")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "aws")
    assert refused(capsys) == "Invalid endpoint: aws: check --region and AWS_ENDPOINT_URL"


def test_without_a_terminal_nothing_is_done_unless_yes_is_given(aws, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert deploy.main(["--run", "march", "--role", aws.role]) == 1
    assert "there is no terminal to ask at: --yes agrees" in capsys.readouterr().err
    assert "CreateFunction" not in aws.stand_in.asked


@pytest.mark.parametrize(("typed", "live"), [("y\n", "1"), ("\n", None), ("", None)])
def test_at_a_terminal_it_asks_first(aws, monkeypatch, capsys, typed, live):
    terminal = io.StringIO(typed)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert deploy.main(["--run", "march", "--role", aws.role]) == 0
    assert aws.live == live
    assert ("nothing was changed" in capsys.readouterr().out) == (live is None)


def test_a_bucket_in_another_region_is_refused(aws, capsys):
    far = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{aws.stand_in.moto}", region_name="eu-west-1")
    far.create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    line = refused(capsys, "--role", aws.role, "--bucket", "far")
    assert line == "bucket far: expected the function's region eu-central-1, got eu-west-1: use a bucket there"
    assert aws.stand_in.asked[-1] == "HeadBucket"


def test_an_answer_that_is_not_from_aws_is_reported():
    assert "what answers is not AWS" in str(refusals.from_aws(ResponseParserError("<html>")))


def test_an_update_that_lambda_gives_up_is_reported_with_its_reason():
    state = {"Configuration": {"State": "Failed", "StateReason": "the subnet has no addresses"}}
    error = exceptions.WaiterError(name="FunctionActive", reason="failed", last_response=state)
    assert str(refusals.from_aws(error)) == "the function does not become ready: the subnet has no addresses"


def test_the_deployment_code_is_not_in_the_bundle():
    bundled = {path.name for path in (ROOT / "lambda").glob("*.py")} & set(bundle.sources())
    assert bundled.isdisjoint({"deploy.py", "rollout.py", "refusals.py", "function.py", "model_store.py"})
