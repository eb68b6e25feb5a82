import json
import re
import subprocess
import sys
from pathlib import Path

import deploy
import pytest
import request_log
from cfnlint.decode import cfn_yaml
from deployment import package as deployment_package
from deployment import plan

from lib.export import bundle
from lib.files import ROOT
from lib.workflow import parameters

TEMPLATE = ROOT / "lambda" / "template.yaml"


@pytest.fixture(scope="module")
def template():
    """The template as plain objects, with the long names of its intrinsic functions."""
    return cfn_yaml.load(str(TEMPLATE))


@pytest.fixture(scope="module")
def resources(template):
    return {name: {**resource, **resource["Properties"]} for name, resource in template["Resources"].items()}


def lint(path):
    """The output of cfn-lint for a template. It needs no network."""
    command = Path(sys.executable).with_name("cfn-lint")
    return subprocess.run([command, path], capture_output=True, text=True).stdout


def test_cfn_lint_accepts_the_template():
    assert lint(TEMPLATE) == ""


def test_cfn_lint_would_find_a_missing_resource(tmp_path):
    text = TEMPLATE.read_text(encoding="utf-8").replace("!GetAtt DetectorLogs.Arn", "!GetAtt SomeLogs.Arn")
    (tmp_path / "template.yaml").write_text(text, encoding="utf-8")
    assert "'SomeLogs' is not one of" in lint(tmp_path / "template.yaml")


def test_the_role_may_write_its_own_log_and_read_one_prefix_and_nothing_else(resources):
    role = resources["DetectorRole"]
    assert "ManagedPolicyArns" not in role
    (policy,) = role["Policies"]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["DetectorLogs", "Arn"]},
        },
        {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": {"Fn::Sub": "${ModelBucket.Arn}/${ModelPrefix}/*"},
        },
    ]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}
    assert resources["Detector"]["Role"] == {"Fn::GetAtt": ["DetectorRole", "Arn"]}
    assert resources["Detector"]["LoggingConfig"]["LogGroup"] == {"Ref": "DetectorLogs"}


def test_the_prefix_that_the_role_may_read_is_the_one_that_deployments_write(template):
    package = deployment_package.Package("default", None, {}, "0" * 64, "python3.13")
    assert package.prefix.startswith(template["Parameters"]["ModelPrefix"]["Default"] + "/")


def test_template_and_deployment_give_the_function_the_same_settings(template, resources):
    detector, options = resources["Detector"], deploy.parsed([])
    assert detector["Handler"] == deployment_package.HANDLER
    assert detector["Runtime"] == {"Ref": "Runtime"}
    runtime = template["Parameters"]["Runtime"]
    assert set(runtime["AllowedValues"]) == set(deployment_package.RUNTIMES)
    (python,) = [
        one for one in parameters.notebook_parameters(ROOT / "notebooks/05_export.ipynb") if one.name == "lambda_python"
    ]
    assert runtime["Default"] == f"python{python.default}"
    assert detector["Architectures"] == ["x86_64"]
    assert (options.timeout, options.memory) == (None, None)  # unchanged: the template sets them
    assert detector["Timeout"] == plan.TIMEOUT_S
    assert template["Parameters"]["MemorySize"]["Default"] == plan.MEMORY_MB
    assert template["Parameters"]["FunctionName"]["Default"] == options.function
    assert detector["AutoPublishAlias"] == "live"
    code = (TEMPLATE.parent / detector["CodeUri"]).resolve()
    assert code == ROOT / "models" / options.run / "lambda_export" / bundle.ZIP


def test_nobody_calls_the_api_without_an_authorizer_and_it_calls_the_alias(resources):
    route = resources["SyncRoute"]
    assert route["RouteKey"] == "POST /health-data/sync"
    assert route["AuthorizationType"] == {"Fn::If": ["UsesJwt", "JWT", "AWS_IAM"]}
    assert [name for name, resource in resources.items() if resource["Type"] == "AWS::ApiGatewayV2::Route"] == [
        "SyncRoute"
    ]
    assert resources["ApiIntegration"]["IntegrationUri"] == {"Ref": "Detector.Alias"}
    assert resources["ApiMayInvoke"]["FunctionName"] == {"Ref": "Detector.Alias"}


def test_tokens_need_issuer_and_audience(template):
    rule = template["Rules"]["JwtIsComplete"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "Authorizer"}, "JWT"]}
    expected = [{"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]} for name in ("JwtIssuer", "JwtAudience")]
    assert [assertion["Assert"] for assertion in rule["Assertions"]] == expected


def test_the_api_is_throttled_and_a_token_may_need_a_scope(template, resources):
    limits = {"ThrottlingRateLimit": {"Ref": "ThrottleRate"}, "ThrottlingBurstLimit": {"Ref": "ThrottleBurst"}}
    assert resources["ApiStage"]["DefaultRouteSettings"] == limits
    scopes = {"Fn::Split": [",", {"Ref": "JwtScopes"}]}
    expected = {"Fn::If": ["UsesScopes", scopes, {"Ref": "AWS::NoValue"}]}
    assert resources["SyncRoute"]["AuthorizationScopes"] == expected
    needs_jwt, has_scopes = template["Conditions"]["UsesScopes"]["Fn::And"]
    assert needs_jwt == {"Fn::Equals": [{"Ref": "Authorizer"}, "JWT"]}
    assert has_scopes == {"Fn::Not": [{"Fn::Equals": [{"Ref": "JwtScopes"}, ""]}]}


def test_the_dashboard_is_json_that_shows_metrics_which_exist(template, resources):
    values = {"AWS::Region": "eu-central-1", "FunctionName": "detector", "AlertRateAlarm": "0.05"}
    text = re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], resources["Dashboard"]["DashboardBody"]["Fn::Sub"])
    widgets = [widget["properties"] for widget in json.loads(text)["widgets"]]
    metrics = [metric for widget in widgets for metric in widget["metrics"]]
    searched = {match for row in metrics for match in re.findall(r'MetricName="(\w+)"', str(row))}
    assert searched <= set(request_log.METRICS)
    filters = [one for one in resources.values() if one["Type"] == "AWS::Logs::MetricFilter"]
    filtered = {metric["MetricName"] for one in filters for metric in one["MetricTransformations"]}
    assert {row[1] for row in metrics if row[0] == "detector"} == filtered
    assert {widget["region"] for widget in widgets} == {"eu-central-1"}


def test_the_bucket_is_encrypted_closed_to_the_public_and_outlives_the_stack(resources):
    bucket = resources["ModelBucket"]
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["DeletionPolicy"] == "Retain"


def test_every_log_is_kept_for_a_limited_time(resources):
    groups = [resource for resource in resources.values() if resource["Type"] == "AWS::Logs::LogGroup"]
    assert [group["RetentionInDays"] for group in groups] == [{"Ref": "LogRetentionDays"}] * 2


def test_the_alarms_read_what_the_function_logs_and_what_lambda_counts(resources):
    alarms = {n: (a["Namespace"], a["MetricName"]) for n, a in resources.items() if a["Type"].endswith("::Alarm")}
    namespace = {"Ref": "FunctionName"}
    assert alarms == {
        "FailedAnswersAlarm": (namespace, "FailedAnswers"),
        "ErrorsAlarm": ("AWS/Lambda", "Errors"),
        "LatencyAlarm": ("AWS/Lambda", "Duration"),
        "AlertRateTooHigh": (namespace, "Alerts"),
    }
    filters = {name: resources[name] for name in ("FailedAnswers", "AlertRate")}
    names = [
        transformed["MetricName"] for resource in filters.values() for transformed in resource["MetricTransformations"]
    ]
    assert names == ["FailedAnswers", "Alerts"]
    assert filters["AlertRate"]["FilterPattern"] == "{ $.Windows > 0 }"
    assert filters["FailedAnswers"]["FilterPattern"] == "{ $.Status >= 500 }"
    assert {"Windows", "Alerts"} <= set(request_log.METRICS)
