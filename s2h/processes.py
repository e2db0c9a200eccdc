"""Worker processes that end when their parent ends, however it ends."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading


def follow_parent() -> None:
    """Called in a new worker: leave interrupts to the parent, and end when the parent has ended."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if (parent := multiprocessing.parent_process()) is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)
