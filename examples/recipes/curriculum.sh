#!/usr/bin/env bash
# S2H-DPO's two orders on the same pairs: all levels mixed ("flat"), and level 1, then 2, then 3 ("curriculum"), side by side.
#
#     bash examples/recipes/curriculum.sh                                # the miniature on the built-in world
#     S2H_MODEL=llava-1.5-7b S2H_N=20000 bash examples/recipes/curriculum.sh --processes 8
#
# Writes curriculum/ (or $S2H_OUT): the pairs, flat/ and staged/, the answers of both runs and their comparison.
set -euo pipefail
model=${S2H_MODEL:-mini} n=${S2H_N:-400} out=${S2H_OUT:-curriculum}
mkdir -p "$out"
cd "$out"
s2h-gen vqa --model "$model" -n "$n" -o l1.jsonl
{ s2h-gen kinship -n $((n / 2)); s2h-gen arithmetic -n $((n - n / 2)); } | s2h-filter --clip 0.25 -o l2.jsonl
s2h-gen search -n "$n" | s2h-filter --clip 0.25 -o l3.jsonl
s2h-mix --flat l1 l2 l3 -o mix.jsonl
s2h-train --model "$model" --recipe s2h-flat mix.jsonl -o flat "$@"
s2h-train --model "$model" --recipe s2h-curriculum mix.jsonl -o staged "$@"
for run in flat staged; do s2h-eval --model "$run" --bench builtin -o "$run.jsonl"; done
s2h-eval --compare flat.jsonl staged.jsonl --report compare.json
