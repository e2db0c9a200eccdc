"""Devices and processes, through accelerate. No other file names a device or starts processes of a run."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from s2h.errors import one_line, plural
from s2h.processes import uncollected
from s2h.record import RecordError

# How long processes wait for one that reads or measures. torch's default is half an hour.
PATIENCE = timedelta(hours=24)
LOST = 10  # seconds that a launcher needs to end the other processes of a run after one has failed


def launched() -> tuple[int, int]:
    """Return the number of this process and the number of processes, as a launcher has set them. Import nothing heavy."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def launch(module: str, arguments: list[str], processes: int, tell: Callable[[str], None]) -> int:
    """Run a module in several processes of this machine through accelerate's launcher, each on its own GPU if there are
    GPUs. Return the exit status: 0, or that of the first process that failed. The processes share this one's standard
    streams. tell: gets a message about a process that a signal has ended. Raises RecordError if there are too few GPUs."""
    import logging

    from s2h import upstream

    with uncollected():
        import torch
        from torch.distributed.elastic.multiprocessing.api import SignalException
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    gpus = torch.cuda.device_count()
    if 0 < gpus < processes:
        raise RecordError(
            f"{processes} processes need as many GPUs: there {plural(gpus, 'is', 'are')} {gpus}",
            remedy="a smaller --processes",
        )
    if not gpus:
        os.environ["ACCELERATE_USE_CPU"] = "true"
        os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    options = ["--multi_gpu", "--num_processes", str(processes), "--num_machines", "1", "--main_process_port", "0",
               "--mixed_precision", "no", "--dynamo_backend", "no", "--module", module]  # fmt: skip
    logging.disable(logging.ERROR)  # the process that failed has printed its error already
    try:
        upstream.launch([*options, *arguments])
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 0:
            return failure.exitcode
        memory = " (perhaps out of memory)" if failure.exitcode == -9 else ""
        tell(f"process {rank} was ended by signal {-failure.exitcode}{memory}")
        return 128 - failure.exitcode
    except SignalException as error:  # sent to this process, which has passed it on
        return 128 + error.sigval
    finally:
        logging.disable(logging.NOTSET)
    return 0


def end_with_launcher() -> None:
    """End this process when its launcher is killed. It would otherwise go on writing to a folder that `--resume` uses."""
    if launched()[1] < 2:
        return
    import threading

    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def state() -> Any:
    """Return accelerate's state of this process: its device, its number and the number of processes, whether `accelerate
    launch`, torchrun or nothing has launched it.

    FSDP_CPU_RAM_EFFICIENT_LOADING, which `accelerate launch` sets by default for FSDP, is switched off: it makes
    transformers before 5.23 give all processes but the first a model of zeros, in every command. s2h-train decides itself
    who reads the weights (`s2h.train.sharding.gets_weights`)."""
    os.environ.pop("FSDP_CPU_RAM_EFFICIENT_LOADING", None)
    with uncollected():
        from accelerate import PartialState

    from s2h import upstream

    if upstream.has_process_state() or launched()[1] < 2:
        return PartialState()
    import torch

    # accelerate joins processes on CPUs to a group only if it has to use the CPU.
    forced = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")
    return PartialState(cpu=forced or not torch.accelerator.is_available(), timeout=PATIENCE)


def device() -> Any:
    """Return the torch device that this process computes on: its GPU if there is one. cuDNN's attention is switched off on a
    GPU: it plans each new shape for 0.1 to 0.2 seconds, and nearly every pair has a new shape (on an H200:
    examples/results/gpu-check.json). Convolutions of float32 are computed in float32, as products of matrices are. By
    default they are rounded to TF32, and then a pair's numbers depend on its batch."""
    found = state().device
    if found.type == "cuda":
        import torch

        torch.backends.cuda.enable_cudnn_sdp(False)
        torch.backends.cudnn.allow_tf32 = False
    return found


def is_main() -> bool:
    """Return whether this process is the one that writes files and messages."""
    return bool(state().is_main_process)


def wait() -> None:
    """Wait until all processes have arrived here."""
    state().wait_for_everyone()


def leave() -> None:
    """Leave the group of processes, if there is one, at the end of this process's work: NCCL warns about a group that still
    exists at exit."""
    if has_joined():
        state().destroy_process_group()


def has_joined() -> bool:
    """Return whether this process is or was in a group of processes."""
    if "accelerate" not in sys.modules:
        return False
    from s2h import upstream

    return upstream.has_process_state() and state().num_processes > 1


@contextlib.contextmanager
def main_first() -> Iterator[None]:
    """Let the main process run the block before the others. If it fails, the launcher ends the others."""
    if not is_main():
        wait()
    yield
    if is_main():
        wait()


def share(value: Any) -> Any:
    """Return the main process's value on every process."""
    if state().num_processes == 1:
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def is_lost_connection(error: Exception) -> bool:
    """Return whether an error means that the connection to another process is gone: that process has failed, and has printed
    its own error, or NCCL or gloo has failed."""
    if launched()[1] < 2 or state().num_processes == 1:
        return False
    import torch

    gone = isinstance(error, torch.distributed.DistError)
    return gone or any(word in str(error).lower() for word in ("gloo", "nccl", "connection closed by peer"))


def connection_error(error: Exception) -> RecordError:
    """Return the error of a lost connection as a RecordError. Wait LOST seconds first: if another process has failed and has
    printed its error, the launcher ends this one in that time."""
    time.sleep(LOST)
    return RecordError(
        f"the connection between the processes failed: {one_line(error, 400)}",
        remedy="NCCL_DEBUG=INFO or TORCH_DISTRIBUTED_DEBUG=DETAIL says more",
    )


def one_gpu() -> int:
    """Hide all GPUs but one from a process that no launcher has started, since TRL refuses to use several GPUs in one
    process. Return the number of GPUs, or 0 if nothing had to be done. Call it before anything uses CUDA."""
    with uncollected():
        import torch

    there = torch.cuda.device_count()
    if launched()[1] > 1 or there < 2:
        return 0
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    os.environ["CUDA_VISIBLE_DEVICES"] = named or "0"
    return there


def gather(values: list) -> list:
    """Return the values of all processes, in their order, on every process."""
    if state().num_processes == 1:
        return values
    from accelerate.utils import gather_object

    return gather_object(values)


def room() -> float | None:
    """Return the GiB that this process can have of its GPU: what is free and what it holds. None on a CPU."""
    if device().type != "cuda":
        return None
    import torch

    return float(torch.cuda.mem_get_info()[0] + torch.cuda.memory_reserved()) / 2**30


def peak_memory() -> int:
    """Return the most bytes that any process has used so far: of its GPU, or of the machine's memory without one."""
    import resource

    import torch

    if torch.cuda.is_available():
        mine = torch.cuda.max_memory_allocated()
    else:
        unit = 1 if sys.platform == "darwin" else 1024
        mine = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return max(gather([mine]))


def dtype(name: str = "auto") -> Any:
    """Return a torch dtype by its name; "auto" is bfloat16 on a GPU (float16 if it has none), and float32 on a CPU."""
    with uncollected():
        import torch

    if name != "auto":
        return getattr(torch, name)
    if device().type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32
