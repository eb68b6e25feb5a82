"""A function on Lambda, its published versions, and the alias `live` that says which of them answers.

The alias' description keeps the versions it named before, the newest first ("before: 5 4 1"), so that a rollback skips
versions that failed their check and were never live. Not in the bundle.
"""

import json
import re
import time
from dataclasses import dataclass

from botocore.exceptions import ClientError

from deployment.refusals import FAULTS, MayBeLive, Refused, code_of

ALIAS = "live"
KEPT = 20  # versions that the alias remembers: its description holds 256 characters
PAUSE_S, LONGEST_S = 2, 600  # between two looks at an update or at provisioned concurrency, and in all
_BEFORE = re.compile(r"before:((?: \d+)+)$")


@dataclass(frozen=True)
class Held:
    """What is there: of the function's newest, unpublished code, and of the alias."""

    configuration: dict | None  # as Lambda gives it; None where there is no such function
    reserved: int | None = None  # concurrency
    live: str | None = None  # the version that `live` names
    before: tuple = ()  # the versions it named before, the newest first
    revision: str | None = None  # of the alias: whoever moves it makes another
    provisioned: int = 0  # concurrency of the live version


class LiveFunction:
    """The function `name` through boto3's Lambda client. Methods raise what boto3 does, or Refused."""

    def __init__(self, client, name):
        self._client, self.name = client, name

    def held(self):
        """What is there now, a Held."""
        found = self._found(self._client.get_function)
        if found is None:
            return Held(None)
        reserved = found.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        alias = self._found(self._client.get_alias, Name=ALIAS)
        if alias is None:
            return Held(found["Configuration"], reserved)
        live, before = alias["FunctionVersion"], _BEFORE.search(alias.get("Description", ""))
        named = tuple(before[1].split()) if before else ()
        provisioned = self._provisioned(live)
        return Held(found["Configuration"], reserved, live, named, alias["RevisionId"], provisioned)

    def create(self, configuration, code):
        """Create the function and wait until it is active."""
        self._client.create_function(
            FunctionName=self.name, Code=code, Architectures=["x86_64"], PackageType="Zip", **configuration
        )
        self._wait("function_active_v2")

    def update_code(self, code):
        """Give the function other code and wait until it has it. No published version changes."""
        self._client.update_function_code(FunctionName=self.name, Architectures=["x86_64"], **code)
        self._wait("function_updated_v2")

    def update_configuration(self, changed):
        """Give the function other settings and wait until it has them. No published version changes."""
        self._client.update_function_configuration(FunctionName=self.name, **changed)
        self._wait("function_updated_v2")

    def publish(self, code_sha256, *, description):
        """Publish what was updated, and return its version: the last one's where nothing has changed since."""
        version = self._client.publish_version(FunctionName=self.name, CodeSha256=code_sha256, Description=description)[
            "Version"
        ]
        self._wait("published_version_active", Qualifier=version)
        return version

    def invoke(self, version, event):
        """What a version answers to an event: an object; of a failed one, Lambda's report of the error."""
        answer = self._client.invoke(FunctionName=self.name, Qualifier=version, Payload=event)
        try:
            return json.loads(answer["Payload"].read())
        except ValueError:
            raise Refused(f"version {version} does not answer in JSON") from None

    def reserve(self, count):
        """Keep `count` concurrent executions for the function, and let it have no more."""
        self._client.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=count)

    def provision(self, version, count):
        """Keep `count` environments of a version started; returns once they are."""
        self._client.put_provisioned_concurrency_config(
            FunctionName=self.name, Qualifier=version, ProvisionedConcurrentExecutions=count
        )
        ends = time.monotonic() + LONGEST_S
        while True:
            state = self._client.get_provisioned_concurrency_config(FunctionName=self.name, Qualifier=version)
            if state["Status"] == "READY":
                return
            if state["Status"] == "FAILED" or time.monotonic() > ends:
                reason = state.get("StatusReason", "it took too long")
                raise Refused(f"provisioned concurrency: {reason}; take a smaller --provisioned, or none")
            time.sleep(PAUSE_S)

    def release(self, version):
        """Stop paying for a version's provisioned concurrency."""
        self._client.delete_provisioned_concurrency_config(FunctionName=self.name, Qualifier=version)

    def move(self, version, *, held, before, note):
        """Let `live` name `version` alone, unless somebody moved it since `held` was read.

        Raises what boto3 does where it was not moved, MayBeLive where that is not known.
        """
        description = f"{note[:150]}; before: {' '.join(before[:KEPT])}" if before else note[:150]
        alias = {"FunctionName": self.name, "Name": ALIAS, "FunctionVersion": version, "Description": description}
        try:
            if held.live is None:
                self._client.create_alias(**alias)
            else:
                unshared = {"AdditionalVersionWeights": {}}
                self._client.update_alias(**alias, RevisionId=held.revision, RoutingConfig=unshared)
        except FAULTS:
            if not self._names(version, description):  # else only the answer was lost
                raise
        except KeyboardInterrupt:
            raise self._may_be_live("stopped as live was moved") from None

    def _names(self, version, description):
        """Whether `live` names a version, after an attempt to make it do so. Raises MayBeLive where it is not known."""
        try:
            alias = self._found(self._client.get_alias, Name=ALIAS) or {}
        except (*FAULTS, KeyboardInterrupt):
            raise self._may_be_live("AWS stopped answering as live was moved") from None
        return (alias.get("FunctionVersion"), alias.get("Description")) == (version, description)

    def _may_be_live(self, text):
        show = f"aws lambda get-alias --function-name {self.name} --name {ALIAS}"
        return MayBeLive(text, live=f"{show} says where it is")

    def _found(self, ask, **which):
        """What `ask` gives of the function, or None where there is no such thing."""
        try:
            return ask(FunctionName=self.name, **which)
        except ClientError as error:
            if code_of(error) in ("ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException"):
                return None
            raise

    def _provisioned(self, version):
        state = self._found(self._client.get_provisioned_concurrency_config, Qualifier=version) or {}
        return state.get("RequestedProvisionedConcurrentExecutions", 0)

    def _wait(self, until, **which):
        pauses = {"Delay": PAUSE_S, "MaxAttempts": LONGEST_S // PAUSE_S}
        self._client.get_waiter(until).wait(FunctionName=self.name, WaiterConfig=pauses, **which)
