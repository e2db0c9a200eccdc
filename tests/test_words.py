"""Phrases that were hard to read and must not come back. The rules for English are in CONTRIBUTING of this project's style:
subject, verb, object; active voice; the field's standard terms; one idea a sentence."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = sorted(p for room in ("s2h", "examples", "bin") for p in (ROOT / room).rglob("*.py"))
TEXT = sorted([*ROOT.glob("*.md"), *(ROOT / "s2h").glob("*.md"), *(ROOT / "examples").rglob("*.md")])
PHRASES = {
    r"\bwhom\b": "say who does what",
    r"\bsuch a one\b": "name it",
    r"\bis here twice\b": "duplicate …",
    r"\bwas begun\b": "was started",
    r"(?m)^\s*Of --": "begin with the noun: 'Text model for --alike: …'",
    r"\bWho reads\b": "How … is extracted",
    r"\bnothing waits without\b": "without a model, records are judged one by one",
    r"\btoo near for rounding\b": "near-tied tokens",
    r"\bof a sudden\b|\bthereof\b|\bthereby\b|\bwherein\b|\bwhereof\b": "use plain words",
    r"\b(?:is|are|be) had (?:here|from|at|on)\b": "say where it comes from",
    r"\bas they stand in\b": "unchanged, or: as in",
}
NOUNS = (
    "The", "A", "An", "One", "Every", "All", "Another", "Each", "Both", "Two", "Those", "Whether", "How", "What", "Which",
    "Why", "Any", "Some", "Everything", "Whatever",
)  # fmt: skip
THIRD_PERSON = (
    "Raises", "Writes", "Gives", "Returns", "Yields", "Adds", "Chooses", "Counts", "Reads", "Takes", "Makes", "Stores",
    "Checks", "Opens", "Draws", "Loads", "Sets",
)  # fmt: skip


@pytest.mark.parametrize("path", [*CODE, *TEXT], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_phrase_comes_back(path):
    text = path.read_text(encoding="utf-8")
    found = [(match[0], why) for phrase, why in PHRASES.items() for match in re.finditer(phrase, text)]
    assert not found


@pytest.mark.parametrize(
    "path", [p for p in CODE if p.is_relative_to(ROOT / "s2h")], ids=lambda p: str(p.relative_to(ROOT))
)
def test_docstrings_of_functions_begin_with_a_verb(path):
    """A function's docstring says what to expect of a call, in the imperative: Return, Write, Raise."""
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef) or any(
            "property" in ast.unparse(d) for d in node.decorator_list
        ):
            continue
        said = (ast.get_docstring(node) or "Do").split()[0].rstrip(",:;")
        if said in NOUNS or said in THIRD_PERSON:
            wrong.append(f"{node.name}: {said} …")
    assert not wrong
