"""Read replies as lmms-eval 0.7.3 does. It has different rules for each benchmark, which the benchmark's file names
(`s2h.eval.benches.Bench.rules`). Only the letters of the question's options are labels. Short free answers are read by our
rules."""

from __future__ import annotations

import re

_SHORT = 4  # characters of a first line that is nothing but a letter
_LABEL = re.compile(r"\s*([A-Z])\.")
_STATING = (
    "answer is", "correct answer is", "best answer is", "correct option is", "best option is", "choice is",
    "correct choice is",
)  # fmt: skip
_PHRASES = (
    *_STATING, *(f"the {phrase}" for phrase in _STATING),
    "i choose", "i select", "i pick", "my answer is", "my choice is",
    "옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは",
)  # fmt: skip
# The forms of a letter in a reply, from the weakest evidence to the strongest.
_FORMS = ("{} ", "{})", "{}:", "{}.", "({})")
_PHRASE, _END, _START = len(_FORMS), len(_FORMS) + 1, len(_FORMS) + 2


def choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the label at the start of a reply ('B. a dog'), else the letter that is the whole reply. This is the rule for
    MuirBench in lmms-eval, and here for all benchmarks that don't name another one."""
    label = _LABEL.match(text)
    letter = label[1] if label else text.strip().upper()
    return letter if letter in choices else None


def yes_no(text: str) -> str | None:
    """Return 'yes' or 'no' if that is the whole reply: the rule for POPE in lmms-eval."""
    whole = text.lower().strip()
    return whole if whole in ("yes", "no") else None


def short_line(text: str, choices: dict[str, str]) -> str | None:
    """Return the letter that is a short first line, else the last one after 'answer', else the last '(A)' in upper case,
    else the first letter of the reply, even if it begins a word: the rule for BLINK in lmms-eval."""
    text, letters = text.strip(), "".join(map(re.escape, choices))
    if not letters:
        return None
    first = text.split("\n")[0].strip()
    if len(first) <= _SHORT and (bare := re.fullmatch(rf"\(?([{letters}])[).:,\s]*", first, re.IGNORECASE)):
        return bare[1].upper()
    stated = rf"answers?(?:\s+is)?\s*[:-]?\s*\(?([{letters}])\)?(?![a-z])"
    for pattern, flags in ((stated, re.IGNORECASE), (rf"\(([{letters}])\)", 0)):
        if found := re.findall(pattern, text, flags):
            return found[-1].upper()
    start = re.match(rf"[(\s]*([{letters}])", text, re.IGNORECASE)
    return start[1].upper() if start else None


def ranked(text: str, choices: dict[str, str]) -> str | None:
    """Return the upper-case letter with the strongest evidence, the last one of equals: the rule for MMStar in lmms-eval.
    From the strongest, the evidence is a letter at the start of the reply, at its end, after a phrase such as 'answer is',
    '(A)', 'A.', 'A:', 'A)', 'A ', or anywhere."""
    letters = tuple(choices)
    text = text.strip()
    for mark in ",.!?;:'\"":
        text = text.strip(mark)
    bare = text.strip()
    text = f" {text} "
    found: list[tuple[int, int, str]] = []  # strength, place, letter
    for letter in letters:
        for strength, form in enumerate(_FORMS):
            if (at := text.rfind(form.format(letter))) >= 0:
                found.append((strength, at, letter))
        if bare.startswith(letter) and not bare[1:2].isalpha():
            found.append((_START, 0, letter))
        if bare.endswith(letter) and not bare[-2:-1].isalpha():
            found.append((_END, len(text) - 1, letter))
    lower = text.lower()
    for phrase in _PHRASES:
        if (start := lower.find(phrase)) >= 0:
            after = start + len(phrase)
            found += [(_PHRASE, at, letter) for letter in letters if (at := text.find(letter, after)) >= 0]
    found = found or [(-1, at, letter) for letter in letters if (at := text.rfind(letter)) >= 0]
    return max(found, key=lambda one: one[:2])[2] if found else None
