#!/usr/bin/env bash
# The long run of the robustness tests (tests/robust): hostile pairs, predictions, tables and source folders for every command,
# from other seeds than the suite has. Prints how much was tried, and writes each failure to a folder in robust-failures/, with
# the command in its `cmd`. Exits with 1 if there was a failure.
#
#     bash examples/robust.sh --minutes 30 --seed 7
#     bash examples/robust.sh --minutes 5 --only sources --keep /tmp/failures
#     bash examples/robust.sh --minutes 5 --fuzz records      # coverage-guided, of a reader: needs `pip install atheris`
#
# Uses the environment that `bash examples/test.sh` makes (.venv-test, or S2H_VENV), else python3.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${S2H_VENV:-.venv-test}
python=python3
[ ! -x "$venv/bin/python" ] || python=$venv/bin/python
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1
module=tests.robust.long
case " $* " in *" --fuzz"*) module=tests.robust.fuzz ;; esac
exec "$python" -W ignore -m "$module" "$@"
