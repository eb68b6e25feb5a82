"""Deploy a run to AWS Lambda: publish a version, check it with the example request, and only then let it be `live`.

    .venv/bin/python lambda/deploy.py --run default --function health-anomaly-detector --role ARN --region eu-central-1
    .venv/bin/python lambda/deploy.py --function health-anomaly-detector --rollback

With --bucket the model lies in S3, under a prefix of its own for each export, and the function fetches it from there;
without, it is in the zip. Whatever fails, `live` names the version it named before; where that is not known, for it
failed as `live` was moved, the last line says how to see it. Not in the bundle.
"""

import argparse
import re
import sys

from deployment import rollout
from deployment.refusals import FAULTS, Refused, of_aws

LONGEST_S = 60  # the longest --timeout; behind an HTTP API, 30 s are the most


def main(words=None):
    """The command line; returns the exit status."""
    given = parsed(words)
    try:
        checked(given)
        bring = rollout.deploy if given.rollback is None else rollout.roll_back
        bring(given, agreed=lambda question: agreed(given, question))
        return 0
    except Refused as error:
        problem = f"{error} ({error.live})"
    except FAULTS as error:
        refused = of_aws(error)
        problem = f"{refused} ({refused.live})"
    except KeyboardInterrupt:
        problem = "stopped: run it again, it goes on from there (live was not moved)"
    print(f"deploy.py: {problem}", file=sys.stderr)
    return 1


def parsed(words):
    """The command line as a namespace."""
    parser = argparse.ArgumentParser(prog="deploy.py", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--run", default="default", help="whose lambda_export is deployed (default)")
    add("--function", default="health-anomaly-detector", help="the function's name (health-anomaly-detector)")
    add("--role", metavar="ARN", help="the role it runs as; wanted to create it, kept when left out later")
    add("--bucket", help="of S3: the model goes there, and the zip when it is over the direct limit")
    add("--model", choices=("s3", "embedded"), help="where the function takes it from (s3 with --bucket)")
    add("--region", help="of AWS (that of the AWS settings)")
    add("--memory", type=int, metavar="MB", help="128 to 10240 (as it is; 512 of a new function)")
    add("--timeout", type=int, metavar="S", help=f"of an invocation, 1 to {LONGEST_S} (as it is; 30 of a new function)")
    add("--provisioned", type=int, metavar="N", help="environments kept started; 0 ends that (as it is)")
    add("--reserved", type=int, metavar="N", help="most concurrent executions, kept for it (as it is)")
    back = "let live name the version before, or VERSION, and deploy nothing"
    add("--rollback", nargs="?", const="", metavar="VERSION", help=back)
    add("--dry-run", action="store_true", help="show what would change, and change nothing")
    add("--yes", action="store_true", help="do not ask")
    given = parser.parse_args(words)
    given.model = given.model or ("s3" if given.bucket else "embedded")
    return given


def checked(given):
    """Raise Refused for a value that AWS would refuse, before it is asked anything."""
    patterns = {
        "function": (r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, - and _"),
        "role": (r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", "an ARN such as arn:aws:iam::123456789012:role/name"),
        "bucket": (r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name, without s3://"),
        "rollback": (r"|[1-9]\d*", "a version's number"),
    }
    for name, (pattern, wanted) in patterns.items():
        value = getattr(given, name)
        if value is not None and not re.fullmatch(pattern, value):
            raise Refused(f"--{name} {value!r}: {wanted} is wanted")
    ranges = {"memory": (128, 10240), "timeout": (1, LONGEST_S), "provisioned": (0, 10_000), "reserved": (1, 10_000)}
    for name, (least, most) in ranges.items():
        value = getattr(given, name)
        if value is not None and not least <= value <= most:
            raise Refused(f"--{name} {value}: {least} to {most} is wanted")
    if given.model == "s3" and not given.bucket:
        raise Refused("--model s3: --bucket is wanted, for the model to lie in")


def agreed(given, question):
    """Whether to go on: --yes, or the answer at the terminal. Raises Refused where there is nobody to ask."""
    if given.yes and not given.dry_run:
        return True
    if not given.dry_run and not sys.stdin.isatty():
        raise Refused("there is no terminal to ask at: --yes agrees, --dry-run only shows")
    if not given.dry_run and _answered(question):
        return True
    rollout.say("dry run" if given.dry_run else "stop", "nothing was changed")
    return False


def _answered(question):
    """Whether the answer at the terminal is a yes; the end of the input is none."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


if __name__ == "__main__":
    sys.exit(main())
