import importlib.util
import marshal
import sys

import pytest

from lib.export import bytecode
from lib.export.bytecode import Interpreter

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
SOURCES = {
    "one.py": "KINDS = {'walk', 'run', 'sleep'}\ndef is_kind(name): return name in {'walk', 'run', 'sleep', 'sit'}\n",
    "two/three.py": "import one\nclass Three:\n    'A docstring.'\n",
    "two/data.txt": "no code",
}


def compile_sources(folder, sources=SOURCES):
    """The {name: .pyc path} of SOURCES, which are written to a folder of their own, in another."""
    for name, text in sources.items():
        (folder / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "from" / name).write_text(text)
    files = {name: folder / "from" / name for name in sources}
    return bytecode.compiled(files, folder / "to", by=bytecode.interpreter(HERE))


# --- a Python that can compile


def test_this_python_compiles_for_its_own_version():
    found = bytecode.interpreter(HERE)
    assert found == Interpreter(sys.executable, sys.version.split()[0])


def test_without_a_python_of_that_version_there_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert bytecode.interpreter("3.99") is None


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with nothing on PATH but `bin`, and its own pyenv."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def test_a_shim_on_path_that_does_not_run_gives_way_to_pyenvs_own_python(machine):
    script(machine / "bin/python3.99", "echo 'pyenv: python3.99: command not found' >&2; exit 127")
    script(machine / "pyenv/versions/3.99.4/bin/python3.99", "echo cpython-399 final 3.99.4")
    found = bytecode.interpreter("3.99")
    assert found == Interpreter(str(machine / "pyenv/versions/3.99.4/bin/python3.99"), "3.99.4")


def test_uv_is_asked_where_there_is_no_other(machine):
    script(machine / "bin/uv", f'[ "$4" = 3.99 ] && echo {machine}/of_uv')
    script(machine / "of_uv", "echo cpython-399 final 3.99.1")
    assert bytecode.interpreter("3.99") == Interpreter(str(machine / "of_uv"), "3.99.1")


@pytest.mark.parametrize("said", ["cpython-398 final 3.98.0", "pypy399 final 3.99.0", "cpython-399 alpha 3.99.0a1", ""])
def test_a_python_of_another_version_or_kind_or_not_yet_released_is_not_taken(machine, said):
    script(machine / "bin/python3.99", f"echo {said}")
    assert bytecode.interpreter("3.99") is None


# --- the bytecode


def test_each_python_file_is_compiled_beside_its_source(tmp_path):
    made = compile_sources(tmp_path)
    assert set(made) == {importlib.util.cache_from_source(name) for name in ("one.py", "two/three.py")}


def test_the_bytecode_is_hash_based_and_unchecked_and_speaks_of_where_lambda_unpacks_it(tmp_path):
    made = compile_sources(tmp_path)
    content = made[importlib.util.cache_from_source("two/three.py")].read_bytes()
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(content[4:8], "little") == 0b01  # PEP 552: hash-based, the source not to be checked
    assert content[8:16] == importlib.util.source_hash(SOURCES["two/three.py"].encode())
    assert marshal.loads(content[16:]).co_filename == "/var/task/two/three.py"


def test_equal_sources_give_equal_bytes_wherever_and_whenever_they_are_compiled(tmp_path, monkeypatch):
    first = compile_sources(tmp_path / "here")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    second = compile_sources(tmp_path / "elsewhere, at another time")
    assert {name: path.read_bytes() for name, path in first.items()} == {
        name: path.read_bytes() for name, path in second.items()
    }


def test_a_source_that_is_no_python_is_reported(tmp_path):
    with pytest.raises(RuntimeError, match=f"(?s)Python {HERE}.* can not compile.*SyntaxError"):
        compile_sources(tmp_path, {"wrong.py": "def"})
