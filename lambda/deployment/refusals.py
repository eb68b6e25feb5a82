"""Why a deployment stops: one line with the reason and the remedy. Not in the bundle."""

from botocore import exceptions
from botocore.parsers import ResponseParserError

FAULTS = (exceptions.ClientError, exceptions.BotoCoreError, ResponseParserError)  # what a call of boto3 may raise

_CREDENTIALS = "run aws configure or aws sso login, or set AWS_PROFILE"
_REMEDIES = {  # by the code of AWS' error
    "AccessDenied": "allow it in the caller's policy",
    "AccessDeniedException": "allow it in the caller's policy",
    "403": "allow it in the caller's policy, or use your own bucket",
    "404": "check the name",
    "CodeStorageExceededException": "delete function versions that are no longer needed",
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "NoSuchBucket": "create it, or name another by --bucket",
    "PreconditionFailedException": "someone else changed it meanwhile: look at it, then run this again",
    "RequestEntityTooLargeException": "give --bucket, which then carries the zip",
    "ResourceNotFoundException": "aws lambda list-versions-by-function shows what there is",
    "ResourceConflictException": "another change of the function is under way: run this again",
    "TooManyRequestsException": "run this again later",
    "ThrottlingException": "run this again later",
}
_REMEDIES_BY_WORDS = {  # of an InvalidParameterValueException, by words of its message
    "cannot be assumed": "its trust policy must name lambda.amazonaws.com; a new role takes ten seconds",
    "UnreservedConcurrentExecution": "use a smaller --reserved, or have the account's quota raised",
    "GetObject": "the bucket must be in the function's region, and readable by the caller",
}
_BOTOCORE_ERRORS = (
    ((exceptions.NoRegionError,), "no region: give --region, such as eu-central-1, or set AWS_DEFAULT_REGION"),
    ((exceptions.NoCredentialsError,), f"no credentials: {_CREDENTIALS}"),
    ((exceptions.PartialCredentialsError, exceptions.CredentialRetrievalError), f"credentials: {_CREDENTIALS}"),
    ((exceptions.SSOError, exceptions.TokenRetrievalError), "the single sign-on has ended: run aws sso login"),
    ((exceptions.ProfileNotFound,), "no such profile: aws configure list-profiles shows the profiles"),
    (
        (exceptions.HTTPClientError, exceptions.ConnectionError),
        "AWS cannot be reached: check the network, --region and AWS_ENDPOINT_URL",
    ),
)


class Refused(Exception):
    """A deployment stops. The message is one line with reason and remedy; `live` is what is known of the alias."""

    def __init__(self, text, *, live="live was not moved"):
        self.live = live
        super().__init__(text)


class MayBeLive(Refused):
    """A deployment stops while `live` is moved, and it is unknown whether it was."""


def from_aws(error):
    """The Refused for what boto3 raised, one of FAULTS."""
    if isinstance(error, exceptions.ClientError):
        return Refused(_client_error(error))
    if isinstance(error, exceptions.WaiterError):
        state = (error.last_response or {}).get("Configuration", error.last_response or {})
        reason = state.get("StateReason") or state.get("LastUpdateStatusReason") or "it took too long"
        return Refused(f"the function does not become ready: {_one_line(reason)}")
    if isinstance(error, ResponseParserError):
        return Refused("what answers is not AWS: check the network, its proxy, and AWS_ENDPOINT_URL")
    for kinds, text in _BOTOCORE_ERRORS:
        if isinstance(error, kinds):
            return Refused(text)
    return Refused(f"boto3 refuses: {_one_line(error)}")


def code_of(error):
    """The code of a ClientError, such as ResourceNotFoundException, or "404" if it has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _client_error(error):
    code = code_of(error)
    message = error.response.get("Error", {}).get("Message") or error.response.get("message") or ""
    by_words = (text for words, text in _REMEDIES_BY_WORDS.items() if words in message)
    remedy = _REMEDIES.get(code) or next(by_words, None)
    return f"AWS refuses {error.operation_name} ({code}): {_one_line(message)}{'; ' + remedy if remedy else ''}"


def _one_line(text):
    return " ".join(str(text).split())[:400].rstrip(".")
