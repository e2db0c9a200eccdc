#!/usr/bin/env bash
# Run the tests in their own virtual environment: .venv-test, or the folder that S2H_VENV names.
# Arguments go to pytest:
#
#     bash examples/test.sh tests/pipes -k killed
#     bash examples/test.sh --quick               # about a minute on two cores
#     bash examples/test.sh --floor               # with the lowest versions that pyproject.toml allows, in .venv-floor
#
# Without arguments, all tests run. --quick runs those of records, the language rules, mixes, exports and the command line,
# and each command at least once: gen, filter, mix, eval and view with streams of every kind (tests/pipes/test_ends.py), train
# and eval with the bundled model (tests/test_shorthand.py), gen with it and with the bundled CLIP (tests/cli). It leaves out
# what is marked as slow, kills, hostile files, several processes, the architectures, the benchmarks' files, the sources and
# most of training.
set -euo pipefail
cd "$(dirname "$0")/.."
floor='' quick=''
while true; do
    case ${1:-} in
        --floor) floor=.venv-floor ;;
        --quick) quick=yes ;;
        *) break ;;
    esac
    shift
done
venv=${S2H_VENV:-${floor:-.venv-test}}
if [ -n "$quick" ]; then
    # Those that load models go first: of two processes, one imports torch.
    set -- -m 'not slow' tests/test_shorthand.py tests/eval/test_command.py tests/cli tests/test_*.py tests/formats \
        tests/language tests/mix tests/streams tests/pipes/test_ends.py "$@"
fi

say() { printf 'test.sh: %s\n' "$*" >&2; }

# A few tests are skipped without two tools: a browser (for the gallery) and GNU parallel (for sharding).
wanted=()
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || wanted+=(chromium)
command -v parallel >/dev/null || wanted+=(parallel)
if [ ${#wanted[@]} -gt 0 ]; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${wanted[@]}" >/dev/null 2>&1; }
        install || { apt-get update -qq >/dev/null 2>&1 && install; } ||
            say "could not install ${wanted[*]}: the tests that need them are skipped"
    else
        say "no ${wanted[*]}: the tests that need them are skipped"
    fi
fi

bash examples/install.sh "$venv" all,test ${floor:+--floor}

# The checks of types and style run beside the tests, with all tests or --quick.
checks=''
if [ -z "$floor" ] && { [ -n "$quick" ] || [ $# = 0 ]; }; then
    faults=$(mktemp)
    trap 'rm -f "$faults"' EXIT
    { "$venv/bin/ruff" check --quiet . && "$venv/bin/ruff" format --quiet --check . &&
        "$venv/bin/mypy" --no-error-summary; } >"$faults" 2>&1 &
    checks=$!
fi

# Commands start faster where their bytecode is kept.
unset PYTHONDONTWRITEBYTECODE
# Two workers of one thread each are the fastest on two cores. No test downloads anything.
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 PATH="$PWD/$venv/bin:$PATH"
case $venv in /*) PATH="$venv/bin:$PATH" ;; esac
status=0
"$venv/bin/python" -m pytest -q -n 2 --dist worksteal "$@" || status=$?
if [ -n "$checks" ] && ! wait "$checks"; then
    cat "$faults" >&2
    say "ruff or mypy found faults"
    status=1
fi
exit $status
