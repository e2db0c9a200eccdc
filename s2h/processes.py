"""What a process sets for itself: worker processes end when their parent ends, however it ends, and imports are quick."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Iterator


def follow_parent() -> None:
    """Set up a new worker process: ignore interrupts, which the parent handles, and exit when the parent has exited."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    import multiprocessing.connection  # here, because every --help imports this module

    if (parent := multiprocessing.parent_process()) is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Import libraries in the block without garbage collection, and leave what they made out of all later ones. torch and
    transformers make a million objects that stay, and s2h-train starts in a quarter less time if they are never searched."""
    was_enabled, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        if was_enabled:
            gc.enable()
