"""Parts of speech of a caption's words, by TextBlob's pattern tagger. Its lexicon and rules are plain text in its package.

It is asked only where agreement leaves open whether a word is a noun or a verb. `examples/benchmarks/concepts.py` compares
it with others.
"""

from __future__ import annotations

from functools import cache
from typing import Any


def tags(words: list[str]) -> list[str]:
    """The tag of each word (Penn Treebank: NN…, VB…, JJ…)."""
    tagged = _tagger().tag(" ".join(words), tokenize=False)
    return [tag for _, tag in tagged] if len(tagged) == len(words) else [""] * len(words)


@cache
def _tagger() -> Any:
    from textblob.en.taggers import PatternTagger

    return PatternTagger()
