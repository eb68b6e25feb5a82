"""Fixtures: an AWS account on loopback with a role and a bucket, and two runs to deploy there.

A test module gets them by pytest_plugins = "aws_account".
"""

import functools
import json
import os
from types import SimpleNamespace

import boto3
import deploy
import pytest
import small_export
from aws_stand_in import StandIn, serve
from deployment import rollout, smoke_check
from moto.server import ThreadedMotoServer

from lib.export import bundle
from lib.run import Run

FUNCTION, BUCKET, REGION = "health-anomaly-detector", "health-models", "eu-central-1"
SETTINGS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "1",  # a planned fault happens once
    "NO_PROXY": "127.0.0.1",
}
TRUST = {"Statement": {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}}


class Account:
    """The state at AWS, read directly from moto, and the command line."""

    bucket = BUCKET

    def __init__(self, stand_in):
        direct = {"endpoint_url": f"http://127.0.0.1:{stand_in.moto}", "region_name": REGION}
        self.stand_in = stand_in
        self.functions, self.s3 = boto3.client("lambda", **direct), boto3.client("s3", **direct)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        roles = boto3.client("iam", **direct)
        role = roles.create_role(RoleName="detector", AssumeRolePolicyDocument=json.dumps(TRUST))
        self.role = role["Role"]["Arn"]

    def run(self, *words):
        """The exit status of deploy.py with these words."""
        return deploy.main(["--function", FUNCTION, "--role", self.role, "--yes", *words])

    def deploy(self, *runs):
        """Deploy these runs, one after the other."""
        assert [self.run("--run", run) for run in runs] == [0] * len(runs)

    @property
    def live(self):
        """The version that is live; None without an alias."""
        try:
            return self.functions.get_alias(FunctionName=FUNCTION, Name="live")["FunctionVersion"]
        except self.functions.exceptions.ResourceNotFoundException:
            return None

    @property
    def versions(self):
        """All published versions, oldest first."""
        listed = self.functions.list_versions_by_function(FunctionName=FUNCTION)["Versions"]
        return [version["Version"] for version in listed if version["Version"] != "$LATEST"]

    def setting(self, name, version="$LATEST"):
        """One of a version's settings, or None."""
        return self.functions.get_function_configuration(FunctionName=FUNCTION, Qualifier=version).get(name)

    def change(self, **settings):
        """Give the function other settings, as somebody else might."""
        self.functions.update_function_configuration(FunctionName=FUNCTION, **settings)

    def fail(self, action, *, status=500, code="ServiceException", message="out of order", after=0):
        """Let AWS answer an action with an error from now on, or after `after` more calls."""
        self.stand_in.calls_before_fault[action] = after
        self.stand_in.faults[action] = (status, code, message)

    def expected(self, run):
        """The body of a run's answer to the example."""
        return smoke_check.expected(Run.at(run).models / "lambda_export" / bundle.ZIP)


@pytest.fixture(scope="session")
def stand_in():
    moto = ThreadedMotoServer(port=0)
    moto.start()
    with StandIn(moto.get_host_and_port()[1]) as server:
        serve(server)
        yield server
        server.shutdown()
    moto.stop()


@pytest.fixture(scope="session")
def runs(tmp_path_factory, export):
    """A folder with two finished runs, whose models score the example differently."""
    home = tmp_path_factory.mktemp("home")
    for run, shift in (("march", 0.0), ("april", 0.5)):
        (home / "models" / run).mkdir(parents=True)
        small_export.write(home / "models" / run / "lambda_export", export, run=run, shift=shift)
    return home


@pytest.fixture(scope="session")
def cached():
    """What each deployment would repeat and all tests share: the bundle's answer here, and boto3's sessions."""
    return SimpleNamespace(expected=functools.cache(smoke_check.expected), session=functools.cache(boto3.Session))


@pytest.fixture
def aws(stand_in, runs, cached, monkeypatch):
    """An Account in which nothing is deployed yet."""
    stand_in.reset()
    for name in [name for name in os.environ if name.startswith(("AWS_", "MODEL_"))]:
        monkeypatch.delenv(name)
    for name, value in {**SETTINGS, "RUNS_HOME": str(runs), "AWS_ENDPOINT_URL": stand_in.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(smoke_check, "expected", cached.expected)
    monkeypatch.setattr(rollout.boto3, "Session", cached.session)
    return Account(stand_in)
