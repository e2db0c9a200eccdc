"""What many tests share, made once a session on its first use: small vision-language models, and servers that run the
commands as forked processes, a few milliseconds each in place of the seconds that a start with torch takes."""

from __future__ import annotations

import gc
import os
from pathlib import Path

# Tests run on the CPU, whose numbers do not depend on a card. CUDA_VISIBLE_DEVICES=0 runs on a GPU those that can.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import pytest

from s2h.models import names
from tests.support.architectures import ARCHITECTURES
from tests.support.forks import Server
from tests.support.servers import Transformers

# What the commands import late.
LIGHT = ("scipy.stats", "sklearn.datasets", "matplotlib.figure", "matplotlib.backends.backend_agg",
         "s2h.language.related_names.head=two toy cats")  # fmt: skip
HEAVY = (
    "s2h.models.vlm.load=mini",
    "s2h.train.trainer",
    "open_clip",
    "transformers.models.auto.modeling_auto",
)


gc.disable()  # what the tests' modules import stays, so looking for cycles in it is lost time


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


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


@pytest.fixture(scope="session")
def light():
    """Runs commands that load no model."""
    with Server(*LIGHT) as server:
        yield server


@pytest.fixture(scope="session")
def heavy():
    """Runs commands that load a model."""
    with Server(*LIGHT, *HEAVY) as server:
        yield server


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """`transformers serve` with the bundled miniature."""
    with Transformers(names.bundled("mini"), tmp_path_factory.mktemp("serve")) as server:
        server.wait()
        yield server
