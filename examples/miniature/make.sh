#!/usr/bin/env bash
# Makes the bundled miniatures from nothing: pictures, the VLM, the CLIP and the text model. Some 105 minutes on two idle
# cores. What to expect: every attribute read off the tower 0.8 to 1.0; single-image questions answered at 0.81 to 0.86, level 1
# at 0.72 to 0.81, levels 2 and 3 at 0.20 to 0.26 and 0.10 to 0.12 (s2h-eval --model OUT/mini -n 200, seeds 7 and 0); 0.88 of
# true claims above a cosine of 0.25 and 0.78 of nearly true ones below; a correlation of 0.9 with the real text model's
# cosines. These are the figures of the models that ship; the VLM among them had its lessons in eight starts (vlm.py --start),
# the first ones with other shares of the kinds of lessons, and this script has not been run as a whole since.
#
#     bash examples/miniature/make.sh OUT      # then copy OUT/mini, OUT/mini-clip and OUT/mini-text to s2h/models/
set -euo pipefail
out=${1:?make.sh: name the folder to write to}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")"
python=${PYTHON:-python3}
"$python" pool.py "$out/pool" --scenes 32000 --faces 26000 --digits 18000
"$python" vlm.py "$out/pool" "$out/mini" --vision-minutes 8 --text-minutes 8 --language-minutes 75
"$python" clip.py "$out/pool" "$out/mini-clip" --tower "$out/mini-tower" --minutes 11
"$python" text.py "$out/mini-text" --tokenizer "$out/mini-tower" --minutes 4
