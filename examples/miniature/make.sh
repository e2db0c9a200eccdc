#!/usr/bin/env bash
# Makes the bundled miniatures from nothing: pictures, the VLM, the CLIP and the text model. Some 110 minutes on two idle
# cores; its stages are timed, so that other work on the cores costs lessons and not minutes.
#
# What to expect. Run as a whole once, with other work taking up to half of the cores and when lessons went half as fast
# (s2h-eval --model OUT/mini --bench builtin -n 200, seeds 0 and 7): every attribute read off the tower 0.88 to 1.0, one-image
# questions answered at 0.64 and 0.62, level 1 at 0.43 and 0.39, level 2 at 0.23 and 0.21, level 3 at 0.09 and 0.05; CLIP: 0.91
# of true claims above a cosine of 0.25 and 0.86 of nearly true ones below; text: a correlation of 0.92 with the real model's
# cosines. The VLM that ships had about three times as many lessons, in eight starts (vlm.py --start), and answers 0.87 and 0.81
# of the one-image questions, 0.77 and 0.72 of level 1, 0.23 and 0.19 of level 2, 0.15 and 0.11 of level 3.
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
