import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from conftest import life
from emulator.environment import ExecutionEnvironment
from http_client import Client, serving
from http_event import PATH

from lib.export import bundle
from lib.files import ROOT


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "log"


@pytest.fixture(scope="module")
def gateway(export, log):
    with (
        log.open("w") as stream,
        bundle.unpacked(export / bundle.ZIP) as folder,
        ExecutionEnvironment(folder, log=stream) as environment,
        serving(environment) as gateway,
    ):
        yield gateway
        gateway.shutdown()


@pytest.fixture(scope="module")
def client(gateway):
    return Client(gateway.server_port)


@pytest.fixture(scope="module")
def requests():
    """Requests of many lengths, one with a bad reading, one refused."""
    sound = [bundle.request_of(life(length, seed=length)) for length in (1, 20, 60, 61, 100, 200)]
    bad = bundle.request_of(life(70, seed=1))
    bad["metrics"][3]["heartRate"] = "fast"
    return [*sound, bad, {"metrics": []}]


# --- the bundle


def test_a_request_is_scored(client):
    status, body = client.sync(bundle.request_of(life(100)))
    assert status == 200
    assert len(body["results"]) == body["accepted"] == 100
    assert 0 <= body["anomalyScore"] <= 1


def test_what_is_not_json_is_a_problem(client):
    status, headers, body = client.send("POST", PATH, "{")
    assert (status, headers["Content-Type"]) == (400, "application/problem+json")
    assert json.loads(body)["code"] == "not_json"


def test_another_method_and_another_path_are_for_the_handler_to_refuse(client):
    status, headers, body = client.send("GET", PATH)
    assert (status, headers["Allow"], json.loads(body)["code"]) == (405, "POST", "wrong_method")
    status, _, body = client.send("POST", "/health", "{}")
    assert (status, json.loads(body)["code"]) == (404, "no_such_path")


def test_requests_in_mixed_order_are_answered_as_each_is_by_a_process_of_its_own(gateway, client, requests):
    alone = []
    for request in requests:
        gateway.environment.stop()
        alone.append(client.sync(request))
    order = random.Random(4).choices(range(len(requests)), k=60)
    assert [client.sync(requests[number]) for number in order] == [alone[number] for number in order]


def test_clients_at_the_same_time_each_get_their_own_answer(client, requests):
    alone = [client.sync(request) for request in requests]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(client.sync, requests * 4)) == alone * 4


def test_a_killed_process_is_replaced_and_answers_the_same(gateway, client, requests):
    before, process = client.sync(requests[2]), gateway.environment.process
    process.kill()
    process.wait()
    assert client.sync(requests[2]) == before
    assert gateway.environment.process.pid != process.pid


def test_each_request_leaves_one_line_of_json_in_the_log(gateway, client, requests, log):
    gateway.environment.stop()
    before = log.read_text().splitlines()
    for request in requests:
        client.sync(request)
    lines = log.read_text().splitlines()[len(before) :]
    assert [json.loads(line)["Status"] for line in lines] == [200] * (len(requests) - 1) + [400]
    assert [json.loads(line)["ColdStart"] for line in lines] == [1] + [0] * (len(requests) - 1)
    assert len({json.loads(line)["RequestId"] for line in lines}) == len(requests)


# --- the command


def command(tmp_path, *words):
    """lambda/serve.py with its runs and its temporary files in tmp_path."""
    (tmp_path / "temporary").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, ROOT / "lambda/serve.py", *words],
        env={**os.environ, "RUNS_HOME": str(tmp_path), "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_the_command_prints_where_it_serves_and_stops_cleanly_on_ctrl_c(tmp_path, export):
    folder = tmp_path / "models/march/lambda_export"
    folder.mkdir(parents=True)
    shutil.copy(export / bundle.ZIP, folder)
    with command(tmp_path, "--run", "march", "--port", "0") as server:
        line = server.stdout.readline()
        port = int(re.match(rf"http://localhost:(\d+){PATH}   curl ", line)[1])
        example = json.loads(re.search(r"-d '(.*)'", line)[1])
        assert Client(port).sync(example)[0] == 200
        server.send_signal(signal.SIGINT)
        log, errors = server.communicate(timeout=20)
    assert (server.returncode, errors, len(log.splitlines())) == (0, "", 1)
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--run", "april"], "run 'april' has no bundle: run notebooks/05_export first, or ./run_all.sh run=april"),
        (["--run", "march"], "File is not a zip file"),
        (["--run", "../x"], "run='../x': expected a run's name of"),
    ],
)
def test_a_run_that_cannot_be_served_is_one_line(tmp_path, words, message):
    archive = tmp_path / "models/march/lambda_export" / bundle.ZIP
    archive.parent.mkdir(parents=True)
    archive.write_text("no zip")
    with command(tmp_path, *words) as server:
        _, errors = server.communicate(timeout=20)
    assert server.returncode == 1
    assert errors.startswith(f"serve.py: {message}")
    assert len(errors.splitlines()) == 1


def test_a_port_in_use_is_one_line(tmp_path, export):
    folder = tmp_path / "models/march/lambda_export"
    folder.mkdir(parents=True)
    shutil.copy(export / bundle.ZIP, folder)
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
        with command(tmp_path, "--run", "march", "--port", str(port)) as server:
            _, errors = server.communicate(timeout=20)
    assert (server.returncode, errors) == (1, f"serve.py: port {port} is in use\n")


def test_the_server_is_not_in_the_bundle():
    assert not {"serve.py", "runtime_api.py", "environment.py"} & set(bundle.sources())
