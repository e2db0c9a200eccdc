#!/usr/bin/env bash
# The pipeline over real pictures: make pairs of levels 3 and 1 from a folder of captioned pictures, filter and mix them, and
# train a LLaVA of the real architecture on them for some steps.
#
#     bash examples/photos/run.sh FOLDER [MODEL]
#
# FOLDER holds photo.jpg beside photo.txt (first line the caption) or a metadata.jsonl with file_name and text. The default is
# Debian's tuxpaint-stamps-default (apt-get install tuxpaint-stamps-default).
# MODEL is any name that s2h-train takes, such as llava-1.5-7b; the default is the bundled miniature, a LLaVA small enough for
# a laptop. CLIP and MPNet judge the pairs with S2H_CLIP and S2H_TEXT: by default the
# real ones (ViT-B-32 and all-mpnet-base-v2, fetched once); S2H_CLIP=none leaves the filter to the form of the answers.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-/usr/share/tuxpaint/stamps}
model=${2:-mini}
out=${S2H_OUT:-$root/photos}
[ -d "$folder" ] || { echo "run.sh: no folder $folder (give one with captioned pictures)" >&2; exit 2; }
PATH="${S2H_VENV:-$root/.venv}/bin:$root/bin:$PATH"
folder=$(cd "$folder" && pwd)
mkdir -p "$out"
cd "$out"

judges=()
[ "${S2H_CLIP:-}" = none ] || judges+=(--clip 0.2 --clip-margin 0.02 ${S2H_CLIP:+--clip-model "$S2H_CLIP"})
[ "${S2H_TEXT:-}" = none ] || judges+=(--mpnet 0.0:0.95 ${S2H_TEXT:+--text-model "$S2H_TEXT"})

s2h-gen search --source "captions:$folder" -n 200 --images-per-prompt 2-4 |
    s2h-filter ${judges[@]+"${judges[@]}"} --rejects l3.rejects.jsonl -o l3.jsonl
s2h-gen vqa --source "captions:$folder" -n 100 --images-per-prompt 2-4 |
    s2h-filter ${judges[@]+"${judges[@]}"} --rejects l1.rejects.jsonl -o l1.jsonl
s2h-mix --flat l1 l3 --val 0.1 -o mix.jsonl
s2h-view mix.jsonl -n 40 -o gallery.html
s2h-train --model "$model" mix.jsonl --val mix.val.jsonl -o run --epochs 1 --max-steps 8
