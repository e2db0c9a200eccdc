"""The command reference is what the commands' --help says today."""

from __future__ import annotations

import importlib.util

from tests.support.house import ROOT

PLACE = ROOT / "examples" / "reference"


def test_the_reference_is_up_to_date():
    spec = importlib.util.spec_from_file_location("reference", PLACE / "make.py")
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    stale = "run: python examples/reference/make.py"
    assert (PLACE / "README.md").read_text(encoding="utf-8") == made.page(), stale
