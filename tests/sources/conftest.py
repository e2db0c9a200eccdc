"""What is drawn depends on the name of the source: a relative one is the same in every run of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture()
def tmp_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path()
