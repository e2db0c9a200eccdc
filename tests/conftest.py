"""The small vision-language models that many tests load: built once a session, on the first use, in about a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.architectures import ARCHITECTURES


@pytest.fixture(scope="session")
def architectures(tmp_path_factory) -> dict[str, Path]:
    """Folders by name, "llava", "qwen2.5-vl" and "qwen3-vl". Tests must not write into them."""
    root = tmp_path_factory.mktemp("architectures")
    return {name: build(root / name) for name, build in ARCHITECTURES.items()}


@pytest.fixture(scope="session")
def llava(architectures) -> Path:
    return architectures["llava"]


@pytest.fixture(scope="session")
def qwen25vl(architectures) -> Path:
    return architectures["qwen2.5-vl"]


@pytest.fixture(scope="session")
def qwen3vl(architectures) -> Path:
    return architectures["qwen3-vl"]
