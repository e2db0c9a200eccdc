#!/usr/bin/env bash
# Makes the bundled miniatures from nothing: pictures, the VLM, the CLIP and the text model. By the rate of its last stage, 25
# lessons a second, it takes about three hours of one core. It has not been timed as a whole since it computes in float32.
# The VLM's stages are counted in steps and lessons: other work on the cores costs it minutes and no skill.
#
# The last stage (--parts) teaches the forms of all answers, by questions that are answered rightly or wrongly at even odds.
# The VLM that ships is one that an earlier version of this script made (eight starts), after this stage alone:
#
#     python pool.py POOL --scenes 20000 --faces 16000 --digits 10000
#     python vlm.py POOL OUT --start PREVIOUS --words 0 --pictures 0 --parts 10000 --seed 11
#
# with PREVIOUS the folder s2h/models/mini before it (sha256 of its weights: 7fa8ba54cc976b68…). It took 7 minutes of one
# core (AVX2, float32, TORCHDYNAMO_DISABLE=1). A run from nothing with these lessons has not been measured. Text: a
# correlation of 0.92 with the real model's cosines.
#
# The CLIP that ships went on from an earlier one (11 minutes of an earlier version of clip.py) with 2,090 more steps of 128
# images: examples/results/clip-calibration.json says what it does. clip.py --from goes on so. What a CLIP trained from the
# tower alone reaches is not measured.
#
#     bash examples/miniature/make.sh OUT      # then copy OUT/mini, OUT/mini-clip and OUT/mini-text to s2h/models/
set -euo pipefail
out=${1:?make.sh: name the folder to write to}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")"
python=${PYTHON:-python3}
"$python" pool.py "$out/pool" --scenes 32000 --faces 26000 --digits 18000
"$python" vlm.py "$out/pool" "$out/seeing" --tower-steps 4500 --words 40000 --pictures 220000
"$python" course.py "$out/pool" "$out/mini" --start "$out/seeing" --share 1
"$python" clip.py "$out/pool" "$out/mini-clip" --tower "$out/seeing-tower" --steps 5000
"$python" text.py "$out/mini-text" --tokenizer "$out/seeing-tower" --minutes 4
