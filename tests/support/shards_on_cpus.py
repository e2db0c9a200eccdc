"""s2h-train in a process for which accelerate shards weights on a CPU too: it looks at FSDP's variables on GPUs only.

accelerate launch --config_file examples/train/fsdp2.yaml --num_processes 2 tests/support/shards_on_cpus.py data.jsonl …

It says at its end how many modules it has sharded.
"""

from __future__ import annotations

import os
import sys

os.environ["ACCELERATE_USE_CPU"] = "true"


def shard_on_cpus() -> None:
    """Set the state that accelerate sets on GPUs."""
    from accelerate.state import AcceleratorState
    from accelerate.utils import DistributedType

    right, plugins = AcceleratorState.__init__, []

    def start(self, *given, fsdp_plugin=None, **more) -> None:
        right(self, *given, fsdp_plugin=fsdp_plugin, **more)
        if fsdp_plugin is not None:
            plugins.append(fsdp_plugin)
        if plugins:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, plugins[0]

    AcceleratorState.__init__ = start


def count_modules() -> list:
    """Return a list that gets each module that is sharded."""
    from torch.distributed import fsdp

    right, sharded = fsdp.fully_shard, []

    def shard(module, *given, **more):
        sharded.append(module)
        return right(module, *given, **more)

    fsdp.fully_shard = shard
    return sharded


def main() -> None:
    from s2h.cli.train import main as train

    shard_on_cpus()
    sharded = count_modules()
    try:
        train()
    finally:
        print(f"{len(sharded)} modules are sharded", file=sys.stderr)


if __name__ == "__main__":
    main()
