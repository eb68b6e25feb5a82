#!/usr/bin/env bash
# Sets up .venv on first use, then executes the notebooks. See ./run_all.sh --help.
set -euo pipefail

CALLER_DIR=$PWD
ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
case ${RUNS_HOME:-/} in
    /*) ;;
    *) export RUNS_HOME="$CALLER_DIR/$RUNS_HOME" ;;
esac
cd -- "$ROOT"

stop() {
    echo "run_all.sh: $1" >&2
    exit 1
}

# Prints the version of a Python, such as 3.11, if it can make environments and is supported; fails otherwise.
usable() {
    "$1" -c 'import ensurepip, sys, venv
version = sys.version_info[:2]
sys.exit(1) if not (3, 11) <= version <= (3, 13) else print("%d.%d" % version)' 2>/dev/null
}

choose_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
        if usable "$candidate" >/dev/null; then
            echo "$candidate"
            return
        fi
        [[ $candidate != "${PYTHON:-}" ]] || stop "PYTHON=$PYTHON: expected a Python 3.11 to 3.13 that can make a .venv"
    done
    stop "expected a Python 3.11 to 3.13 with venv and pip, found none; install one, or set PYTHON=/path/to/python3"
}

# Prints what .venv is made from, in two lines: the Python, this folder and the requirements; and the project.
stamp() {
    echo "python $1 in $ROOT, requirements $(cksum <requirements.lock)"
    echo "project $(cksum <pyproject.toml)"
}

# Prints the stamp that .venv should have: that of its own Python, or of PYTHON if it is set.
expected_stamp() {
    local python=.venv/bin/python version
    [[ -z ${PYTHON:-} ]] || python=$PYTHON
    version=$(usable "$python") || return
    [[ $version == "$(usable .venv/bin/python)" ]] && stamp "$version"
}

# Makes a new .venv, or only installs the project again if nothing else changed. The stamp is removed first and written
# last, so an interrupted set-up is repeated.
make_environment() {
    local expected actual
    expected=$(expected_stamp) || expected=
    actual=$(cat .venv/stamp 2>/dev/null) || actual=
    rm -f .venv/stamp
    if [[ -z $expected || ${expected%%$'\n'*} != "${actual%%$'\n'*}" ]]; then
        "$1" -m venv --clear .venv
        pip_install --require-hashes -r requirements.lock
    fi
    pip_install --no-deps --no-build-isolation -e .
    stamp "$(usable .venv/bin/python)" >.venv/stamp
}

pip_install() {
    if ! .venv/bin/python -m pip install --disable-pip-version-check --no-input "$@" >>.venv/install.log 2>&1; then
        cat .venv/install.log >&2
        stop "setting up .venv failed; see the output of pip above"
    fi
}

up_to_date() {
    local expected
    expected=$(expected_stamp) && [[ -f .venv/stamp && $expected == "$(<.venv/stamp)" ]]
}

set_up() {
    local python
    ! up_to_date || return 0
    python=$(choose_python)
    exec 9<requirements.lock
    "$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)' # until 9 is closed; another set-up waits here
    if ! up_to_date; then
        echo "setting up .venv (about 3 minutes) …" >&2
        make_environment "$python"
    fi
    exec 9<&-
}

set_up
for argument in "$@"; do
    [[ $argument != --setup ]] || exit 0
done
export CALLER_DIR TF_CPP_MIN_LOG_LEVEL=3 PYDEVD_DISABLE_FILE_VALIDATION=1 JUPYTER_PLATFORM_DIRS=1
exec .venv/bin/python -m lib.workflow.cli "$@"
