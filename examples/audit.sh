#!/usr/bin/env bash
# What the built-in tasks teach beside what they should: a blind classifier's AUC by task, places, lengths, answers. Ends with
# status 1 where words alone tell a chosen from a rejected answer with an AUC above 0.55.
#
#     bash examples/audit.sh                 # 5,000 pairs a task, audit.json and audit.png; some minutes on two cores
#     N=20000 bash examples/audit.sh out/    # more of them, elsewhere
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PATH="${S2H_VENV:-$root/.venv}/bin:$root/bin:$PATH"
out=${1:-.}
mkdir -p "$out"
images=$(mktemp -d)
trap 'rm -rf "$images"' EXIT
for task in kinship arithmetic compare search; do
    s2h-gen "$task" -n "${N:-5000}" --size 32 --workers "$(nproc)" --image-dir "$images" --quiet
done | s2h-filter --audit "$out/audit.json" --audit-fail 0.55 > /dev/null
