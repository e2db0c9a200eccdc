"""Runs of the tests keep their reference log-probabilities in a folder of their own, and most of them don't draw."""

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
    """In the other tests the figure is made, but matplotlib doesn't draw it: that takes as long as the run itself."""
    from PIL import Image

    def save(figure, file, **how):
        Image.new("L", (1, 1)).save(file, "png")

    if "drawn" not in request.fixturenames:
        monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)
