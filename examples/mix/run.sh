#!/usr/bin/env bash
# Three files become a flat mixture with a held-out share, a curriculum, an export for LLaMA-Factory and a packed folder.
#
#     bash examples/mix/run.sh             # into mix/ (or $S2H_OUT)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PATH="${S2H_VENV:-$root/.venv}/bin:$root/bin:$PATH"
n=${S2H_N:-60} out=${S2H_OUT:-mix}
mkdir -p "$out"
cd "$out"
s2h-gen vqa -n "$n" --negative wrong-attribute=1 --size 64 -o l1.jsonl
s2h-gen arithmetic -n "$n" --size 64 -o l2.jsonl
s2h-gen search -n "$n" --size 64 -o l3.jsonl
s2h-mix --flat l1 l2 l3 --val 0.1 -o flat.jsonl
s2h-mix --curriculum l1 l2 l3 --weights 0.5,1,1 -o curriculum.jsonl
s2h-mix --flat l1 l2 l3 --to llama-factory -o llama-factory/pairs.json
rm -rf carry
s2h-mix --flat l1 l2 l3 --pack carry
echo "flat.jsonl and flat.val.jsonl, curriculum.jsonl, llama-factory/, carry/" >&2
