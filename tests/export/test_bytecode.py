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
    """Write SOURCES to one folder and compile them in another: {name: .pyc path}."""
    for name, text in sources.items():
        (folder / "from" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "from" / name).write_text(text)
    files = {name: folder / "from" / name for name in sources}
    return bytecode.compile_files(files, folder / "to", interpreter=bytecode.find_interpreter(HERE))


# --- a Python that can compile


def test_this_python_compiles_for_its_own_version():
    interpreter = bytecode.find_interpreter(HERE)
    assert interpreter == Interpreter(sys.executable, sys.version.split()[0])


def test_a_version_that_is_not_installed_is_not_found(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert bytecode.find_interpreter("3.99") is None


def script(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with only `bin` on PATH, and its own pyenv."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path


def test_a_broken_shim_on_path_is_passed_over_for_pyenvs_python(machine):
    script(machine / "bin/python3.99", "echo 'pyenv: python3.99: command not found' >&2; exit 127")
    script(machine / "pyenv/versions/3.99.4/bin/python3.99", "echo cpython-399 final 3.99.4")
    interpreter = bytecode.find_interpreter("3.99")
    assert interpreter == Interpreter(str(machine / "pyenv/versions/3.99.4/bin/python3.99"), "3.99.4")


def test_uvs_python_is_used_when_there_is_no_other(machine):
    script(machine / "bin/uv", f'[ "$4" = 3.99 ] && echo {machine}/of_uv')
    script(machine / "of_uv", "echo cpython-399 final 3.99.1")
    assert bytecode.find_interpreter("3.99") == Interpreter(str(machine / "of_uv"), "3.99.1")


@pytest.mark.parametrize(
    "output", ["cpython-398 final 3.98.0", "pypy399 final 3.99.0", "cpython-399 alpha 3.99.0a1", ""]
)
def test_another_version_another_kind_or_an_unreleased_python_is_refused(machine, output):
    script(machine / "bin/python3.99", f"echo {output}")
    assert bytecode.find_interpreter("3.99") is None


# --- the bytecode


def test_each_python_file_is_compiled_beside_its_source(tmp_path):
    compiled = compile_sources(tmp_path)
    assert set(compiled) == {importlib.util.cache_from_source(name) for name in ("one.py", "two/three.py")}


def test_the_bytecode_is_hash_based_unchecked_and_names_lambdas_path(tmp_path):
    compiled = compile_sources(tmp_path)
    content = compiled[importlib.util.cache_from_source("two/three.py")].read_bytes()
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(content[4:8], "little") == 0b01  # PEP 552: hash-based, unchecked
    assert content[8:16] == importlib.util.source_hash(SOURCES["two/three.py"].encode())
    assert marshal.loads(content[16:]).co_filename == "/var/task/two/three.py"


def test_equal_sources_give_equal_bytes_wherever_and_whenever_they_are_compiled(tmp_path, monkeypatch):
    first = compile_sources(tmp_path / "here")
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    second = compile_sources(tmp_path / "elsewhere, at another time")
    assert {name: path.read_bytes() for name, path in first.items()} == {
        name: path.read_bytes() for name, path in second.items()
    }


def test_a_source_that_is_not_python_is_reported(tmp_path):
    with pytest.raises(RuntimeError, match=f"(?s)Python {HERE}.* cannot compile.*SyntaxError"):
        compile_sources(tmp_path, {"wrong.py": "def"})
