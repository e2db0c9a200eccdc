#!/usr/bin/env bash
# Pairs of all five tasks over the built-in world, an audit of what words alone give away, and a gallery to look at.
#
#     bash examples/pairs/run.sh                 # 40 pairs a task into pairs/ (or $S2H_OUT)
#     S2H_N=2000 bash examples/pairs/run.sh --size 224
#
# Options go to s2h-gen.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PATH="${S2H_VENV:-$root/.venv}/bin:$root/bin:$PATH"
n=${S2H_N:-40} out=${S2H_OUT:-pairs}
mkdir -p "$out"
cd "$out"
s2h-gen vqa -n "$n" --negative wrong-attribute=1 "$@" -o l1.jsonl
for task in kinship arithmetic compare; do s2h-gen "$task" -n "$n" "$@"; done > l2.jsonl
s2h-gen search -n "$n" "$@" -o l3.jsonl
s2h-filter l1.jsonl l2.jsonl l3.jsonl --audit audit.json > all.jsonl
s2h-view all.jsonl -n "$((5 * n))" -o gallery.html
echo "pairs: l1.jsonl, l2.jsonl, l3.jsonl; what words give away: audit.json and audit.png; to look at: gallery.html" >&2
