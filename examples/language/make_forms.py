"""Write s2h/language/inflected.tsv: articles and plurals of the words in s2h's tables, as inflect gives them, where they
differ from the plain rules. With it s2h asks inflect, whose import takes seconds, only for words beyond the tables.

    python examples/language/make_forms.py

Needs s2h with its packages. Run it after make_table.py.
"""

from __future__ import annotations

from pathlib import Path

import inflect

from s2h.language import word_tables
from s2h.language.nouns import plain_article, plain_plural

OUT = Path(word_tables.HERE) / "inflected.tsv"


def main() -> None:
    engine = inflect.engine()
    rows = []
    for word in sorted(word_tables.named()):
        article = engine.a(word).split()[0]
        plural = engine.plural_noun(word) or word
        told = "" if article == plain_article(word) else article
        if told or plural != plain_plural(word):
            rows.append(f"{word}\t{told}\t{'' if plural == plain_plural(word) else plural}\n")
    OUT.write_text("".join(rows), encoding="utf-8")
    print(f"{len(rows)} words: {OUT}")


if __name__ == "__main__":
    main()
