"""The examples in the docstrings of s2h.language."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from s2h import language


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(language.__path__)])
def test_the_examples_in_docstrings_are_true(name):
    result = doctest.testmod(importlib.import_module(f"s2h.language.{name}"))
    assert result.failed == 0
