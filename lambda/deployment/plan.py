"""What a deployment would change: the difference between the options and what AWS has. Changes nothing itself.

Not in the bundle.
"""

from dataclasses import dataclass

from deployment.function import Deployed
from deployment.model_store import ModelStore
from deployment.package import HANDLER, Package
from deployment.refusals import Refused
from lib.detector.export_folder import MODEL

MEMORY_MB, TIMEOUT_S = 512, 30  # of a new function
MODEL_VARIABLES = ("MODEL_DIR", "MODEL_PATH", "MODEL_SHA256", "MODEL_VERSION_ID")  # which model_source.py reads


@dataclass(frozen=True)
class Plan:
    """The changes; everything else stays as it is."""

    package: Package
    deployed: Deployed
    store: ModelStore | None
    uploads: tuple  # names of files, to the store
    has_new_code: bool
    changed: dict  # settings of the function, as Lambda's API names them: all of them for a new function
    reserved: int | None  # concurrency; None leaves it unchanged
    provisioned: int  # concurrency of the version that is to be live

    @classmethod
    def from_options(cls, options, package, *, store, deployed):
        """Plan a deployment.

        Parameters
        ----------
        options : namespace
            Of `deploy.parsed`.
        package : Package
        store : ModelStore or None
            It is only read.
        deployed : Deployed

        Raises
        ------
        Refused
            For what cannot be deployed.
        """
        now = deployed.configuration or {}
        changed = _changed(_settings(options, package, store=store, deployed=deployed), now)
        reserved = None if options.reserved in (None, deployed.reserved) else options.reserved
        provisioned = deployed.provisioned if options.provisioned is None else options.provisioned
        has_new_code = (now.get("CodeSha256"), now.get("Architectures")) != (package.code_sha256, ["x86_64"])
        check_concurrency(deployed, provisioned, reserved=reserved, moves=has_new_code or bool(changed))
        return cls(
            package=package,
            deployed=deployed,
            store=store,
            uploads=tuple(_uploads(options, package, store)),
            has_new_code=has_new_code,
            changed=changed,
            reserved=reserved,
            provisioned=provisioned,
        )

    def code(self):
        """The zip, or its place in the bucket, as Lambda's API takes it."""
        return {"ZipFile": self.package.archive.read_bytes()} if self.package.is_direct else self.store.code

    def lines(self):
        """Yield the plan in words, line by line."""
        if self.uploads:
            size = sum((self.package.folder / name).stat().st_size for name in self.uploads)
            yield f"upload {len(self.uploads)} files, {size / 1e6:.1f} MB, to {self.store.url}"
        now = self.deployed.configuration
        yield (
            "create the function" if now is None else f"the function exists, live: {self.deployed.live or 'no version'}"
        )
        if self.has_new_code:
            yield f"code: {now['CodeSha256'][:12] if now else 'none'} → {self.package.code_sha256[:12]}"
        for name, value in self.changed.items():
            yield f"{name}: {_as_text((now or {}).get(name))} → {_as_text(value)}"
        if not (self.uploads or self.has_new_code or self.changed):
            yield "neither code nor settings differ: no new version unless the last was never published"
        if self.reserved is not None:
            yield f"reserved concurrency: {self.deployed.reserved or 'none'} → {self.reserved}"
        if self.provisioned or self.deployed.provisioned:
            yield f"provisioned concurrency: {self.deployed.provisioned} → {self.provisioned}"
        yield "publish a version, check it with the example request, and only then move live to it"


def preview(options, package):
    """Yield, line by line, what a deployment would set, without a look at AWS: what is there now is unknown."""
    names = [*package.files, MODEL] if options.model == "s3" else [] if package.is_direct else [package.archive.name]
    if names:
        size = sum((package.folder / name).stat().st_size for name in names)
        yield f"upload up to {len(names)} files, {size / 1e6:.1f} MB, to s3://{options.bucket}/{package.prefix}"
    yield f"code: {package.code_sha256[:12]}, {package.archive.stat().st_size / 1e6:.1f} MB"
    yield f"Runtime: {package.runtime}"
    yield f"Handler: {HANDLER}"
    yield f"Role: {options.role or 'unchanged; --role is required to create the function'}"
    yield f"MemorySize: {options.memory or f'unchanged, or {MEMORY_MB} for a new function'}"
    yield f"Timeout: {options.timeout or f'unchanged, or {TIMEOUT_S} for a new function'}"
    if options.model == "s3":
        yield f"MODEL_SHA256: {package.model_sha256}"
    for name in ("reserved", "provisioned"):
        if (count := getattr(options, name)) is not None:
            yield f"{name} concurrency: {count}"
    yield "publish a version, check it with the example request, and only then move live to it"


def check_concurrency(deployed, provisioned, *, moves, reserved=None):
    """Raise Refused unless the reserved concurrency suffices for a deployment and one request beside it.

    The new version is checked by a request for which no environment is started yet.

    Parameters
    ----------
    deployed : Deployed
    provisioned : int
        Environments of the version that is to be live.
    moves : bool
        Whether that is another version. The old one's environments then run until `live` has moved.
    reserved : int or None
        Concurrency from after the check on; None leaves it unchanged.
    """
    old = deployed.provisioned if moves else 0
    beside = f" beside the {old} of the version that is live" if old else ""
    if (limit := reserved or deployed.reserved) and provisioned + old + 1 > limit:
        raise Refused(
            f"--provisioned {provisioned}{beside}, and one request, are more than the {limit} reserved: take fewer, or "
            f"--reserved {provisioned + old + 1}"
        )
    if deployed.reserved and old + 1 > deployed.reserved:
        raise Refused(
            f"the {old} environments of the live version leave nothing of the {deployed.reserved} reserved to check "
            f"another with: deploy the run that is live, with --reserved {provisioned + old + 1}, first"
        )


def _settings(options, package, *, store, deployed):
    """The function's settings, as Lambda's API names them."""
    now = deployed.configuration or {}
    role = options.role or now.get("Role")
    if role is None:
        raise Refused(f"there is no function {options.function} yet: give --role, its role's ARN, to create it")
    if "Error" in now.get("Environment", {}):
        raise Refused("the function's variables cannot be read: allow kms:Decrypt on their key, or they would be lost")
    variables = now.get("Environment", {}).get("Variables", {})
    variables = {name: value for name, value in variables.items() if name not in MODEL_VARIABLES}
    if options.model == "s3":
        variables |= {"MODEL_PATH": store.url, "MODEL_SHA256": package.model_sha256}
    return {
        "Runtime": package.runtime,
        "Handler": HANDLER,
        "Role": role,
        "MemorySize": options.memory or now.get("MemorySize", MEMORY_MB),
        "Timeout": options.timeout or now.get("Timeout", TIMEOUT_S),
        "Environment": {"Variables": variables},
    }


def _changed(settings, now):
    """The settings that differ from those of the function `now`."""
    changed = {name: value for name, value in settings.items() if now.get(name) != value}
    if changed.get("Environment") == {"Variables": {}} and not now.get("Environment", {}).get("Variables"):
        del changed["Environment"]
    return changed


def _uploads(options, package, store):
    if options.model == "s3":
        return store.missing()
    return [] if package.is_direct else store.missing(zip_alone=True)


def _as_text(value):
    """A setting for people. Variables may hold secrets: only those of the model are shown."""
    if not isinstance(value, dict):
        return "none" if value is None else value
    variables = value.get("Variables", {})
    return " ".join(f"{k}={v}" if k in MODEL_VARIABLES else f"{k}=…" for k, v in sorted(variables.items())) or "none"
