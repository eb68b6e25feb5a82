"""A run's way to Lambda, and back: publish a version, check it, and only then let `live` name it. Not in the bundle."""

import boto3
from botocore.config import Config

from deployment import package as deployment_package
from deployment import smoke_check
from deployment.function import LiveFunction
from deployment.model_store import ModelStore
from deployment.plan import Plan, check_room
from deployment.refusals import FAULTS, MayBeLive, Refused

READ_S = 120  # to wait for an answer of AWS: the function may take 60
RELEASE = "aws lambda delete-provisioned-concurrency-config --function-name {} --qualifier {}"


def deploy(given, *, agreed):
    """Bring a run to Lambda as the command line `given` says, once `agreed` (a function) says so.

    Raises Refused, or what boto3 does, with `live` as it was; MayBeLive, a Refused, where it is not known whether
    `live` was moved.
    """
    package = deployment_package.read(given.run, bucket=given.bucket)
    expected = smoke_check.expected(package.archive)
    say("package", f"run {given.run}, {package.runtime}; here it scores the example {expected['anomalyScore']:.6f}")
    session = opened(given.region)
    function = LiveFunction(client(session, "lambda"), given.function)
    store = ModelStore(client(session, "s3"), given.bucket, package) if given.bucket else None
    if store:
        store.check()
    plan = Plan.of(given, package, store=store, held=function.held())
    for line in plan.lines():
        say("plan", line)
    if not agreed(f"Deploy run {given.run} to {given.function}?"):
        return
    version = publish(function, plan)
    check_room(plan.held, plan.provisioned, reserved=plan.reserved, moves=version != plan.held.live)
    check(function, version, expected)
    if plan.reserved is not None:
        function.reserve(plan.reserved)
        say("reserve", f"{plan.reserved} concurrent executions")
    held = plan.held
    before = (held.live, *held.before) if held.live else ()
    go_live(function, version, held=held, before=before, provisioned=plan.provisioned, note=f"run {given.run}")


def publish(function, plan):
    """Carry out a plan up to a published version, which no alias names yet, and return that."""
    for name in plan.uploads:
        plan.store.put(name)
        say("upload", name)
    if plan.held.configuration is None:
        say("create", function.name)
        function.create(plan.changed, plan.code())
    else:
        if plan.has_new_code:
            say("update", "code")
            function.update_code(plan.code())
        if plan.changed:
            say("update", ", ".join(plan.changed))
            function.update_configuration(plan.changed)
    version = function.publish(plan.package.code_sha256, description=f"run {plan.package.run}")
    say("publish", f"version {version}")
    return version


def roll_back(given, *, agreed):
    """Let `live` name the version before, or the one that `given.rollback` names, once that answers with a score.

    Raises what `deploy` does.
    """
    session = opened(given.region)
    function = LiveFunction(client(session, "lambda"), given.function)
    held = function.held()
    if held.live is None:
        raise Refused(f"{given.function} has no alias live in {session.region_name}: deploy a run first")
    version = given.rollback or next(iter(held.before), None)
    if version is None:
        raise Refused(f"live is version {held.live}, and none before it is on record: name one by --rollback VERSION")
    if version == held.live:
        raise Refused(f"live is version {version} already: name another by --rollback VERSION")
    provisioned = held.provisioned if given.provisioned is None else given.provisioned
    check_room(held, provisioned, moves=True)
    say("plan", f"live: version {held.live} → {version}")
    if not agreed(f"Roll {given.function} back to version {version}?"):
        return
    check(function, version, None)
    before = held.before[held.before.index(version) + 1 :] if version in held.before else held.before
    note = f"rolled back from {held.live}"
    go_live(function, version, held=held, before=before, provisioned=provisioned, note=note)


def check(function, version, expected):
    """Raise Refused unless a version answers the example request as is expected (see `smoke_check.check`)."""
    answer = function.invoke(version, smoke_check.EXAMPLE.read_bytes())
    score = smoke_check.check(answer, expected, version=version)
    say("check", f"version {version} scores the example {score:.6f}" + (", as here" if expected else ""))


def go_live(function, version, *, held, before, provisioned, note):
    """Let `live` name a checked version, whose environments are started before, and end those of the last one.

    Raises what `deploy` does.
    """
    moves = version != held.live
    try:
        if provisioned and (moves or provisioned != held.provisioned):
            say("provision", f"{provisioned} environments of version {version}")
            function.provision(version, provisioned)
        if moves:
            function.move(version, held=held, before=before, note=note)
    except MayBeLive:
        if provisioned:
            say("warning", f"version {version} may be live, and keeps its environments: {_release(function, version)}")
        raise
    except BaseException:
        if provisioned and moves:
            release(function, version)
        raise
    say("live", f"version {version}" + (f", it was {held.live}" if moves and held.live else ""))
    if held.provisioned and (moves or not provisioned):
        release(function, held.live)


def release(function, version):
    """End a version's provisioned concurrency. A failure is told, not raised: it must not hide what came before."""
    try:
        function.release(version)
        say("release", f"version {version} keeps no environments")
    except (*FAULTS, KeyboardInterrupt):
        say("warning", f"version {version} may keep environments, which cost: {_release(function, version)}")


def _release(function, version):
    return f"{RELEASE.format(function.name, version)} ends them"


def opened(region):
    """A boto3 session in a region, its credentials tried. Raises Refused, or what boto3 does."""
    session = boto3.Session(region_name=region)
    if not session.region_name:
        raise Refused("no region: give --region, such as eu-central-1, or set AWS_DEFAULT_REGION")
    caller = client(session, "sts").get_caller_identity()
    say("account", f"{caller['Arn']} in {session.region_name}")
    return session


def client(session, service):
    """A client that waits as long as an invocation may take. Raises Refused for what can be no region or endpoint."""
    try:
        return session.client(service, config=Config(read_timeout=READ_S))
    except ValueError as error:
        raise Refused(f"{error}: check --region and AWS_ENDPOINT_URL") from None


def say(step, text):
    """One line of progress."""
    print(f"{step:>9}  {text}", flush=True)
