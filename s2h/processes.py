"""Worker processes that end when their parent ends, however it ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading


def follow_parent() -> None:
    """Set up a new worker process: ignore interrupts, which the parent handles, and exit when the parent has exited."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
