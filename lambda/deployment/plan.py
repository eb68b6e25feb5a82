"""What a deployment would change: the difference between what is wanted and what AWS has. Changes nothing itself.

Not in the bundle.
"""

from dataclasses import dataclass

from deployment.function import Held
from deployment.model_store import ModelStore
from deployment.package import HANDLER, Package
from deployment.refusals import Refused

MEMORY_MB, TIMEOUT_S = 512, 30  # of a function that is new
OF_MODEL = ("MODEL_DIR", "MODEL_PATH", "MODEL_SHA256", "MODEL_VERSION_ID")  # variables that model_source.py reads


@dataclass(frozen=True)
class Plan:
    """The changes; what is not in them stays as it is."""

    package: Package
    held: Held
    store: ModelStore | None
    uploads: tuple  # names of files, to the store
    has_new_code: bool
    changed: dict  # settings of the function, as Lambda's API names them: all of them where it is to be created
    reserved: int | None  # concurrency, None where it stays
    provisioned: int  # concurrency, of the version that is to be live

    @classmethod
    def of(cls, given, package, *, store, held):
        """The plan for the command line's `given`. Raises Refused for what can not be; the store is only read."""
        wanted = _wanted(given, package, store=store, held=held)
        now = held.configuration or {}
        changed = {name: value for name, value in wanted.items() if now.get(name) != value}
        if changed.get("Environment") == {"Variables": {}} and not now.get("Environment", {}).get("Variables"):
            del changed["Environment"]
        reserved = None if given.reserved in (None, held.reserved) else given.reserved
        provisioned = held.provisioned if given.provisioned is None else given.provisioned
        has_new_code = (now.get("CodeSha256"), now.get("Architectures")) != (package.code_sha256, ["x86_64"])
        check_room(held, provisioned, reserved=reserved, moves=has_new_code or bool(changed))
        return cls(
            package=package,
            held=held,
            store=store,
            uploads=tuple(_uploads(given, package, store)),
            has_new_code=has_new_code,
            changed=changed,
            reserved=reserved,
            provisioned=provisioned,
        )

    def code(self):
        """The zip, or where it lies, as Lambda's API takes it."""
        return {"ZipFile": self.package.archive.read_bytes()} if self.package.is_direct else self.store.code

    def lines(self):
        """The plan in words, a line each."""
        if self.uploads:
            size = sum((self.package.folder / name).stat().st_size for name in self.uploads)
            yield f"upload {len(self.uploads)} files, {size / 1e6:.1f} MB, to {self.store.url}"
        now = self.held.configuration
        yield "create the function" if now is None else f"the function is there, live: {self.held.live or 'no version'}"
        if self.has_new_code:
            yield f"code: {now['CodeSha256'][:12] if now else 'none'} → {self.package.code_sha256[:12]}"
        for name, value in self.changed.items():
            yield f"{name}: {_shown((now or {}).get(name))} → {_shown(value)}"
        if not (self.uploads or self.has_new_code or self.changed):
            yield "neither code nor settings differ: no new version unless the last was never published"
        if self.reserved is not None:
            yield f"reserved concurrency: {self.held.reserved or 'none'} → {self.reserved}"
        if self.provisioned or self.held.provisioned:
            yield f"provisioned concurrency: {self.held.provisioned} → {self.provisioned}"
        yield "publish a version, check it with the example request, and only then move live to it"


def check_room(held, provisioned, *, moves, reserved=None):
    """Raise Refused unless the reserved concurrency has room for what a deployment starts, and one request beside it.

    provisioned: environments of the version that is to be live; moves: whether that is another, beside whose
    environments those of the old one run until `live` has moved; reserved: concurrency from after the check on, None
    where it stays. The new version is checked by a request for which nothing is started yet.
    """
    old = held.provisioned if moves else 0
    beside = f" beside the {old} of the version that is live" if old else ""
    if (limit := reserved or held.reserved) and provisioned + old + 1 > limit:
        raise Refused(
            f"--provisioned {provisioned}{beside}, and one request, are more than the {limit} reserved: take fewer, or "
            f"--reserved {provisioned + old + 1}"
        )
    if held.reserved and old + 1 > held.reserved:
        raise Refused(
            f"the {old} environments of the version that is live leave nothing of the {held.reserved} reserved to "
            f"check another with: deploy the run that is live, with --reserved {provisioned + old + 1}, first"
        )


def _wanted(given, package, *, store, held):
    now = held.configuration or {}
    role = given.role or now.get("Role")
    if role is None:
        raise Refused(f"there is no function {given.function} yet, and to create it takes --role, its role's ARN")
    if "Error" in now.get("Environment", {}):
        raise Refused("the function's variables can not be read: allow kms:Decrypt on their key, or they would be lost")
    variables = {k: v for k, v in now.get("Environment", {}).get("Variables", {}).items() if k not in OF_MODEL}
    if given.model == "s3":
        variables |= {"MODEL_PATH": store.url, "MODEL_SHA256": package.model_sha256}
    return {
        "Runtime": package.runtime,
        "Handler": HANDLER,
        "Role": role,
        "MemorySize": given.memory or now.get("MemorySize", MEMORY_MB),
        "Timeout": given.timeout or now.get("Timeout", TIMEOUT_S),
        "Environment": {"Variables": variables},
    }


def _uploads(given, package, store):
    if given.model == "s3":
        return store.missing()
    return [] if package.is_direct else store.missing(zip_alone=True)


def _shown(value):
    """A setting for people: of the variables, which may hold secrets, only those of the model."""
    if not isinstance(value, dict):
        return "none" if value is None else value
    variables = value.get("Variables", {})
    return " ".join(f"{k}={v}" if k in OF_MODEL else f"{k}=…" for k, v in sorted(variables.items())) or "none"
