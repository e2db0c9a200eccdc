"""Several processes for one command: the command itself is the first of them and starts the others with the environment that
torchrun and `accelerate launch` give, so that accelerate finds them; only the first one writes and speaks."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

PATIENCE = 60  # seconds that a process has to end by itself when another has


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return int(os.environ.get("RANK", 0)) == 0


def is_one_of_several() -> bool:
    return int(os.environ.get("WORLD_SIZE", 1)) > 1


@contextlib.contextmanager
def processes(count: int, tell: Callable[[str], None]) -> Iterator[None]:
    """Run the block as the first of `count` processes of this command line. A process that dies ends the others, after
    `tell` has had its last words."""
    if count == 1 or is_one_of_several():
        yield
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    if "OMP_NUM_THREADS" not in os.environ:
        shared["OMP_NUM_THREADS"] = max(1, (os.cpu_count() or 1) // count)
    os.environ.update({name: str(value) for name, value in shared.items()})
    others = [_start(rank) for rank in range(1, count)]
    os.environ.update({"RANK": "0", "LOCAL_RANK": "0"})
    over = threading.Event()
    watch = threading.Thread(target=_watch, args=(others, over, tell), daemon=True)
    watch.start()
    try:
        yield
        with contextlib.suppress(subprocess.TimeoutExpired):
            for process, _ in others:
                process.wait(PATIENCE)
    finally:
        over.set()
        for process, _ in others:
            process.terminate()
            process.wait()


def _start(rank: int) -> tuple[subprocess.Popen, Any]:
    said = tempfile.TemporaryFile()  # noqa: SIM115
    own = {**os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank)}
    process = subprocess.Popen(
        [sys.executable, *sys.argv],
        env=own, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
    )  # fmt: skip
    return process, said


def _watch(others: list, over: threading.Event, tell: Callable[[str], None]) -> None:
    """What all have met, the first process tells by itself; it would wait forever for one that met something else."""
    while not over.wait(0.5):
        dead = [(process, said) for process, said in others if process.poll()]
        if dead and not over.wait(PATIENCE):
            process, said = dead[0]
            said.seek(0)
            words = said.read().decode(errors="replace").strip().splitlines()[-1:]
            tell(
                f"a process has died with status {process.returncode}: {' '.join(words) or 'it said nothing'}"
            )
            for process, _ in others:
                process.terminate()
            time.sleep(0.5)
            os._exit(1)
