"""Deploy a run, or roll back: publish a version, check it, and only then make it `live`. Not in the bundle."""

import boto3
from botocore.config import Config

from deployment import package as deployment_package
from deployment import smoke_check
from deployment.function import LiveFunction
from deployment.model_store import ModelStore
from deployment.plan import Plan, check_concurrency, preview
from deployment.refusals import FAULTS, MayBeLive, Refused

READ_S = 120  # to wait for an answer of AWS: the function may take 60
RELEASE = "aws lambda delete-provisioned-concurrency-config --function-name {} --qualifier {}"


def deploy(options, *, confirm):
    """Deploy a run.

    Parameters
    ----------
    options : namespace
        Of `deploy.parsed`.
    confirm : callable
        Takes a question and returns whether to go on.

    Raises
    ------
    Refused
        Or what boto3 raises, with `live` as it was.
    MayBeLive
        A Refused, if it is unknown whether `live` was moved.
    """
    package = deployment_package.read(options.run, bucket=options.bucket)
    expected = smoke_check.expected(package.archive)
    score = expected["anomalyScore"]
    report("package", f"run {options.run}, {package.runtime}; here it scores the example {score:.6f}")
    if options.dry_run and (reason := _no_account(options.region)):
        for line in preview(options, package):
            report("plan", line)
        report("dry run", f"AWS was not asked ({reason}): what is there now is unknown")
        return
    session = open_session(options.region)
    function = LiveFunction(client(session, "lambda"), options.function)
    store = ModelStore(client(session, "s3"), options.bucket, package) if options.bucket else None
    if store:
        store.check()
    plan = Plan.from_options(options, package, store=store, deployed=function.deployed())
    for line in plan.lines():
        report("plan", line)
    if confirm(f"Deploy run {options.run} to {options.function}?"):
        carry_out(function, plan, expected)


def carry_out(function, plan, expected):
    """Publish what the plan says, check it against the `expected` answer, and make it live."""
    deployed = plan.deployed
    version = publish(function, plan)
    check_concurrency(deployed, plan.provisioned, reserved=plan.reserved, moves=version != deployed.live)
    check(function, version, expected)
    if plan.reserved is not None:
        function.reserve(plan.reserved)
        report("reserve", f"{plan.reserved} concurrent executions")
    before = (deployed.live, *deployed.before) if deployed.live else ()
    note = f"run {plan.package.run}"
    go_live(function, version, deployed=deployed, before=before, provisioned=plan.provisioned, note=note)


def publish(function, plan):
    """Carry out a plan up to a published version, which no alias names yet, and return that version."""
    for name in plan.uploads:
        plan.store.put(name)
        report("upload", name)
    if plan.deployed.configuration is None:
        report("create", function.name)
        function.create(plan.changed, plan.code())
    else:
        if plan.has_new_code:
            report("update", "code")
            function.update_code(plan.code())
        if plan.changed:
            report("update", ", ".join(plan.changed))
            function.update_configuration(plan.changed)
    version = function.publish(plan.package.code_sha256, description=f"run {plan.package.run}")
    report("publish", f"version {version}")
    return version


def roll_back(options, *, confirm):
    """Make the version before, or `options.rollback`, live, once it answers with a score.

    Takes and raises what `deploy` does.
    """
    session = open_session(options.region)
    function = LiveFunction(client(session, "lambda"), options.function)
    deployed = function.deployed()
    version = _rollback_target(options, deployed, session.region_name)
    provisioned = deployed.provisioned if options.provisioned is None else options.provisioned
    check_concurrency(deployed, provisioned, moves=True)
    report("plan", f"live: version {deployed.live} → {version}")
    if not confirm(f"Roll {options.function} back to version {version}?"):
        return
    check(function, version, None)
    before = deployed.before
    before = before[before.index(version) + 1 :] if version in before else before
    note = f"rolled back from {deployed.live}"
    go_live(function, version, deployed=deployed, before=before, provisioned=provisioned, note=note)


def _rollback_target(options, deployed, region):
    """The version to roll back to. Raises Refused if there is none."""
    if deployed.live is None:
        raise Refused(f"{options.function} has no alias live in {region}: deploy a run first")
    version = options.rollback or next(iter(deployed.before), None)
    if version is None:
        raise Refused(f"live is version {deployed.live}, and no earlier one is recorded: name it by --rollback VERSION")
    if version == deployed.live:
        raise Refused(f"live is version {version} already: name another by --rollback VERSION")
    return version


def check(function, version, expected):
    """Raise Refused unless a version answers the example request as expected (see `smoke_check.check`)."""
    answer = function.invoke(version, smoke_check.EXAMPLE.read_bytes())
    score = smoke_check.check(answer, expected, version=version)
    report("check", f"version {version} scores the example {score:.6f}" + (", as here" if expected else ""))


def go_live(function, version, *, deployed, before, provisioned, note):
    """Make a checked version live. Its environments start first; those of the old version end last.

    Parameters
    ----------
    function : LiveFunction
    version : str
    deployed : Deployed
        As it was before.
    before : tuple of str
        The versions that the alias is to remember, newest first.
    provisioned : int
        Environments to keep started.
    note : str
        For the alias' description.

    Raises
    ------
    Refused, MayBeLive
        As `deploy` does.
    """
    moves = version != deployed.live
    try:
        if provisioned and (moves or provisioned != deployed.provisioned):
            report("provision", f"{provisioned} environments of version {version}")
            function.provision(version, provisioned)
        if moves:
            function.move(version, deployed=deployed, before=before, note=note)
    except MayBeLive:
        if provisioned:
            command = _release_command(function, version)
            report("warning", f"version {version} may be live, and keeps its environments: {command}")
        raise
    except BaseException:
        if provisioned and moves:
            release(function, version)
        raise
    report("live", f"version {version}" + (f", it was {deployed.live}" if moves and deployed.live else ""))
    if deployed.provisioned and (moves or not provisioned):
        release(function, deployed.live)


def release(function, version):
    """End a version's provisioned concurrency. A failure is reported, not raised: it must not hide an earlier one."""
    try:
        function.release(version)
        report("release", f"version {version} keeps no environments")
    except (*FAULTS, KeyboardInterrupt):
        command = _release_command(function, version)
        report("warning", f"version {version} may keep environments, which cost: {command}")


def _release_command(function, version):
    return f"{RELEASE.format(function.name, version)} ends them"


def _no_account(region):
    """Why AWS cannot be asked, or None: there is no region, or there are no credentials."""
    session = boto3.Session(region_name=region)
    if not session.region_name:
        return "no region"
    return None if session.get_credentials() else "no credentials"


def open_session(region):
    """Open a boto3 session in a region and try its credentials. Raises Refused, or what boto3 does."""
    session = boto3.Session(region_name=region)
    if not session.region_name:
        raise Refused("no region: give --region, such as eu-central-1, or set AWS_DEFAULT_REGION")
    caller = client(session, "sts").get_caller_identity()
    report("account", f"{caller['Arn']} in {session.region_name}")
    return session


def client(session, service):
    """A client that waits as long as an invocation may take. Raises Refused for an impossible region or endpoint."""
    try:
        return session.client(service, config=Config(read_timeout=READ_S))
    except ValueError as error:
        raise Refused(f"{error}: check --region and AWS_ENDPOINT_URL") from None


def report(step, text):
    """Print one line of progress."""
    print(f"{step:>9}  {text}", flush=True)
