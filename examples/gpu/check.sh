#!/usr/bin/env bash
# Measure s2h on this machine's GPU and compare it with TRL: time and memory of a step, whether its numbers are right in
# bfloat16, and time and memory of each command. Nothing is downloaded: the models have random weights in real shapes (the
# largest is 16 GiB, twice in the scratch folder). Prints a table and writes gpu-check.json. Arguments go to check.py:
#
#     bash examples/gpu/check.sh                          # half an hour or more: on an H200, one model's steps took over 3 minutes
#     bash examples/gpu/check.sh --folder /dev/shm/s2h    # scratch files in memory
#     bash examples/gpu/check.sh --tiny                   # tiny models, on a CPU too
#
# It uses a Python that has s2h: PYTHON, else the environment of examples/test.sh or examples/quickstart.sh, else python3.
set -euo pipefail
cd "$(dirname "$0")/../.."
for python in ${PYTHON:-} .venv-test/bin/python .venv/bin/python python3; do
    command -v "$python" >/dev/null && break
done
exec "$python" examples/gpu/check.py "$@"
