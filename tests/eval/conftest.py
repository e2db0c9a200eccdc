"""Fixtures for the tests of evaluation: the command in an empty folder, and the questions of a benchmark."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from s2h.cli.eval import main
from s2h.eval.questions import Settings, copies
from s2h.images.store import Store


@pytest.fixture()
def run(tmp_path, monkeypatch):
    """Runs s2h-eval in an empty folder, checks its exit status and that no traceback was shown, and returns its output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def command(*arguments: object, status: int = 0) -> str:
        done = CliRunner().invoke(main, [*map(str, arguments)])
        assert done.exit_code == status and "Traceback" not in done.output, done.output
        return done.output

    return command


@pytest.fixture()
def ask(tmp_path, monkeypatch):
    """The questions of a benchmark as (line, messages), images stored below the working directory."""
    monkeypatch.chdir(tmp_path)

    def read(name: str, path, split: str | None = None, **options) -> list[tuple[dict, list[dict]]]:
        located = copies.locate(name, str(path), split=split)
        return list(copies.read(name, located, Settings(store=Store("images"), **options)))

    return read
