"""Files of JSON lines, and the prompts of questions in one line."""

from __future__ import annotations

import json
from pathlib import Path

from s2h.train.folder import read_metrics


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def metrics(folder: Path) -> list[dict]:
    """The lines of a run's metrics.jsonl without the speed, which differs from run to run."""
    return [{name: value for name, value in line.items() if name != "speed"} for line in read_metrics(folder)]


def write(path: Path, lines: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def shape(messages: list[dict]) -> str:
    """A prompt in one line, images as #."""
    return "".join("#" if part["type"] == "image" else part["text"] for part in messages[0]["content"])
