"""The commands as processes, from this checkout."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BIN = Path(__file__).resolve().parents[2] / "bin"


def run(
    name: str, *arguments: str, cwd: Path, input: str = "", status: int = 0
) -> subprocess.CompletedProcess:
    """One run of a command; it must end with the status and without a traceback."""
    done = subprocess.run(
        [sys.executable, str(BIN / name), *arguments],
        input=input,
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=600,
    )
    assert done.returncode == status and "Traceback" not in done.stderr, done.stderr
    return done
