#!/usr/bin/env bash
# The study on a SLURM cluster: each task of the array runs one arm of one seed, and can be requeued, since finished steps are
# not repeated and training goes on from its last checkpoint.
#
#     python examples/study/study.py examples/study/real.toml --data /data --plan            # look first
#     job=$(sbatch --parsable examples/study/study_slurm.sh examples/study/real.toml --data /data --out study/llava)   # the pairs
#     sbatch --dependency=afterok:$job --array=0-38 examples/study/study_slurm.sh examples/study/real.toml --data /data --out study/llava
#     python examples/study/study.py examples/study/real.toml --out study/llava --results
#
# Without an array it makes the pairs and the questions. The array has a task for each seed of the base and of each arm: 13 x 3
# in real.toml. More options go to study.py, --model qwen3-vl-2b for example.
#
#SBATCH --job-name=s2h-study
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=48:00:00
#SBATCH --requeue
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: study_slurm.sh FILE.toml [OPTIONS of study.py ...]" >&2; exit 2; }
file=$1
shift
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ -e "$here/study.py" ] || here=examples/study # SLURM runs a copy of this script
only=(--pairs-only)
[ -z "${SLURM_ARRAY_TASK_ID:-}" ] || only=(--task "$SLURM_ARRAY_TASK_ID" --jobs 1)
exec python "$here/study.py" "$file" "$@" "${only[@]}"
