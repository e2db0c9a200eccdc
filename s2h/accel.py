"""The one file that names devices and processes; all of it through accelerate."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

from s2h.errors import plural
from s2h.record import RecordError

# That processes wait for one that reads or measures; the default is half an hour.
PATIENCE = timedelta(hours=24)
LOST = 10  # seconds in which a launcher ends the processes of a run of which one has failed


def launched() -> tuple[int, int]:
    """Which process this is, and of how many, as a launcher has told it; known before anything heavy is loaded."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def launch(module: str, arguments: list[str], processes: int, tell: Callable[[str], None]) -> int:
    """Run a module in several processes of this machine through accelerate's launcher, each on a GPU of its own where there
    is one, and return the exit status: 0, or that of the first process that failed. All of them have this process's
    standard streams. tell: says that a process was ended by a signal, which can't say so itself."""
    import logging

    import torch
    from accelerate.commands.launch import launch_command, launch_command_parser
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
    logging.disable(logging.ERROR)  # a process that fails has said why
    try:
        launch_command(launch_command_parser().parse_args([*options, *arguments]))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode > 0:
            return failure.exitcode
        memory = " (perhaps for want of memory)" if failure.exitcode == -9 else ""
        tell(f"process {rank} was ended by signal {-failure.exitcode}{memory}")
        return 128 - failure.exitcode
    except SignalException as error:  # to this process, which has passed it on
        return 128 + error.sigval
    finally:
        logging.disable(logging.NOTSET)
    return 0


def end_with_launcher() -> None:
    """Let this process end when its launcher is killed, which can't tell it any more: or it would go on in a folder that
    `--resume` is given."""
    if launched()[1] < 2:
        return
    import threading
    import time

    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def state() -> Any:
    """accelerate's view of this process: which device it has, and which of how many it is. Started by `accelerate launch`,
    by torchrun or by nobody, it finds out by itself."""
    from accelerate import PartialState

    if PartialState._shared_state or launched()[1] < 2:
        return PartialState()
    import torch

    # Several processes on CPUs are a group only where that is said.
    forced = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true")
    return PartialState(cpu=forced or not torch.accelerator.is_available(), timeout=PATIENCE)


def device() -> Any:
    """The torch device that this process computes on: its GPU where there is one. cuDNN's attention is left out there: it
    plans each new shape for 0.1 to 0.2 seconds, and nearly every pair has a shape of its own (measured on an H200:
    examples/results/gpu-check.json)."""
    found = state().device
    if found.type == "cuda":
        import torch

        torch.backends.cuda.enable_cudnn_sdp(False)
    return found


def is_main() -> bool:
    """Whether this process is the one that writes files and speaks."""
    return bool(state().is_main_process)


def wait() -> None:
    """Let all processes arrive here before any goes on."""
    state().wait_for_everyone()


def leave() -> None:
    """Let this process, whose work is done, leave the group of processes, if there is one: NCCL warns of a group that stands
    at the end, and the threads of gloo's may end the process with a signal."""
    if launched()[1] < 2:
        return
    from accelerate import PartialState

    if PartialState._shared_state:
        PartialState().destroy_process_group()


@contextlib.contextmanager
def main_first() -> Iterator[None]:
    """The main process goes through the block before the others do. Where it fails, they are left to the launcher, which
    ends them."""
    if not is_main():
        wait()
    yield
    if is_main():
        wait()


def share(value: Any) -> Any:
    """The main process's value, on every process."""
    if state().num_processes == 1:
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def lost(error: Exception) -> bool:
    """Whether an error says that the connection to another process is gone: that one may have ended, and has then said why,
    or NCCL or gloo has failed by itself."""
    if launched()[1] < 2 or state().num_processes == 1:
        return False
    import torch

    gone = isinstance(error, torch.distributed.DistError)
    return gone or any(word in str(error).lower() for word in ("gloo", "nccl", "connection closed by peer"))


def told(error: Exception) -> RecordError:
    """The error of a lost connection as one line, after some seconds in which the launcher ends this process if another one
    has failed first and has said why."""
    time.sleep(LOST)
    said = " ".join(str(error).split())[:400] or type(error).__name__
    return RecordError(
        f"the connection between the processes failed: {said}",
        remedy="NCCL_DEBUG=INFO or TORCH_DISTRIBUTED_DEBUG=DETAIL says more",
    )


def one_gpu() -> int:
    """Let a process that was started by itself see one GPU, since TRL refuses to spread a model over several in one process.
    Returns how many there are, or 0 where nothing had to be done. Call it before anything uses CUDA."""
    import torch

    there = torch.cuda.device_count()
    if launched()[1] > 1 or there < 2:
        return 0
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")[0].strip()
    os.environ["CUDA_VISIBLE_DEVICES"] = named or "0"
    return there


def gather(values: list) -> list:
    """The values of all processes, in the processes' order, on every process."""
    if state().num_processes == 1:
        return values
    from accelerate.utils import gather_object

    return gather_object(values)


def dtype(name: str = "auto") -> Any:
    """A torch dtype: by name, or bfloat16 on a GPU that has it and float32 elsewhere."""
    import torch

    if name != "auto":
        return getattr(torch, name)
    if device().type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.float32
