#!/usr/bin/env bash
# All steps on a laptop: pairs of all three levels, filters, a mixture, DPO, and the change on held-out questions.
#
#     bash examples/quickstart.sh            # 7 minutes on two idle cores, after the install
#     bash examples/quickstart.sh --full     # more pairs and twice the questions
#     S2H_SEED=7 bash examples/quickstart.sh # with other pairs, another training order and other questions
#
# It makes a virtual environment (.venv, or $S2H_VENV) and writes to quickstart/seed-0/ (or $S2H_OUT). Only Python packages are
# downloaded: pictures, models and questions are part of s2h. A file that is there is not made again, so an interrupted run goes
# on where it was.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
full=''
case ${1:-} in
    '') ;;
    --full) full=1 ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
seed=${S2H_SEED:-0}
out=${S2H_OUT:-$root/quickstart/seed-$seed${full:+-full}}
venv=${S2H_VENV:-$root/.venv}

started=$SECONDS
say() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }
step() { say "[$(((SECONDS - started) / 60)):$(printf %02d $(((SECONDS - started) % 60)))] $*"; }
missing() { # FILE: whether it must be made
    [ -s "$1" ] || return 0
    printf '%s is there\n' "$1" >&2
    return 1
}

step "1/8  install into $venv"
bash "$root/examples/install.sh" "$venv" all
export PATH="$venv/bin:$PATH"
# Each command has one thread, and two run at a time: on such small models that is faster than one command with two threads.
export OMP_NUM_THREADS=1
mkdir -p "$out"
cd "$out"
started=$SECONDS

read -r cores memory < <(python -c 'import os
pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
print(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(), pages >> 30)')
small=''
if [ "$cores" -lt 2 ] || [ "$memory" -lt 4 ]; then
    small=1
    say "this machine has $cores core(s) and $memory GB: one command runs at a time, and likelihoods are not measured"
fi
both() { # FUNCTION FUNCTION: at the same time, where there are two cores
    if [ -n "$small" ]; then
        "$1"
        "$2"
    else
        "$1" &
        local other=$!
        "$2"
        wait "$other"
    fi
}

step "2/8  a first look: some pairs of each level (gallery.html)"
if missing gallery.html; then
    for task in "vqa --images-per-prompt 2-4 --negative wrong-attribute=1" "kinship --relation parent" arithmetic compare "search --form caption"; do
        # shellcheck disable=SC2086 # a task and its options
        s2h-gen $task -n 6 --seed "$seed" --size 96 --quiet
    done | s2h-view --title "A first look" -o gallery.html
fi

# Pairs of one task, kept where the chosen answer fits its images.
make() { # TASK OUT THRESHOLD [OPTIONS of s2h-gen ...]
    local task=$1 kept=$2 least=$3
    shift 3
    missing "$kept" || return 0
    s2h-gen "$task" --seed "$seed" --size 64 "$@" | s2h-filter --clip "$least" -o "$kept"
}
first() {
    make vqa l1.jsonl 0.2 -n $((full ? 1500 : 400)) --samples 4 --images-per-prompt 2-4
    make vqa l1-single.jsonl 0.2 -n $((full ? 2300 : 700)) --images-per-prompt 1 --negative wrong-attribute=1
    make arithmetic l2-arithmetic.jsonl 0.25 -n $((full ? 4500 : 1700)) --images-per-prompt 2-4
}
second() {
    make kinship l2-kinship.jsonl 0.25 -n $((full ? 4500 : 1500)) --images-per-prompt 2-4 --relation parent
    # The paper's level 3: captions of the image that shows a concept, with many of the paper's kinds of wrong captions.
    make search l3.jsonl 0.25 -n $((full ? 6000 : 1600)) --images-per-prompt 2-4 --form caption --negative same-concept=0.4 \
        --negative attribute-swap=0.25 --negative other-image=0.25 --negative generic=0.1
}
step "3/8  preference pairs of the three levels, each kept where its chosen answer fits its images"
both first second

step "4/8  one flat mixture, with held-out pairs"
if missing mix.jsonl; then
    s2h-mix --flat l1 l1-single l2-kinship l2-arithmetic l3 --val 0.01 --seed "$seed" -o mix.jsonl
fi

# Questions for a model, which share no image with the pairs: by its own replies, and by whether it finds the chosen answer
# likelier than the rejected one (a coin gets 50).
questions=$((full ? 600 : 300))
ask() { # MODEL OUT [OPTIONS of s2h-eval ...]
    local model=$1 answers=$2.jsonl resume=()
    shift 2
    missing "$answers" || return 0
    [ ! -e "$answers.partial" ] || resume=(--resume)
    s2h-eval --model "$model" --bench builtin --seed "$seed" -n "$questions" "${resume[@]}" -o "$answers" "$@"
}
replies() { ask "$model" "$name" --bench single.jsonl; }
likelihoods() { [ -n "$small" ] || ask "$model" "$name-likelihood" --scoring likelihood --quiet; }
step "5/8  the bundled model on held-out questions, before"
# More questions about single images: 300 could not show a loss of 2 points.
if missing single.jsonl; then
    s2h-gen vqa --split heldout --seed "$((seed + 1))" -n $((3 * questions)) --size 64 --images-per-prompt 1 \
        --negative wrong-attribute=1 --quiet -o single.jsonl
fi
model=mini name=before
both likelihoods replies

step "6/8  DPO"
if missing run.json; then
    processes=(--processes 2)
    [ -z "$small" ] || processes=()
    # Of so small a model all weights are trained. For a 7B model leave --full out: LoRA is the default.
    s2h-train --model mini mix.jsonl --val mix.val.jsonl -o run --resume --seed "$seed" --full --epochs 1 --lr 3e-4 --sft 1 \
        "${processes[@]}" > run.json.new
    mv run.json.new run.json
fi

step "7/8  the trained model on the same questions, after"
model=run name=after
both likelihoods replies

step "8/8  the change"
if [ -z "$small" ]; then
    say "by the likelihood of the chosen answer:"
    s2h-eval --compare before-likelihood.jsonl after-likelihood.jsonl --report likelihood.json
fi
say "by the model's own replies (the images decide every question, so 100 can be reached):"
s2h-eval --compare before.jsonl after.jsonl --report compare.json --plot compare.png --gallery changed.html

step "done: $out"
cat >&2 <<END
  gallery.html   the first pairs
  compare.json   the table above; compare.png draws it
  changed.html   the questions that were gained and lost, with their images
  run/           the trained model, its metrics and its plot

To try next:
  s2h-gen search -n 8 --images-per-prompt 6-8 | s2h-view -o search.html    # look at other pairs
  s2h-filter $out/mix.jsonl --audit audit.json > /dev/null          # what words alone give away
  s2h-gen search --source YOUR-PHOTOS/ -n 100 | s2h-view -o mine.html      # your own photos, each with a caption beside it
END
