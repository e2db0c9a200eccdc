"""s2h-train in a process for which accelerate shards weights on a CPU too: it looks at the variables of FSDP and DeepSpeed
on GPUs only.

accelerate launch --config_file examples/train/fsdp2.yaml --num_processes 2 tests/support/shards_on_cpus.py data.jsonl …

Each process says when it has read the weights, and at its end how many parameters of the model were sharded and how much
memory it took at most.
"""

from __future__ import annotations

import atexit
import importlib
import os
import resource
import sys

os.environ |= {"ACCELERATE_USE_CPU": "true", "DS_ACCELERATOR": "cpu"}


def shard_on_cpus() -> None:
    """Set the state that accelerate sets on GPUs."""
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    right, kept = AcceleratorState.__init__, {}

    def start(self, *given, **more) -> None:
        right(self, *given, **more)
        if plugin := more.get("fsdp_plugin"):
            kept.update(distributed_type=DistributedType.FSDP, fsdp_plugin=plugin)
        if plugin := more.get("deepspeed_plugin"):
            plugin.set_mixed_precision(self._mixed_precision)
            plugin.select(_from_accelerator_state=True)
            kept.update(distributed_type=DistributedType.DEEPSPEED, deepspeed_plugins=plugin)
        self.__dict__.update(kept)

    AcceleratorState.__init__ = start


def count_sharded() -> list:
    """Return a list that gets the names of the parameters that are sharded after accelerate has prepared the model."""
    from accelerate import Accelerator

    right, sharded = Accelerator.prepare, []

    def prepare(self, *given, **more):
        made = right(self, *given, **more)
        for model in self._models:
            for name, parameter in model.named_parameters():
                if hasattr(parameter, "ds_id") or hasattr(parameter, "full_tensor"):
                    sharded.append(name)
        return made

    Accelerator.prepare = prepare
    return sharded


def tell_reading() -> None:
    """Say it when this process has read a model's weights."""
    from s2h.train import weights

    right = weights.read

    def read(*given):
        made = right(*given)
        if not any(weight.is_meta for weight in made.model.parameters()):
            print("this process has read the weights", file=sys.stderr)
        return made

    weights.read = read


def main() -> None:
    from s2h.cli.train import main as train

    shard_on_cpus()
    if "ACCELERATE_USE_DEEPSPEED" in os.environ:
        # Compiling this way of communicating takes more than a minute.
        importlib.import_module("deepspeed.comm.torch").build_shm_op = lambda: None
    sharded = count_sharded()
    tell_reading()
    atexit.register(tell_end, sharded)  # a process of a run ends without returning
    train()


def tell_end(sharded: list) -> None:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(set(sharded))} parameters are sharded (process {os.environ['RANK']}: {peak:.2f} GiB)",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
