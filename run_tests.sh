#!/usr/bin/env bash
# Sets up .venv on first use, then runs all checks and tests, with one process for each core and at most four.
# Arguments go to pytest: ./run_tests.sh -k threshold; ./run_tests.sh -n 0 --pdb for a single process.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

./run_all.sh --setup
PATH="$PWD/.venv/bin:$PATH"
export TF_CPP_MIN_LOG_LEVEL=3 PYDEVD_DISABLE_FILE_VALIDATION=1 JUPYTER_PLATFORM_DIRS=1
export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1  # each core has its own process

ruff check .
ruff format --check .
lint-imports
shellcheck run_all.sh run_tests.sh .ci/run lambda/deployment/retrain.sh
exec python -m pytest -n auto --maxprocesses 4 "$@"
