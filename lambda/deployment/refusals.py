"""Why a deployment stops: one line that says what is wrong and what mends it. Not in the bundle."""

from botocore import exceptions
from botocore.parsers import ResponseParserError

FAULTS = (exceptions.ClientError, exceptions.BotoCoreError, ResponseParserError)  # what a call of boto3 may raise

_CREDENTIALS = "run aws configure or aws sso login, or set AWS_PROFILE"
_FIXES = {  # of an error of AWS, by its code: what to do
    "AccessDenied": "allow it in the caller's policy",
    "AccessDeniedException": "allow it in the caller's policy",
    "403": "allow it in the caller's policy, or take a bucket of your own",
    "404": "check the name",
    "CodeStorageExceededException": "delete function versions that are no longer needed",
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "NoSuchBucket": "make it, or name another by --bucket",
    "PreconditionFailedException": "someone else changed it meanwhile: look at it, then run this again",
    "RequestEntityTooLargeException": "give --bucket, which then carries the zip",
    "ResourceNotFoundException": "aws lambda list-versions-by-function shows what there is",
    "ResourceConflictException": "another change of the function is under way: run this again",
    "TooManyRequestsException": "run this again later",
    "ThrottlingException": "run this again later",
}
_BY_WORDS = {  # of an InvalidParameterValueException, by what its message holds
    "cannot be assumed": "its trust policy must name lambda.amazonaws.com; a role made just now takes ten seconds",
    "UnreservedConcurrentExecution": "take a smaller --reserved, or have the account's quota raised",
    "GetObject": "the bucket must be in the function's region, and readable by the caller",
}
_OF_BOTOCORE = (
    ((exceptions.NoRegionError,), "no region: give --region, such as eu-central-1, or set AWS_DEFAULT_REGION"),
    ((exceptions.NoCredentialsError,), f"no credentials: {_CREDENTIALS}"),
    ((exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError), f"credentials: {_CREDENTIALS}"),
    ((exceptions.SSOError, exceptions.TokenRetrievalError), "the single sign-on has ended: run aws sso login"),
    ((exceptions.ProfileNotFound,), "no such profile: aws configure list-profiles shows those there are"),
    (
        (exceptions.HTTPClientError, exceptions.ConnectionError),
        "AWS can not be reached: check the network, --region and AWS_ENDPOINT_URL",
    ),
)


class Refused(Exception):
    """A deployment stops; the message is one line that says why and what mends it; live: what is known of `live`."""

    def __init__(self, text, *, live="live was not moved"):
        self.live = live
        super().__init__(text)


class MayBeLive(Refused):
    """A deployment stops as `live` is moved, and it is not known whether it was."""


def of_aws(error):
    """The Refused for what boto3 raised, one of FAULTS."""
    if isinstance(error, exceptions.ClientError):
        return Refused(_client_error(error))
    if isinstance(error, exceptions.WaiterError):
        state = (error.last_response or {}).get("Configuration", error.last_response or {})
        reason = state.get("StateReason") or state.get("LastUpdateStatusReason") or "it took too long"
        return Refused(f"the function does not become ready: {_line(reason)}")
    if isinstance(error, ResponseParserError):
        return Refused("what answers is not AWS: check the network, its proxy, and AWS_ENDPOINT_URL")
    for kinds, text in _OF_BOTOCORE:
        if isinstance(error, kinds):
            return Refused(text)
    return Refused(f"boto3 refuses: {_line(error)}")


def code_of(error):
    """The code that AWS gives a ClientError, such as ResourceNotFoundException, or "404" where it has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _client_error(error):
    code = code_of(error)
    told = error.response.get("Error", {}).get("Message") or error.response.get("message") or ""
    fix = _FIXES.get(code) or next((text for words, text in _BY_WORDS.items() if words in told), None)
    return f"AWS refuses {error.operation_name} ({code}): {_line(told)}{'; ' + fix if fix else ''}"


def _line(text):
    return " ".join(str(text).split())[:400].rstrip(".")
