#!/usr/bin/env bash
# The filter at work: 100 pairs of level 3 over the built-in world are scored, judged, and dropped with their reasons.
#
#     bash examples/filter/run.sh          # into filter/ (or $S2H_OUT)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PATH="${S2H_VENV:-$root/.venv}/bin:$root/bin:$PATH"
n=${S2H_N:-100} out=${S2H_OUT:-filter}
mkdir -p "$out"
cd "$out"
s2h-gen search -n "$n" --form caption --size 64 --negative other-image=1 --negative generic=1 -o raw.jsonl
s2h-filter raw.jsonl --clip 0.25 --clip-margin 0.05 --mpnet 0.1:0.95 --length-ratio 0.5:2 --dedup \
    --rejects rejects.jsonl --report report.json -o kept.jsonl
# The scores are in the records, so that a stricter threshold needs no model.
s2h-filter kept.jsonl --clip 0.3 --rejects stricter.jsonl > strict.jsonl
s2h-view rejects.jsonl -o rejects.html
echo "kept.jsonl, rejects.jsonl with their reasons, rejects.html to look at, report.json and report.png" >&2
