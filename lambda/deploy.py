"""Deploy a run to AWS Lambda: publish a version, check it with the example request, and only then make it `live`.

    .venv/bin/python lambda/deploy.py --run default --function health-anomaly-detector --role ARN --region eu-central-1
    .venv/bin/python lambda/deploy.py --function health-anomaly-detector --rollback

With --bucket the model is in S3, under a prefix of its own for each export, and the function fetches it from there.
Otherwise it is in the zip. Whatever fails, `live` keeps the version it had. If a failure leaves that unknown, the last
line tells how to look it up. This module is not in the bundle.
"""

import argparse
import re
import sys

from deployment import rollout
from deployment.refusals import FAULTS, Refused, from_aws

LONGEST_S = 60  # the longest --timeout; an HTTP API waits for 30 s at most
_PATTERNS = {  # option: pattern, what is expected
    "function": (r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, - and _"),
    "role": (r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", "an ARN such as arn:aws:iam::123456789012:role/name"),
    "bucket": (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name, without s3://"),
    "rollback": (r"|[1-9]\d*", "a version's number"),
}
_RANGES = {"memory": (128, 10240), "timeout": (1, LONGEST_S), "provisioned": (0, 10_000), "reserved": (1, 10_000)}


def main(words=None):
    """Run the command line and return the exit status."""
    options = parsed(words)
    try:
        check(options)
        act = rollout.deploy if options.rollback is None else rollout.roll_back
        act(options, confirm=lambda question: confirm(options, question))
        return 0
    except Refused as error:
        problem = f"{error} ({error.live})"
    except FAULTS as error:
        refused = from_aws(error)
        problem = f"{refused} ({refused.live})"
    except KeyboardInterrupt:
        problem = "stopped: run it again to continue (live was not moved)"
    print(f"deploy.py: {problem}", file=sys.stderr)
    return 1


def parsed(words):
    """The command line as a namespace."""
    parser = argparse.ArgumentParser(prog="deploy.py", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--run", default="default", help="the run whose lambda_export is deployed (default)")
    add("--function", default="health-anomaly-detector", help="the function's name (health-anomaly-detector)")
    add("--role", metavar="ARN", help="the role it runs as; required to create it, unchanged if left out later")
    add("--bucket", help="of S3, for the model, and for the zip if it is over the direct limit")
    add("--model", choices=("s3", "embedded"), help="where the function takes the model from (s3 with --bucket)")
    add("--region", help="of AWS (that of the AWS settings)")
    add("--memory", type=int, metavar="MB", help="128 to 10240 (unchanged; 512 for a new function)")
    add(
        "--timeout",
        type=int,
        metavar="S",
        help=f"of an invocation, 1 to {LONGEST_S} (unchanged; 30 for a new function)",
    )
    add("--provisioned", type=int, metavar="N", help="environments kept started; 0 ends that (unchanged)")
    add("--reserved", type=int, metavar="N", help="reserved concurrent executions (unchanged)")
    rollback = "deploy nothing, and make the version before, or VERSION, live"
    add("--rollback", nargs="?", const="", metavar="VERSION", help=rollback)
    add("--dry-run", action="store_true", help="show what would change, and change nothing; needs no credentials")
    add("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(words)
    options.model = options.model or ("s3" if options.bucket else "embedded")
    return options


def check(options):
    """Raise Refused for a value that AWS would refuse, before any call."""
    for name, (pattern, expected) in _PATTERNS.items():
        value = getattr(options, name)
        if value is not None and not re.fullmatch(pattern, value):
            raise Refused(f"--{name}: expected {expected}, got {value!r}")
    for name, (least, most) in _RANGES.items():
        value = getattr(options, name)
        if value is not None and not least <= value <= most:
            raise Refused(f"--{name}: expected {least} to {most}, got {value}")
    if options.model == "s3" and not options.bucket:
        raise Refused("--model s3 needs --bucket, which is to hold the model")


def confirm(options, question):
    """Whether to go on: --yes, or a yes at the terminal. Raises Refused if there is no terminal."""
    if options.yes and not options.dry_run:
        return True
    if not options.dry_run and not sys.stdin.isatty():
        raise Refused("there is no terminal to ask at: --yes agrees, --dry-run only shows")
    if not options.dry_run and _answers_yes(question):
        return True
    rollout.report("dry run" if options.dry_run else "stop", "nothing was changed")
    return False


def _answers_yes(question):
    """Whether the answer at the terminal is a yes; the end of the input is a no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


if __name__ == "__main__":
    sys.exit(main())
