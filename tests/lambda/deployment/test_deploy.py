import json

from aws_stand_in import READING

from lib.export import bundle
from lib.run import Run

pytest_plugins = "aws_account"
ALL = ("--bucket", "health-models", "--reserved", "5", "--provisioned", "2")


def test_a_first_deployment_makes_the_function_checks_it_and_then_makes_it_live(aws):
    assert aws.run("--run", "march", "--memory", "1024") == 0
    assert aws.live == "1"
    names = ("Runtime", "Handler", "MemorySize", "Timeout", "Architectures", "Environment")
    assert [aws.setting(name, "1") for name in names] == [
        "python3.13",
        "lambda_function.lambda_handler",
        1024,
        30,
        ["x86_64"],
        None,
    ]
    assert aws.stand_in.asked[-2:] == ["Invoke", "CreateAlias"]


def test_a_second_run_of_the_same_command_publishes_and_uploads_nothing(aws, capsys):
    for _ in range(2):
        aws.stand_in.asked.clear()
        assert aws.run("--run", "march", *ALL) == 0
    assert set(aws.stand_in.asked) == READING - {"GetObject"} | {"PublishVersion", "Invoke"}
    assert (aws.live, aws.versions, aws.stand_in.provisioned) == ("1", ["1"], {"1": 2})
    assert "neither code nor settings differ" in capsys.readouterr().out


def test_another_run_becomes_the_next_version_and_the_one_before_stays_as_it_was(aws):
    aws.deploy("march", "april")
    assert (aws.live, aws.versions) == ("2", ["1", "2"])
    assert aws.setting("CodeSha256", "1") != aws.setting("CodeSha256", "2")


def test_with_a_bucket_the_function_takes_its_model_from_there_pinned_by_its_sha256(aws):
    aws.stand_in.cool()
    assert aws.run("--run", "march", "--bucket", aws.bucket) == 0
    variables = aws.setting("Environment")["Variables"]
    prefix = variables["MODEL_PATH"].removeprefix(f"s3://{aws.bucket}/")
    assert prefix == f"models/march/{variables['MODEL_SHA256'][:16]}"
    assert aws.stand_in.asked.count("GetObject") == 4  # model.json and the three files it names: by the function
    folder = Run.at("march").models / "lambda_export"
    objects = aws.s3.list_objects_v2(Bucket=aws.bucket)["Contents"]
    local = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {item["Key"].removeprefix(f"{prefix}/") for item in objects} == local
    assert aws.stand_in.sent["PutObject"] == (folder / "model.json").read_bytes()  # the last, for it lists the others


def test_memory_and_time_of_the_function_stay_as_they_are_when_left_out(aws):
    assert aws.run("--run", "march", "--memory", "1024") == 0
    aws.change(Timeout=20)
    aws.deploy("april")
    assert [aws.setting(name, "2") for name in ("MemorySize", "Timeout")] == [1024, 20]


def test_other_variables_of_the_function_are_kept_and_those_of_a_model_in_s3_go_with_it(aws):
    aws.run("--run", "march", "--bucket", aws.bucket)
    variables = aws.setting("Environment")["Variables"] | {"TZ": ":Europe/Rome"}
    aws.change(Environment={"Variables": variables})
    assert aws.run("--run", "march", "--model", "embedded") == 0
    assert aws.setting("Environment") == {"Variables": {"TZ": ":Europe/Rome"}}


def test_a_zip_over_the_direct_limit_travels_by_the_bucket(aws, monkeypatch):
    monkeypatch.setattr(bundle, "LARGEST_ZIP", 1000)
    assert aws.run("--run", "march", "--bucket", aws.bucket, "--model", "embedded") == 0
    sent = json.loads(aws.stand_in.sent["CreateFunction"])
    assert set(sent["Code"]) == {"S3Bucket", "S3Key"}
    assert (aws.live, aws.stand_in.asked.count("PutObject")) == ("1", 1)


def test_a_damaged_upload_is_repeated(aws):
    aws.run("--run", "march", "--bucket", aws.bucket)
    key = aws.setting("Environment")["Variables"]["MODEL_PATH"].removeprefix(f"s3://{aws.bucket}/") + "/threshold.npy"
    aws.s3.put_object(Bucket=aws.bucket, Key=key, Body=b"?", ChecksumAlgorithm="SHA256")
    assert aws.run("--run", "march", "--bucket", aws.bucket) == 0
    assert aws.stand_in.sent["PutObject"] == (Run.at("march").models / "lambda_export/threshold.npy").read_bytes()


def test_an_alias_that_was_moved_although_the_answer_was_lost_counts_as_moved(aws):
    aws.deploy("march")
    aws.stand_in.lost.add("UpdateAlias")
    assert aws.run("--run", "april") == 0
    assert aws.live == "2"


def test_live_is_moved_from_the_revision_that_was_read_and_shares_its_calls_with_no_other_version(aws):
    aws.deploy("march")
    revision = aws.functions.get_alias(FunctionName="health-anomaly-detector", Name="live")["RevisionId"]
    aws.deploy("april")
    sent = json.loads(aws.stand_in.sent["UpdateAlias"])
    assert (sent["RevisionId"], sent["RoutingConfig"]) == (revision, {"AdditionalVersionWeights": {}})


def test_a_dry_run_shows_the_changes_and_changes_nothing(aws, capsys):
    aws.deploy("march")
    aws.stand_in.asked.clear()
    capsys.readouterr()
    assert aws.run("--run", "april", "--memory", "1024", *ALL, "--dry-run") == 0
    assert set(aws.stand_in.asked) <= READING
    output = capsys.readouterr().out
    for words in ("MemorySize: 512 → 1024", "upload 6 files", "none → 5", "0 → 2", "live: 1", "code: "):
        assert words in output
    assert (aws.live, aws.versions, aws.setting("MemorySize")) == ("1", ["1"], 512)
