#!/usr/bin/env bash
# One training run over the nodes of a SLURM job, through accelerate. A requeued job goes on from its last checkpoint:
#
#     sbatch --nodes=2 examples/cluster/train_slurm.sh fsdp2 mix.jsonl run --model qwen2.5-vl-7b --full --lr 1e-6
#
# The first word names a file of examples/train/ (ddp, fsdp2, deepspeed_zero2, deepspeed_zero3).
#SBATCH --job-name=s2h-train
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=24:00:00
#SBATCH --requeue
set -euo pipefail
[ $# -ge 3 ] || { echo "usage: train_slurm.sh CONFIGURATION PAIRS RUN [OPTIONS of s2h-train ...]" >&2; exit 2; }
root=${S2H_ROOT:-${SLURM_SUBMIT_DIR:?not in a SLURM job}}
config=$root/examples/train/$1.yaml pairs=$2 run=$3
shift 3
[ -e "$config" ] || { echo "train_slurm.sh: no $config (submit from the checkout, or set S2H_ROOT)" >&2; exit 2; }
[ -e "$run/result.json" ] && exit 0 # the run is finished
resume=()
[ -e "$run/args.json" ] && resume=(--resume)
nodes=${SLURM_JOB_NUM_NODES:?not in a SLURM job}
gpus=${SLURM_GPUS_ON_NODE:-8}
host=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export nodes gpus host config
# shellcheck disable=SC2016  # each node fills in its own rank
exec srun --kill-on-bad-exit=1 bash -c '
    exec accelerate launch --config_file "$config" --num_machines "$nodes" --num_processes $((nodes * gpus)) \
        --machine_rank "$SLURM_NODEID" --main_process_ip "$host" --main_process_port 29500 --same_network \
        -m s2h.cli.train "$@"' train "$pairs" -o "$run" "${resume[@]}" "$@"
