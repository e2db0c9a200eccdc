"""Waiting for a condition, however slow the machine is."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

MOST = 600  # seconds; a guard against a condition that never comes true, and no budget


def until(
    condition: Callable[[], object], process: subprocess.Popen | None = None, every: float = 0.01
) -> None:
    """Return as soon as the condition holds. Fails where `process` ends before that."""
    end = time.monotonic() + MOST
    while not condition():
        assert process is None or process.poll() is None or condition(), "the process ended too early"
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(every)
