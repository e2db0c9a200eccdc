#!/usr/bin/env bash
# One set of pairs from a SLURM array: each task of the array makes its shard, and can be requeued (--resume goes on where it
# was). Put end to end, the shards are the same bytes as one run's:
#
#     sbatch --array=1-64 examples/cluster/gen_slurm.sh search 1000000 shards/ --source /data/photos
#     cat shards/*.jsonl > l3.jsonl
#
#SBATCH --job-name=s2h-gen
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=12:00:00
#SBATCH --requeue
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: gen_slurm.sh TASK N FOLDER [OPTIONS of s2h-gen ...]" >&2; exit 2; }
task=$1 n=$2 folder=$3
shift 3
index=${SLURM_ARRAY_TASK_ID:?not in a SLURM array (sbatch --array=1-N)}
count=${SLURM_ARRAY_TASK_COUNT:?not in a SLURM array}
first=${SLURM_ARRAY_TASK_MIN:-1}
mkdir -p "$folder"
out=$folder/$(printf %05d "$index").jsonl
[ -e "$out" ] && exit 0 # this shard is whole
resume=()
[ -e "$out.partial" ] && resume=(--resume)
exec s2h-gen "$task" -n "$n" --shard "$((index - first + 1))/$count" "${resume[@]}" "$@" -o "$out"
