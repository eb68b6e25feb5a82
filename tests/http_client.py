"""A client of the gateway, and a gateway that is served from a thread."""

import http.client
import json
import threading
from contextlib import closing

from emulator.gateway import Gateway
from http_event import PATH

JSON = {"Content-Type": "application/json"}


class Client:
    """A client of the gateway on `port`; a response is (status, headers, body)."""

    def __init__(self, port):
        self.port = port

    def send(self, method, path, body=None, headers=JSON):
        with closing(http.client.HTTPConnection("localhost", self.port, timeout=30)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

    def sync(self, request):
        status, _, body = self.send("POST", PATH, json.dumps(request))
        return status, json.loads(body)


def serving(environment, **options):
    """A gateway of an environment, served from its own thread."""
    gateway = Gateway(environment, **options)
    threading.Thread(target=gateway.serve_forever, args=(0.05,), daemon=True).start()
    return gateway
