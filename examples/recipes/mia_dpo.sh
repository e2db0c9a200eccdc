#!/usr/bin/env bash
# MIA-DPO as a baseline: level-1 pairs only, in its three layouts (of sequences those where the model looked at the wrong
# image), and its settings.
#
#     bash examples/recipes/mia_dpo.sh                                   # the miniature on the built-in world
#     S2H_MODEL=llava-1.5-7b S2H_SOURCE=llava:llava_v1_5_mix665k.json S2H_N=9600 bash examples/recipes/mia_dpo.sh
#
# Writes mia-dpo/ (or $S2H_OUT): the pairs, and run/. Options go to s2h-train:  bash examples/recipes/mia_dpo.sh --processes 8
set -euo pipefail
model=${S2H_MODEL:-mini} source=${S2H_SOURCE:-builtin} n=${S2H_N:-400} out=${S2H_OUT:-mia-dpo}
mkdir -p "$out"
cd "$out"
pairs() { s2h-gen vqa --source "$source" --model "$model" -n "$n" --layout "$1" "${@:2}" -o "$1.jsonl"; }
pairs sequence --select attention
pairs grid # one picture of many: what of it the model looked at is not told apart, any wrong answer will do
pairs pip
s2h-mix --flat sequence grid pip -o mix.jsonl
s2h-train --model "$model" --recipe mia-dpo mix.jsonl -o run "$@"
