#!/usr/bin/env bash
# Makes the bundled miniatures from nothing: pictures, the VLM, the CLIP and the text model. By the rates of its stages, 25
# lessons a second in vlm.py and 33 in course.py, it takes about five hours of one core. It has not been timed as a whole. The
# stages are counted in steps and lessons: other work on the cores costs minutes and no skill.
#
# course.py teaches the parts of levels 2 and 3 in words, or with some images told in words, and at its end the forms of all
# answers, by questions that are answered rightly or wrongly at even odds. The VLM that ships is one that earlier versions of
# these scripts made, after this course (the sha256 of the VLM before the course begins with 1d4fb0fee896ace1):
#
#     python pool.py POOL --scenes 20000 --faces 24000 --digits 12000
#     python course.py POOL OUT --start PREVIOUS
#
# The stages "all skills" and "forms" took 24 minutes of one core beside other work, by a version of course.py that counted
# seconds and rehearsed some comparing of people: their numbers in skills.py are rounded from that run. From there the stages to
# "people with the working" took 46 minutes beside other work, each with its own --seed (5, 7, 11 and 13), and 4,000 lessons of
# forms followed. Then "what two people have in common" (--seed 21, 15 minutes) ran beside tower.py (1,500 steps, then 2,200 more,
# 10 minutes), "seeing again" and "forms again" followed with the better tower (--seed 31, 33 minutes). When the hair of old
# people got its colour, tower.py went on for 1,800 steps with the new pictures (6 minutes), and "seeing again" and "forms again"
# ran once more with today's shares (--seed 41, 49 minutes beside other work).
# Neither the whole course nor a run from nothing has been measured. Text: a correlation of 0.92 with the real model's cosines.
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
"$python" pool.py "$out/pool" --scenes 32000 --faces 26000 --digits 18000
"$python" vlm.py "$out/pool" "$out/seeing" --tower-steps 4500 --words 40000 --pictures 220000
"$python" tower.py "$out/pool" "$out/sharp" --start "$out/seeing" --steps 3700
"$python" course.py "$out/pool" "$out/mini" --start "$out/sharp" --share 1
"$python" clip.py "$out/pool" "$out/mini-clip" --tower "$out/seeing-tower" --steps 5000
"$python" text.py "$out/mini-text" --tokenizer "$out/seeing-tower" --minutes 4
