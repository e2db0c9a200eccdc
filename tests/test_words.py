"""Phrases that were hard to read and must not come back. Write subject, verb, object; the active voice; the field's standard
terms; one idea a sentence."""

from __future__ import annotations

import ast
import re

from tests.support.house import FILES, ROOT, nodes

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


def test_no_phrase_comes_back():
    found = [
        f"{path.relative_to(ROOT)}: {match[0].strip()} ({remedy})"
        for path in [*CODE, *TEXT]
        for phrase, remedy in PHRASES.items()
        for match in re.finditer(phrase, path.read_text(encoding="utf-8"))
    ]
    assert not found, "\n".join(found)


def test_docstrings_of_functions_begin_with_a_verb():
    """A function's docstring says in the imperative what a call does: Return, Write, Raise."""
    wrong = []
    for path in FILES:
        for node in nodes(path):
            if not isinstance(node, ast.FunctionDef):
                continue
            first = (ast.get_docstring(node) or "Do").split()[0].rstrip(",:;")
            if first not in (*NOUNS, *THIRD_PERSON):
                continue
            if not any("property" in ast.unparse(mark) for mark in node.decorator_list):
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name}: {first} …")
    assert not wrong, "\n".join(wrong)
