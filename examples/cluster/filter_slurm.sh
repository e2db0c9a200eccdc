#!/usr/bin/env bash
# One filter over the GPUs of several nodes: accelerate starts a process for each GPU; the first reads, decides and writes, all
# of them run the models. The output is that of one process, byte for byte. A job that was requeued goes on where it was
# (--resume), and the models compute again only what is not in the folder kept/.
#
#     sbatch --nodes=4 --gpus-per-node=8 examples/cluster/filter_slurm.sh l3.jsonl --clip 0.25 --clip-rank -o l3.good.jsonl
#
#SBATCH --job-name=s2h-filter
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=12:00:00
#SBATCH --requeue
set -euo pipefail
[ $# -ge 1 ] || { echo "usage: filter_slurm.sh FILE [OPTIONS of s2h-filter ...] -o OUTPUT" >&2; exit 2; }
: "${SLURM_NNODES:?not in a SLURM job (sbatch)}"
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
per=${SLURM_GPUS_ON_NODE:-0}
if [ "$per" = 0 ]; then # no GPUs: one process a node, on its cores
    per=1
    export ACCELERATE_USE_CPU=true
fi
resume=()
[ "${SLURM_RESTART_COUNT:-0}" = 0 ] || resume=(--resume)
export head per port=${PORT:-29500}
srun bash -c 'exec accelerate launch --multi_gpu --mixed_precision no --dynamo_backend no \
    --num_machines "$SLURM_NNODES" --machine_rank "$SLURM_NODEID" --num_processes "$((SLURM_NNODES * per))" \
    --main_process_ip "$head" --main_process_port "$port" --module s2h.cli.filter "$@"' \
    - "$@" --cache "${CACHE:-kept}" "${resume[@]}"
