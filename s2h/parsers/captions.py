"""Read a caption that a reply gives after its working."""

from __future__ import annotations

import re

_WORKING = re.compile(
    r"(?:image \d+(?: shows\b|:)|images \d+ and \d+ (?:both )?have\b).*?(?:\.(?=\s|$)|$)", re.IGNORECASE
)


def caption(text: str) -> str | None:
    """Return a reply without its working: without lines that begin as 'Image 2 shows …' or 'Images 1 and 2 both have …' and,
    in a single line, without leading sentences of these kinds. A reply that is one such sentence is itself the caption.
    Return None for a reply that is several of them and nothing else."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if conclusion := [line for line in lines if not _WORKING.match(line)]:
        return " ".join(conclusion)
    if len(lines) != 1:
        return None
    rest, sentences = lines[0], 0
    while working := _WORKING.match(rest):
        rest, sentences = rest[working.end() :].lstrip(), sentences + 1
    return rest or (lines[0] if sentences == 1 else None)
