"""AWS on loopback: moto's server behind a gate that adds what moto lacks, and that fails on demand.

moto keeps functions, versions, aliases and objects. On an invocation, the gate runs the uploaded code in a process
under AWS' runtime client. It also keeps provisioned concurrency, which moto lacks.
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
    """The API's name for a request's action."""
    return next(name for verb, pattern, name in _ACTIONS if verb == method and re.fullmatch(pattern, path))


class StandIn(ThreadingHTTPServer):
    """The gate in front of moto, which listens at the port `moto`.

    Attributes
    ----------
    asked : list
        The actions so far.
    sent : dict
        The last body (bytes) of each action.
    faults : dict
        {action: (status, code, message)} to answer instead.
    calls_before_fault : dict
        {action: how many calls succeed before its fault}.
    lost : set
        Actions that are done, but answered with a 500.
    then : dict
        {action: faults} from that action on.
    answers : list
        Of the next invocations, instead of running code.
    slow : int
        Polls until a change of a function is done. Until then it is in the `state` and refuses other changes.
    starting : list
        What the next polls of provisioned concurrency return.

    If concurrency is reserved, no more is started; a request without a started environment needs some of it, too.
    """

    daemon_threads = True

    def __init__(self, moto):
        self.moto = moto
        super().__init__(("127.0.0.1", 0), _Gate)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._environments, self._open = {}, ExitStack()
        self._folder = Path(self._open.enter_context(tempfile.TemporaryDirectory()))
        self._log = self._open.enter_context((self._folder / "log").open("w"))
        self.reset()

    def reset(self):
        """Forget all requests and plans, and reset moto."""
        self.asked, self.sent, self.faults, self.lost, self.answers = [], {}, {}, set(), []
        self.provisioned, self.codes, self.starting, self.then = {}, {}, [], {}
        self.calls_before_fault, self.reserved = {}, None
        self.slow, self.busy, self.state = 0, 0, {"State": "Pending", "LastUpdateStatus": "InProgress"}
        urllib.request.urlopen(f"http://127.0.0.1:{self.moto}/moto-api/reset", data=b"").close()

    def cool(self):
        """Start new processes for the next invocations, as after a long pause."""
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
        """Run the code of that SHA-256 on an event (bytes) under these variables; returns bytes."""
        key = (code_sha256, *sorted(variables.items()))
        if key not in self._environments:
            folder = self._open.enter_context(bundle.unpacked(self.codes[code_sha256]))
            defaults = {"AWS_ENDPOINT_URL": self.url, "TMPDIR": tempfile.mkdtemp(dir=self._folder)}
            environment = ExecutionEnvironment(folder, log=self._log, variables=defaults | variables)
            self._environments[key] = self._open.enter_context(environment)
        return self._environments[key].invoke(event).answer.result()

    def fails(self, action):
        """Whether a call fails because of a planned fault."""
        if action not in self.faults:
            return False
        self.calls_before_fault[action] = self.calls_before_fault.get(action, 0) - 1
        return self.calls_before_fault[action] < 0

    def beyond_reserve(self, action, url, body):
        """Lambda's error for a call that takes more than is reserved, or None; remembers the reservation."""
        if action == "PutFunctionConcurrency":
            self.reserved = json.loads(body)["ReservedConcurrentExecutions"]
        version = parse_qs(url.query).get("Qualifier", [None])[0]
        others = sum(count for name, count in self.provisioned.items() if name != version)
        if self.reserved is None:
            return None
        if action == "Invoke" and version not in self.provisioned and others >= self.reserved:
            return 429, "TooManyRequestsException", "Rate Exceeded."
        more = json.loads(body)["ProvisionedConcurrentExecutions"] if action.startswith("PutProvisioned") else 0
        if others + more > self.reserved and (more or action == "PutFunctionConcurrency"):
            return 400, "InvalidParameterValueException", "Provisioned must not exceed ReservedConcurrentExecutions"
        return None

    def at_work(self, action, answer):
        """The answer to an action, with the state of a function that is still being changed."""
        if action in _CHANGING:
            self.busy = self.slow
        elif self.busy and action in ("GetFunction", "GetFunctionConfiguration"):
            self.busy -= 1
            status, headers, body = answer
            function = json.loads(body)
            function.get("Configuration", function).update(self.state)
            return status, headers, json.dumps(function).encode()
        return answer

    def keep(self, action, path, body):
        """Keep the zip in a request, if there is one: its code may be run later."""
        if action == "PutObject" and path.endswith(".zip"):
            content = body
        elif action in ("CreateFunction", "UpdateFunctionCode"):
            arguments = json.loads(body)
            content = base64.b64decode(arguments.get("Code", arguments).get("ZipFile", ""))
        else:
            return
        digest = hashlib.sha256(content).digest()
        path = self._folder / f"{digest.hex()}.zip"
        path.write_bytes(content)
        self.codes[base64.b64encode(digest).decode()] = path


class _Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # with Expect: 100-continue, which S3's client sends
    wbufsize = -1  # an answer is one packet, so nobody waits for an acknowledgement

    def do_GET(self):
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        action, stand_in = action_of(self.command, url.path), self.server
        stand_in.asked.append(action)
        stand_in.sent[action] = body
        if stand_in.fails(action):
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
        provisioned, version = self.server.provisioned, parse_qs(url.query)["Qualifier"][0]
        if self.command == "PUT":
            provisioned[version] = json.loads(body)["ProvisionedConcurrentExecutions"]
        if version not in provisioned:
            code = "ProvisionedConcurrencyConfigNotFoundException"
            return 404, [("x-amzn-errortype", code)], json.dumps({"Message": "none"}).encode()
        state = {"RequestedProvisionedConcurrentExecutions": provisioned[version], "Status": "READY"}
        if self.command == "GET" and self.server.starting:
            state |= self.server.starting.pop(0)
        if self.command == "DELETE":
            del provisioned[version]
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
    """Serve until `shutdown`, in a thread."""
    threading.Thread(target=stand_in.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
