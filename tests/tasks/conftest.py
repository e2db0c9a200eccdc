"""Pairs of every task, whose images are not drawn."""

from __future__ import annotations

import pytest

from s2h import tasks
from s2h.images.store import Store
from tests.support.undrawn import undrawn


@pytest.fixture(scope="session")
def pairs(tmp_path_factory) -> dict[str, list[dict]]:
    store = Store(tmp_path_factory.mktemp("images"))
    with undrawn():
        return {task: list(tasks.generate(task, n=400, seed=11, images=store)) for task in tasks.by_level()}
