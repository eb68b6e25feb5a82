import http.client
import json
import threading
import time
from pathlib import Path

import pytest
from emulator.environment import NAME, ExecutionEnvironment
from emulator.runtime_api import LARGEST_PAYLOAD, Ended, FunctionError, RuntimeApi

from lib.export import bundle

HANDLER = """
import os, time

def handler(event, context):
    match event.get("do"):
        case "context":
            left = context.get_remaining_time_in_millis()
            return [context.function_name, context.memory_limit_in_mb, context.aws_request_id, left]
        case "pid":
            return os.getpid()
        case "variables":
            return dict(os.environ)
        case "die":
            os._exit(3)
        case "raise":
            raise LookupError("no such thing")
        case "sleep":
            time.sleep(60)
        case "talk":
            return "x" * event["bytes"]
    return event
"""
SEEN = """
import sys
import lambda_function

def handler(event, context):
    return {name: module.__file__ for name, module in sys.modules.items() if getattr(module, "__file__", None)}
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A handler that obeys its event."""
    folder = tmp_path_factory.mktemp("function")
    (folder / "obedient.py").write_text(HANDLER)
    log = (folder / "log").open("w")
    with log, ExecutionEnvironment(folder, handler="obedient.handler", log=log) as environment:
        yield environment


def answer_to(environment, *, timeout_s=20.0, **event):
    return json.loads(environment.invoke(json.dumps(event).encode(), timeout_s=timeout_s).answer.result())


def test_what_the_handler_returns_is_the_answer(environment):
    assert answer_to(environment, says="ünïcode", number=1.5) == {"says": "ünïcode", "number": 1.5}


def test_the_handler_is_given_the_context_of_its_invocation(environment):
    invocation = environment.invoke(b'{"do": "context"}', timeout_s=20.0)
    name, memory, request_id, left_ms = json.loads(invocation.answer.result())
    assert (name, memory, request_id) == (NAME, "512", invocation.id)
    assert 0 < left_ms <= 20_000


def test_one_process_answers_one_invocation_after_another(environment):
    assert answer_to(environment, do="pid") == answer_to(environment, do="pid") == environment.process.pid


def test_an_exception_is_reported_and_the_process_goes_on(environment):
    before = answer_to(environment, do="pid")
    with pytest.raises(FunctionError, match="LookupError: no such thing"):
        answer_to(environment, do="raise")
    assert answer_to(environment, do="pid") == before


def test_a_process_that_ends_in_an_invocation_is_replaced_by_the_next(environment):
    before = answer_to(environment, do="pid")
    with pytest.raises(Ended):
        answer_to(environment, do="die")
    assert answer_to(environment, do="pid") != before


def test_a_process_that_is_killed_while_it_waits_costs_no_invocation(environment):
    before = answer_to(environment, do="pid")
    environment.process.kill()
    environment.process.wait()
    assert answer_to(environment, do="pid") != before


def test_an_invocation_that_takes_too_long_is_given_up_and_its_process_with_it(environment):
    before = answer_to(environment, do="pid")
    with pytest.raises(TimeoutError):
        answer_to(environment, do="sleep", timeout_s=0.3)
    assert answer_to(environment, do="pid") != before


def test_callers_in_several_threads_each_get_their_own_answer(environment):
    answers = {}

    def ask(number):
        answers[number] = [answer_to(environment, number=number, round=turn) for turn in range(10)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {n: [{"number": n, "round": turn} for turn in range(10)] for n in range(8)}


def test_an_answer_above_lambdas_limit_is_an_error(environment):
    assert len(answer_to(environment, do="talk", bytes=LARGEST_PAYLOAD - 2)) == LARGEST_PAYLOAD - 2  # two quotes
    with pytest.raises(FunctionError, match="ResponseSizeTooLarge"):
        answer_to(environment, do="talk", bytes=LARGEST_PAYLOAD - 1)


@pytest.mark.parametrize(("code", "kind"), [("import pandas", "ImportModuleError"), ("1 +", "UserCodeSyntaxError")])
def test_a_handler_that_cannot_be_imported_reports_why(tmp_path, code, kind):
    (tmp_path / "broken.py").write_text(code)
    log = (tmp_path / "log").open("w")
    with log, ExecutionEnvironment(tmp_path, handler="broken.handler", log=log) as broken:
        with pytest.raises(FunctionError, match=kind):
            broken.start()
        with pytest.raises(FunctionError, match=kind):
            broken.invoke(b"{}")


def test_the_process_sees_the_bundle_and_what_lambda_adds_and_nothing_else(export):
    with bundle.unpacked(export / bundle.ZIP) as folder:
        (folder / "seen.py").write_text(SEEN)
        with ExecutionEnvironment(folder, handler="seen.handler") as environment:
            seen = answer_to(environment)
            provided = environment.provided
    of_bundle = {name.partition(".")[0] for name, file in seen.items() if Path(file).is_relative_to(folder)}
    elsewhere = {file for file in seen.values() if not Path(file).is_relative_to(folder)}
    assert of_bundle >= {"lambda_function", "lib", "numpy", "seen"}
    assert {Path(seen["lib"]), Path(seen["numpy"])} == {folder / "lib/__init__.py", folder / "numpy/__init__.py"}
    beside = {file for file in elsewhere if not _is_standard_library(Path(file))}
    assert all(Path(file).is_relative_to(provided) for file in beside)


def _is_standard_library(path):
    return path.is_relative_to(Path(threading.__file__).parent) and "site-packages" not in path.parts


def test_a_closed_environment_leaves_no_process_and_no_folder_and_starts_no_other(tmp_path):
    (tmp_path / "obedient.py").write_text(HANDLER)
    with ExecutionEnvironment(tmp_path, handler="obedient.handler") as environment:
        environment.start()
        process, provided = environment.process, environment.provided
        assert provided.exists()
    assert process.poll() is not None
    assert not provided.exists()
    with pytest.raises(Ended, match="closed"):
        environment.invoke(b"{}")


# --- the runtime API itself


def call(api, method, path, body=None, *, secret=None):
    connection = http.client.HTTPConnection(api.address)
    headers = {"User-Agent": f"test-{secret or api.secret}"}
    connection.request(method, f"/2018-06-01/runtime/{path}", body, headers)
    response = connection.getresponse()
    answer = response.status, dict(response.getheaders()), response.read()
    connection.close()
    return answer


@pytest.fixture
def api():
    api = RuntimeApi("test")
    yield api
    api.end(Ended())


def test_the_next_invocation_comes_with_its_id_deadline_and_function(api):
    invocation = api.send(b'{"a": 1}', timeout_s=30)
    status, headers, body = call(api, "GET", "invocation/next")
    assert (status, body) == (200, b'{"a": 1}')
    assert headers["Lambda-Runtime-Aws-Request-Id"] == invocation.id
    assert headers["Lambda-Runtime-Invoked-Function-Arn"].endswith(":function:test")
    assert 0 < int(headers["Lambda-Runtime-Deadline-Ms"]) / 1000 - time.time() <= 30


def test_an_answer_is_taken_once(api):
    invocation = api.send(b"{}", timeout_s=30)
    call(api, "GET", "invocation/next")
    assert call(api, "POST", f"invocation/{invocation.id}/response", b"1")[0] == 202
    assert call(api, "POST", f"invocation/{invocation.id}/response", b"2")[0] == 400
    assert invocation.answer.result() == b"1"
    assert invocation.answered >= invocation.taken


@pytest.mark.parametrize("path", ["invocation/next", "invocation/1", "elsewhere"])
def test_a_path_that_lambda_does_not_have_is_not_found(api, path):
    assert call(api, "POST", path, b"{}")[0] == 404


@pytest.mark.parametrize("secret", ["x", "0" * 32, "ü"])
def test_a_stranger_gets_no_event_and_brings_no_answer(api, secret):
    invocation = api.send(b'{"heartRate": 77}', timeout_s=30)
    assert call(api, "GET", "invocation/next", secret=secret)[::2] == (403, b"")
    for path in (f"invocation/{invocation.id}/response", f"invocation/{invocation.id}/error", "init/error"):
        assert call(api, "POST", path, b'{"errorType": "x"}', secret=secret)[0] == 403
    assert not invocation.answer.done()
    assert call(api, "GET", "invocation/next")[2] == b'{"heartRate": 77}'


def test_the_handler_does_not_see_the_secret_in_its_environment(environment):
    variables = answer_to(environment, do="variables")
    assert environment.api.secret not in json.dumps(variables)


def test_who_waits_for_an_answer_hears_that_the_process_ended():
    api = RuntimeApi("test")
    invocation = api.send(b"{}", timeout_s=30)
    api.end(Ended("killed"))
    with pytest.raises(Ended, match="killed"):
        invocation.answer.result(1)
    with pytest.raises(Ended, match="killed"):
        api.send(b"{}", timeout_s=30).answer.result(1)
