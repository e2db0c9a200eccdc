#!/usr/bin/env bash
# All steps on a laptop: pairs of all three levels, filters, a mixture, DPO, and the change on held-out questions.
#
#     bash examples/quickstart.sh            # about 15 minutes on two idle cores after the install
#     S2H_SEED=7 bash examples/quickstart.sh # with other pairs, another training order and other questions
#
# It makes a virtual environment (.venv, or $S2H_VENV) and writes to quickstart/seed-0/ (or $S2H_OUT). Only Python packages are
# downloaded: pictures, models and questions are part of s2h.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
seed=${S2H_SEED:-0}
out=${S2H_OUT:-$root/quickstart/seed-$seed}
venv=${S2H_VENV:-$root/.venv}

say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }

say "1/7  install into $venv"
if [ ! -x "$venv/bin/s2h-gen" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check torch==2.14.1 torchvision==0.29.1
    "$venv/bin/pip" install --quiet --disable-pip-version-check --editable "$root"
fi
export PATH="$venv/bin:$PATH"
mkdir -p "$out"
cd "$out"
started=$SECONDS

say "2/7  preference pairs of the three levels, each kept where its chosen answer fits its images"
# One thread for each command: two pipes at the same time are faster than one after the other.
make() { # TASK OUT THRESHOLD [OPTIONS of s2h-gen ...]
    local task=$1 kept=$2 least=$3
    shift 3
    OMP_NUM_THREADS=1 s2h-gen "$task" --seed "$seed" --size 64 "$@" | OMP_NUM_THREADS=1 s2h-filter --clip "$least" -o "$kept"
}
{
    make vqa l1.jsonl 0.2 -n 1500 --samples 4 --images-per-prompt 2-4
    make vqa l1-single.jsonl 0.2 -n 2300 --samples 4 --images-per-prompt 1
    make arithmetic l2-arithmetic.jsonl 0.25 -n 3500 --images-per-prompt 2-4
} &
make kinship l2-kinship.jsonl 0.25 -n 3500 --images-per-prompt 2-4 --relation parent
# The paper's level 3: captions of the image that shows a concept, with many of the paper's kinds of wrong captions.
make search l3.jsonl 0.25 -n 5000 --images-per-prompt 2-4 --form caption --negative same-concept=0.4 \
    --negative attribute-swap=0.25 --negative other-image=0.25 --negative generic=0.1
wait $!

say "3/7  one flat mixture, with held-out pairs"
s2h-mix --flat l1 l1-single l2-kinship l2-arithmetic l3 --val 0.02 --seed "$seed" -o mix.jsonl

# Evaluate a model twice: by its own replies, and by whether it finds the chosen answer likelier than the rejected one (chance
# is 50).
ask() { # MODEL OUT
    OMP_NUM_THREADS=1 s2h-eval --model "$1" --bench builtin --seed "$seed" -n 300 --scoring likelihood \
        -o "$2-likelihood.jsonl" --quiet &
    OMP_NUM_THREADS=1 s2h-eval --model "$1" --bench builtin --seed "$seed" -n 300 -o "$2.jsonl"
    wait $!
}

say "4/7  the bundled model on held-out questions, before"
ask mini before

say "5/7  DPO"
# One thread computes and one process prepares the batches, which is a third of the work.
OMP_NUM_THREADS=1 s2h-train --model mini mix.jsonl --val mix.val.jsonl -o run --resume --seed "$seed" --epochs 1 --lr 4e-4 \
    --sft 1 --workers 1 > run.json

say "6/7  the trained model on the same questions, after"
ask run after

say "7/7  the change"
s2h-view mix.jsonl -n 60 -o gallery.html
say "     by its own replies"
s2h-eval --compare before.jsonl after.jsonl --report compare.json --plot compare.png
say "     by the likelihood of the chosen answer"
s2h-eval --compare before-likelihood.jsonl after-likelihood.jsonl --report likelihood.json --plot likelihood.png

say "done in $(((SECONDS - started) / 60)) minutes: $out/gallery.html (the pairs), compare.png and likelihood.png (before and after),"
say "run/ (adapter, metrics, loss and margin plot)"
