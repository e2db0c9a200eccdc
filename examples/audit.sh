#!/usr/bin/env bash
# Measure shortcuts in the pairs: how well words alone, and form alone, tell a chosen from a rejected answer (AUC), by task and
# source; and how even places, lengths and answers are. Exits with 1 above the limits: 0.55 at levels 2 and 3 and for form, 0.58
# at level 1 without a model, 0.60 with one.
#
#     bash examples/audit.sh                 # 2,000 pairs a task and source, audit.json and audit.png; minutes on two cores
#     N=20000 bash examples/audit.sh out/    # more of them, elsewhere
#     COCO=~/coco bash examples/audit.sh     # real sources too: COCO, VQAV2 and LLAVA name folders or files
#
# audit_sources.py makes sources in the layouts of COCO, VQAv2, LLaVA, captions and classes. The Python package easy-vqa and
# Debian's tuxpaint-stamps-default are used too if they are installed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
PATH="${S2H_VENV:-$root/.venv}/bin:$root/bin:$PATH"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
out=${1:-.}
n=${N:-2000}
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python "$root/examples/audit_sources.py" made

pairs() { s2h-gen "$@" -n "$n" --size 32 --image-dir "$work/images" --quiet; }

for task in kinship arithmetic compare search; do
    pairs "$task" --workers "$(nproc)"
done > deep.jsonl

mkdir real
easy=$(python -c 'import easy_vqa, os; print(os.path.dirname(easy_vqa.__file__))' 2> /dev/null || true)
if [ -n "$easy" ]; then
    mkdir real/easy-vqa
    python "$root/examples/audit_sources.py" --easy-vqa "$easy" real/easy-vqa/questions.json
fi
stamps=/usr/share/tuxpaint/stamps
[ -d $stamps ] && ln -s $stamps real/tuxpaint
[ -n "${COCO:-}" ] && ln -s "$(realpath "$COCO")" real/coco
[ -n "${VQAV2:-}" ] && ln -s "$(realpath "$VQAV2")" real/vqav2
[ -n "${LLAVA:-}" ] && ln -s "$(realpath "$LLAVA")" real/llava

pairs vqa --negative wrong-attribute=1 --negative other-image=1 --workers "$(nproc)" > level1.jsonl
for source in made/coco made/vqav2 made/llava.json made/captions made/classes real/*; do
    [ -e "$source" ] || continue  # no real sources
    pairs vqa --source "$source" --workers "$(nproc)" >> level1.jsonl
done

n=${M:-400}  # a model's replies take longer
for source in builtin made/vqav2; do
    pairs vqa --source "$source" --model mini --max-new-tokens 10
done > model.jsonl

status=0
s2h-filter deep.jsonl --audit deep.json --audit-fail 0.55 > /dev/null || status=1
s2h-filter level1.jsonl --audit level1.json --audit-fail 0.58 > /dev/null || status=1
s2h-filter model.jsonl --audit model.json --audit-fail 0.6 > /dev/null || status=1
python "$root/examples/audit_page.py" "$out" deep.json level1.json model.json || status=1
exit $status
