"""Give each test its own cache of reference log-probabilities, and leave out the drawing of plots in most tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """A user's cache that no other test has written to."""
    place = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place))
    return place / "s2h" / "reference"


@pytest.fixture
def drawn():
    """matplotlib draws training.png in a test that asks for this."""


@pytest.fixture(autouse=True)
def undrawn(request, monkeypatch):
    """Make the figure in the other tests, but do not draw it: drawing takes as long as the run itself."""
    from PIL import Image

    def save(figure, file, **how):
        Image.new("L", (1, 1)).save(file, "png")

    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)
