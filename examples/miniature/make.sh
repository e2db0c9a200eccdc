#!/usr/bin/env bash
# Makes miniatures like those that ship from nothing: pictures, the VLM, the CLIP and the text model, on two cores
# (PROCESSES=1 for one). The stages are counted in steps and lessons: other work on the cores costs time and no skill.
#
# vlm.py makes the VLM and trains its tower on the attributes of the pictures. course.py teaches the language model to speak of
# images and the parts of levels 2 and 3, in words or with some images told in words, and at its end the forms of all answers, by
# questions that are answered rightly or wrongly at even odds. README.md says what a run of both took, and what came of it. At 80
# lessons a second the VLM takes less than three hours of two cores; clip.py takes 37 minutes more (0.45 s a step), and text.py 4.
#
# The VLM that ships (the sha256 of the one before it begins with 12e4825b4e879c3f) was made by earlier versions of these scripts
# in many runs: its tower was trained together with the language model, then for 5,500 steps by itself. The last lessons were
# the stages "seeing again" and "forms again" (--seed 41, 49 minutes of one core beside other work). Text: a correlation of 0.92
# with the real model's cosines.
#
# The CLIP that ships went on from an earlier one (11 minutes of an earlier version of clip.py) with 2,090 more steps of 128
# images, and with 3,800 (900, 1,500 and 1,400 with --lr 5e-4, 6e-4 and 1e-3) when the hair of old people got its colour:
# examples/results/clip-calibration.json says what it does. clip.py --from goes on so. What a CLIP trained from the tower alone
# reaches is not measured.
#
#     bash examples/miniature/make.sh OUT      # then copy OUT/mini, OUT/mini-clip and OUT/mini-text to s2h/models/
set -euo pipefail
out=${1:?make.sh: name the folder to write to}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")"
python=${PYTHON:-python3}
export OMP_NUM_THREADS=1
two=("$python" -m torch.distributed.run --standalone --nproc-per-node "${PROCESSES:-2}")
done_with() { echo "make.sh: $1 is done, $((SECONDS / 60)) min after the start"; }
"$python" pool.py "$out/pool" --scenes 32000 --faces 26000 --digits 18000
done_with pool.py
"${two[@]}" vlm.py "$out/pool" "$out/seeing" --tower-steps 8000
done_with vlm.py
"${two[@]}" course.py "$out/pool" "$out/mini" --model "$out/seeing" --share 1
done_with course.py
"$python" clip.py "$out/pool" "$out/mini-clip" --tower "$out/seeing" --steps 5000
done_with clip.py
"$python" text.py "$out/mini-text" --tokenizer "$out/seeing" --minutes 4
done_with text.py
