#!/usr/bin/env bash
# Make a virtual environment and install s2h into it. Nothing is done if it was made before from the same pyproject.toml:
#
#     bash examples/install.sh .venv all                 # the extras of pyproject.toml, with commas
#     bash examples/install.sh .venv-floor all --floor   # with the lowest versions that pyproject.toml allows
#     PYTHON=python3.12 bash examples/install.sh .venv all
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
venv=${1:?install.sh: name the folder of the environment}
extras=${2:?install.sh: name the extras}
say() { printf 'install.sh: %s\n' "$*" >&2; }

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version > /dev/null 2>&1; then
    for python in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.10; do
        "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2> /dev/null && break
        python=
    done
    if [ -z "$python" ]; then
        say "needs Python 3.10 or newer with its venv module (on Debian: apt-get install python3-venv); PYTHON=... names one"
        exit 1
    fi
    say "making $venv"
    "$python" -m venv "$venv"
fi

made="$venv/pyproject.$extras"
if ! cmp -s "$root/pyproject.toml" "$made"; then
    say "installing the packages (some minutes the first time)"
    pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }
    if [ "${3:-}" = --floor ]; then
        pip install uv
        "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --compile-bytecode --resolution lowest-direct \
            -e "$root[$extras]"
    else
        pip install torch==2.14.1 torchvision==0.29.1 # first, because torchvision must match torch
        pip install -e "$root[$extras]"
    fi
    cp "$root/pyproject.toml" "$made"
fi
