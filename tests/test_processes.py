"""Imports without garbage collection, which runs again after them."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from s2h.processes import uncollected


def test_collection_goes_on_after_the_imports():
    with uncollected(), uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(ImportError), uncollected():
        raise ImportError("no such package")
    assert gc.isenabled()


def test_only_what_an_import_made_is_left_out_of_later_collections():
    """A block that runs again in a process imports nothing new, and must not keep garbage alive."""
    code = """
import gc
from s2h.processes import uncollected

def frozen(module):
    with uncollected():
        __import__(module)
    return gc.get_freeze_count()

first = frozen("decimal")
assert first > 1000, first
kept = [[] for _ in range(1000)]
assert frozen("decimal") == first
"""
    subprocess.run([sys.executable, "-c", code], check=True)
