"""A function on Lambda, its published versions, and the alias `live` that selects the version that answers.

The alias' description keeps the versions that were live before, newest first ("before: 5 4 1"). So a rollback skips
versions that failed their check and never were live. This module is not in the bundle.
"""

import json
import re
import time
from dataclasses import dataclass

from botocore.exceptions import ClientError

from deployment.refusals import FAULTS, MayBeLive, Refused, code_of

ALIAS = "live"
REMEMBERED = 20  # versions in the alias' description, which holds 256 characters
PAUSE_S, LONGEST_S = 2, 600  # between two polls of an update or of provisioned concurrency, and in all
_BEFORE = re.compile(r"before:((?: \d+)+)$")


@dataclass(frozen=True)
class Deployed:
    """The state at AWS: of the function's newest, unpublished code, and of the alias."""

    configuration: dict | None  # as Lambda returns it; None if there is no such function
    reserved: int | None = None  # concurrency
    live: str | None = None  # the version
    before: tuple = ()  # the versions that were live before, newest first
    revision: str | None = None  # of the alias; it changes whenever the alias is moved
    provisioned: int = 0  # concurrency of the live version


class LiveFunction:
    """The function `name` through boto3's Lambda client. Methods raise what boto3 does, or Refused."""

    def __init__(self, client, name):
        self._client, self.name = client, name

    def deployed(self):
        """The present state, a Deployed."""
        function = self._if_exists(self._client.get_function)
        if function is None:
            return Deployed(None)
        configuration = function["Configuration"]
        reserved = function.get("Concurrency", {}).get("ReservedConcurrentExecutions")
        alias = self._if_exists(self._client.get_alias, Name=ALIAS)
        if alias is None:
            return Deployed(configuration, reserved)
        live, before = alias["FunctionVersion"], _BEFORE.search(alias.get("Description", ""))
        return Deployed(
            configuration,
            reserved,
            live=live,
            before=tuple(before[1].split()) if before else (),
            revision=alias["RevisionId"],
            provisioned=self._provisioned(live),
        )

    def create(self, configuration, code):
        """Create the function and wait until it is active."""
        self._client.create_function(
            FunctionName=self.name, Code=code, Architectures=["x86_64"], PackageType="Zip", **configuration
        )
        self._wait("function_active_v2")

    def update_code(self, code):
        """Update the function's code and wait until that is done. No published version changes."""
        self._client.update_function_code(FunctionName=self.name, Architectures=["x86_64"], **code)
        self._wait("function_updated_v2")

    def update_configuration(self, changed):
        """Update the function's settings and wait until that is done. No published version changes."""
        self._client.update_function_configuration(FunctionName=self.name, **changed)
        self._wait("function_updated_v2")

    def publish(self, code_sha256, *, description):
        """Publish the updated function and return its version; without changes it is the last version."""
        published = self._client.publish_version(
            FunctionName=self.name, CodeSha256=code_sha256, Description=description
        )
        version = published["Version"]
        self._wait("published_version_active", Qualifier=version)
        return version

    def invoke(self, version, event):
        """Return a version's answer to an event; after a failure, Lambda's report of the error."""
        answer = self._client.invoke(FunctionName=self.name, Qualifier=version, Payload=event)
        try:
            return json.loads(answer["Payload"].read())
        except ValueError:
            raise Refused(f"version {version}: expected an answer in JSON, got something else") from None

    def reserve(self, count):
        """Reserve `count` concurrent executions for the function, which is also its limit."""
        self._client.put_function_concurrency(FunctionName=self.name, ReservedConcurrentExecutions=count)

    def provision(self, version, count):
        """Keep `count` environments of a version started, and wait until they are."""
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
                raise Refused(f"provisioned concurrency: {reason}; use a smaller --provisioned, or none")
            time.sleep(PAUSE_S)

    def release(self, version):
        """Stop paying for a version's provisioned concurrency."""
        self._client.delete_provisioned_concurrency_config(FunctionName=self.name, Qualifier=version)

    def move(self, version, *, deployed, before, note):
        """Make `version` live, unless somebody moved the alias since `deployed` was read.

        Raises
        ------
        MayBeLive
            If it is unknown whether the alias was moved. If it was not moved, what boto3 does.
        """
        description = f"{note[:150]}; before: {' '.join(before[:REMEMBERED])}" if before else note[:150]
        alias = {"FunctionName": self.name, "Name": ALIAS, "FunctionVersion": version, "Description": description}
        try:
            if deployed.live is None:
                self._client.create_alias(**alias)
            else:
                unshared = {"AdditionalVersionWeights": {}}
                self._client.update_alias(**alias, RevisionId=deployed.revision, RoutingConfig=unshared)
        except FAULTS:
            if not self._has_moved(version, description):  # else only the answer was lost
                raise
        except KeyboardInterrupt:
            raise self._may_be_live("stopped as live was moved") from None

    def _has_moved(self, version, description):
        """Whether an attempt to make a version live succeeded. Raises MayBeLive if that is unknown."""
        try:
            alias = self._if_exists(self._client.get_alias, Name=ALIAS) or {}
        except (*FAULTS, KeyboardInterrupt):
            raise self._may_be_live("AWS stopped answering as live was moved") from None
        return (alias.get("FunctionVersion"), alias.get("Description")) == (version, description)

    def _may_be_live(self, text):
        command = f"aws lambda get-alias --function-name {self.name} --name {ALIAS}"
        return MayBeLive(text, live=f"{command} shows where it is")

    def _if_exists(self, call, **arguments):
        """What a call about the function returns, or None if there is no such thing."""
        try:
            return call(FunctionName=self.name, **arguments)
        except ClientError as error:
            if code_of(error) in ("ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException"):
                return None
            raise

    def _provisioned(self, version):
        state = self._if_exists(self._client.get_provisioned_concurrency_config, Qualifier=version) or {}
        return state.get("RequestedProvisionedConcurrentExecutions", 0)

    def _wait(self, state, **arguments):
        pauses = {"Delay": PAUSE_S, "MaxAttempts": LONGEST_S // PAUSE_S}
        self._client.get_waiter(state).wait(FunctionName=self.name, WaiterConfig=pauses, **arguments)
