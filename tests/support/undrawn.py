"""Built-in pairs by the hundred: their pictures are names only, for tests that look at no pixel. Drawing would take most of
the time; tests/sources/builtin looks at what is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def undrawn() -> Iterator[None]:
    """Make pairs without drawing: the reference of an image is the name of its item."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("s2h.tasks.item_pair.place", lambda item, store, size: item.key)
        yield
