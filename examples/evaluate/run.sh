#!/usr/bin/env bash
# Held-out questions to the bundled miniature, its replies read by a second parser, and a comparison with a second run: what
# a limit of 12 new tokens costs it.
#
#     bash examples/evaluate/run.sh            # into evaluate/ (or $S2H_OUT)
#     S2H_MODEL=run S2H_N=200 bash examples/evaluate/run.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PATH="${S2H_VENV:-$root/.venv}/bin:$root/bin:$PATH"
n=${S2H_N:-20} model=${S2H_MODEL:-mini} out=${S2H_OUT:-evaluate}
mkdir -p "$out"
cd "$out"
s2h-eval --model "$model" --bench builtin -n "$n" -o replies.jsonl --report report.md --heatmap heatmap.png
s2h-eval --score replies.jsonl --parser vlmevalkit -o reread.jsonl
s2h-eval --model "$model" --bench builtin -n "$n" --max-new-tokens 12 -o short.jsonl
s2h-eval --compare replies.jsonl short.jsonl --report compare.json --plot compare.png --gallery changed.html
echo "replies.jsonl, report.md, heatmap.png, compare.json, compare.png, changed.html" >&2
