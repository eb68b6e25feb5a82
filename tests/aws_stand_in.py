"""AWS on loopback: moto's server behind a gate that adds what moto can not do, and fails where it is told to.

moto keeps functions, versions, aliases and objects. The gate runs the code that was uploaded, in a process of its own
under AWS' runtime client, when a function is invoked; and it keeps provisioned concurrency, which moto has not.
"""

import base64
import hashlib
import http.client
import json
import re
import tempfile
import threading
import urllib.request
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from emulator.environment import ExecutionEnvironment

from lib.export import bundle

_ACTIONS = [  # (method, pattern of the path, action)
    ("POST", r"/[\d-]+/functions/?", "CreateFunction"),
    ("GET", r"/[\d-]+/functions/[^/]+", "GetFunction"),
    ("GET", r"/[\d-]+/functions/[^/]+/configuration", "GetFunctionConfiguration"),
    ("PUT", r"/[\d-]+/functions/[^/]+/configuration", "UpdateFunctionConfiguration"),
    ("PUT", r"/[\d-]+/functions/[^/]+/code", "UpdateFunctionCode"),
    ("POST", r"/[\d-]+/functions/[^/]+/versions", "PublishVersion"),
    ("POST", r"/[\d-]+/functions/[^/]+/aliases", "CreateAlias"),
    ("GET", r"/[\d-]+/functions/[^/]+/aliases/[^/]+", "GetAlias"),
    ("PUT", r"/[\d-]+/functions/[^/]+/aliases/[^/]+", "UpdateAlias"),
    ("PUT", r"/[\d-]+/functions/[^/]+/concurrency", "PutFunctionConcurrency"),
    ("GET", r"/[\d-]+/functions/[^/]+/provisioned-concurrency", "GetProvisionedConcurrencyConfig"),
    ("PUT", r"/[\d-]+/functions/[^/]+/provisioned-concurrency", "PutProvisionedConcurrencyConfig"),
    ("DELETE", r"/[\d-]+/functions/[^/]+/provisioned-concurrency", "DeleteProvisionedConcurrencyConfig"),
    ("POST", r"/[\d-]+/functions/[^/]+/invocations", "Invoke"),
    ("POST", r"/", "GetCallerIdentity"),
    ("HEAD", r"/[^/]+/?", "HeadBucket"),
    ("HEAD", r"/[^/]+/.+", "HeadObject"),
    ("GET", r"/[^/]+/.+", "GetObject"),
    ("PUT", r"/[^/]+/.+", "PutObject"),
]
_CHANGING = {"CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration", "PublishVersion"}
READING = {"GetFunction", "GetFunctionConfiguration", "GetAlias", "GetProvisionedConcurrencyConfig"}
READING |= {"GetCallerIdentity", "HeadBucket", "HeadObject", "GetObject"}


def action_of(method, path):
    """The API's name of a request's action."""
    return next(name for verb, pattern, name in _ACTIONS if verb == method and re.fullmatch(pattern, path))


class StandIn(ThreadingHTTPServer):
    """The gate in front of moto, which listens at the port `moto`.

    asked: the actions so far; sent: the newest body (bytes) of each; faults: {action: (status, code, message)} to
    answer instead of doing it; spared: {action: how many calls go well before its fault}; lost: actions that are done,
    but whose answer is a 500; then: {action: faults} from that action on; answers: what the next invocations give
    instead of running code; slow: how many looks at a function a change of it takes, during which it is in the `state`
    and takes no other; starting: what the next looks at provisioned concurrency see. Where concurrency is reserved, no
    more than that is started, and a request for which nothing is started needs some of it.
    """

    daemon_threads = True

    def __init__(self, moto):
        self.moto = moto
        super().__init__(("127.0.0.1", 0), _Gate)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._environments, self._open = {}, ExitStack()
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        self._log = self._open.enter_context((self._folder / "log").open("w"))
        self.forget()

    def forget(self):
        """Be as new: nothing asked, nothing planned, and moto's state gone."""
        self.asked, self.sent, self.faults, self.lost, self.answers = [], {}, {}, set(), []
        self.provisioned, self.codes, self.starting, self.then = {}, {}, [], {}
        self.spared, self.reserved = {}, None
        self.slow, self.busy, self.state = 0, 0, {"State": "Pending", "LastUpdateStatus": "InProgress"}
        urllib.request.urlopen(f"http://127.0.0.1:{self.moto}/moto-api/reset", data=b"").close()

    def cool(self):
        """Start other processes for the next invocations, as if none had come for long."""
        self._environments = {}

    def server_close(self):
        """Stop listening, and every process that ran code."""
        super().server_close()
        self._open.close()

    def pass_on(self, method, target, headers, body):
        """moto's answer: (status, headers, body)."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.moto)) as moto:
            moto.request(method, target, body=body, headers=headers)
            answer = moto.getresponse()
            return answer.status, answer.getheaders(), answer.read()

    def run(self, code_sha256, variables, event):
        """What the code of that SHA-256 answers to an event (bytes) under these variables: bytes."""
        key = (code_sha256, *sorted(variables.items()))
        if key not in self._environments:
            folder = self._open.enter_context(bundle.unpacked(self.codes[code_sha256]))
            own = {"AWS_ENDPOINT_URL": self.url, "TMPDIR": tempfile.mkdtemp(dir=self._folder)}
            environment = ExecutionEnvironment(folder, log=self._log, variables=own | variables)
            self._environments[key] = self._open.enter_context(environment)
        return self._environments[key].invoke(event).answer.result()

    def spares(self, action):
        """Whether a call that has a fault goes well yet."""
        self.spared[action] = self.spared.get(action, 0) - 1
        return self.spared[action] >= 0

    def beyond_reserve(self, action, url, body):
        """What Lambda says of a call that takes more than is reserved, or None; remembers what is."""
        if action == "PutFunctionConcurrency":
            self.reserved = json.loads(body)["ReservedConcurrentExecutions"]
        version = parse_qs(url.query).get("Qualifier", [None])[0]
        others = sum(count for name, count in self.provisioned.items() if name != version)
        if self.reserved is None:
            return None
        if action == "Invoke" and version not in self.provisioned and others >= self.reserved:
            return 429, "TooManyRequestsException", "Rate Exceeded."
        wanted = json.loads(body)["ProvisionedConcurrentExecutions"] if action.startswith("PutProvisioned") else 0
        if others + wanted > self.reserved and (wanted or action == "PutFunctionConcurrency"):
            return 400, "InvalidParameterValueException", "Provisioned must not exceed ReservedConcurrentExecutions"
        return None

    def at_work(self, action, answer):
        """The answer to an action, which tells of a function that is still being changed."""
        if action in _CHANGING:
            self.busy = self.slow
        elif self.busy and action in ("GetFunction", "GetFunctionConfiguration"):
            self.busy -= 1
            status, headers, body = answer
            found = json.loads(body)
            found.get("Configuration", found).update(self.state)
            return status, headers, json.dumps(found).encode()
        return answer

    def keep(self, action, path, body):
        """Remember the zip in a request, whose code may be run later; most requests hold none."""
        if action == "PutObject" and path.endswith(".zip"):
            content = body
        elif action in ("CreateFunction", "UpdateFunctionCode"):
            given = json.loads(body)
            content = base64.b64decode(given.get("Code", given).get("ZipFile", ""))
        else:
            return
        digest = hashlib.sha256(content).digest()
        kept = self._folder / f"{digest.hex()}.zip"
        kept.write_bytes(content)
        self.codes[base64.b64encode(digest).decode()] = kept


class _Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # with Expect: 100-continue, which S3's client sends
    wbufsize = -1  # an answer is one packet, which nobody waits to acknowledge

    def do_GET(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action, stand_in = action_of(self.command, url.path), self.server
        stand_in.asked.append(action)
        stand_in.sent[action] = body
        if action in stand_in.faults and not stand_in.spares(action):
            status, code, message = stand_in.faults[action]
            return self.fail(status, code, message)
        if stand_in.busy and action in _CHANGING | {"Invoke"}:
            return self.fail(409, "ResourceConflictException", "an update is in progress")
        stand_in.keep(action, url.path, body)
        if problem := stand_in.beyond_reserve(action, url, body):
            return self.fail(*problem)
        special = {"Invoke": self.invoke}.get(action, self.provision if "Provisioned" in action else None)
        answer = special(url, body) if special else stand_in.pass_on(self.command, self.path, self.headers, body)
        answer = stand_in.at_work(action, answer)
        stand_in.faults |= stand_in.then.get(action, {})
        if action in stand_in.lost:
            return self.fail(500, "ServiceException", "lost")
        self.reply(*answer)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET

    def handle_expect_100(self):
        """Ask for the body at once: the client waits for that."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def invoke(self, url, body):
        if self.server.answers:
            return 200, [], json.dumps(self.server.answers.pop(0)).encode()
        name = url.path.split("/")[3]
        query = f"/2015-03-31/functions/{name}/configuration?{url.query}"
        headers = {n: v for n, v in self.headers.items() if n.lower() not in ("content-length", "content-type")}
        status, headers, content = self.server.pass_on("GET", query, headers, None)
        if status != 200:
            return status, headers, content
        configuration = json.loads(content)
        variables = configuration.get("Environment", {}).get("Variables", {})
        return 200, [], self.server.run(configuration["CodeSha256"], variables, body)

    def provision(self, url, body):
        held, version = self.server.provisioned, parse_qs(url.query)["Qualifier"][0]
        if self.command == "PUT":
            held[version] = json.loads(body)["ProvisionedConcurrentExecutions"]
        if version not in held:
            code = "ProvisionedConcurrencyConfigNotFoundException"
            return 404, [("x-amzn-errortype", code)], json.dumps({"Message": "none"}).encode()
        state = {"RequestedProvisionedConcurrentExecutions": held[version], "Status": "READY"}
        if self.command == "GET" and self.server.starting:
            state |= self.server.starting.pop(0)
        if self.command == "DELETE":
            del held[version]
        return 200, [], json.dumps(state).encode()

    def fail(self, status, code, message):
        speaks_xml = action_of(self.command, urlsplit(self.path).path) in (
            "PutObject",
            "GetObject",
            "GetCallerIdentity",
        )
        text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        text = text if self.command != "POST" else f"<ErrorResponse>{text}</ErrorResponse>"  # STS, not S3
        body = text.encode() if speaks_xml else json.dumps({"message": message}).encode()
        self.reply(status, [("x-amzn-errortype", code)], b"" if self.command == "HEAD" else body)

    def reply(self, status, headers, body):
        self.send_response(status)
        passed = [(n, v) for n, v in headers if n.lower() not in ("content-length", "connection", "date", "server")]
        length = next((v for n, v in headers if n.lower() == "content-length"), None)
        for name, value in [*passed, ("Content-Length", length if self.command == "HEAD" and length else len(body))]:
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(stand_in):
    """Serve until `shutdown`, in a thread of its own."""
    threading.Thread(target=stand_in.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
