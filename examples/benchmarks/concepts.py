"""Measure how well captions give a concept, by the rules of `s2h/language` and by part-of-speech taggers, and how fast.

    python examples/benchmarks/concepts.py                        # the captions of examples/benchmarks/captions.txt
    python examples/benchmarks/concepts.py --more captions.jsonl  # and how many of your own give a concept

A concept is right if its head is one that captions.txt names. `wrong` is the share of concepts that are not right, `found`
the share of the captions that should give a concept and do, right or wrong. The taggers have their models in their packages
and are measured if they are installed (pip install HanTa textblob).

`pairs` compares two captions of one scene: `same` is the share that `may_fit` accepts as one scene (the others may become
chosen and rejected answers), `different` the share of captions of two scenes that it accepts as one (such a draw is
repeated), and `prompt_fits_both` the share of concepts that `may_show` denies a picture of the same scene. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from s2h.language import caption_fit, concepts, noun_phrases, nouns, related_names, word_forms

HERE = Path(__file__).parent
Tagger = Callable[[list[str]], list[str]]
# A caption, its heads, and two captions: of the same scene, and of another one.
Row = tuple[str, set[str], list[str]]
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[.,!?;:]")


def read() -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for line in (HERE / "captions.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            rows = found.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            caption, heads, *pair = line.split("|")
            rows.append((caption, set(filter(None, heads.split(","))), pair))
    return found


def by_tagger(tags: Tagger) -> Callable[[str], str]:
    """Return a function that finds the first noun phrase by tags: articles and numbers, then adjectives and nouns up to the
    last noun in a row."""

    def concept(caption: str) -> str:
        words = _WORD.findall(caption)
        taken, nouns = [], 0
        for word, tag in zip(words, tags(words), strict=True):
            if not taken and tag in ("DT", "CD", "AT0", "CRD", "PRP$", "DPS", "DT0"):
                continue
            if tag.startswith(("NN", "NP")):
                nouns += 1
            elif nouns or not tag.startswith(("JJ", "AJ", "VBG", "VBN")):
                break
            taken.append(word)
        return " ".join(taken) if nouns else ""

    return concept


def seen_only(concept: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function that keeps the concepts of another one only if their head is in the table of visible nouns."""

    def kept(caption: str) -> str:
        found = concept(caption)
        return (
            found
            if found
            and (noun_phrases.seen(found.split()[-1]) or noun_phrases.seen(related_names.head(found)))
            else ""
        )

    return kept


def by_rules(caption: str) -> str:
    for function in (concepts.find, word_forms.singular, word_forms.shares, word_forms.verb_of):
        function.cache_clear()
    return concepts.find(caption).concept


def taggers() -> dict[str, Tagger]:
    """Return the installed taggers, by name."""
    found: dict[str, Tagger] = {}
    with suppress(ImportError):
        from textblob.en.taggers import PatternTagger

        pattern = PatternTagger()
        found["TextBlob's pattern tagger"] = lambda words: [
            tag for _, tag in pattern.tag(" ".join(words), tokenize=False)
        ]
    with suppress(ImportError):
        from HanTa import HanoverTagger

        model = HanoverTagger.HanoverTagger("morphmodel_en.pgz")
        found["HanTa"] = lambda words: [tag for _, _, tag in model.tag_sent(words)]
    return found


def measure(concept: Callable[[str], str], rows: list[Row]) -> dict:
    concept(rows[0][0])
    start = time.process_time()
    found = [concept(caption) for caption, *_ in rows]
    seconds = time.process_time() - start
    given = [(one, heads) for one, (_, heads, _) in zip(found, rows, strict=True) if one]
    wrong = [one for one, heads in given if related_names.head(one) not in heads]
    wanted = [one for one, (_, heads, _) in zip(found, rows, strict=True) if heads]
    return {
        "captions": len(rows),
        "found": round(sum(map(bool, wanted)) / max(1, len(wanted)), 3),
        "wrong": round(len(wrong) / max(1, len(given)), 3),
        "wrong_concepts": wrong[:12],
        "captions_per_second": round(len(rows) / max(seconds, 1e-9)),
    }


def measure_pairs(rows: list[Row]) -> dict:
    several = [(caption, *pair) for caption, _, pair in rows if pair]
    same = [fits(one, other) for one, other, _ in several]
    different = [fits(one, other) for one, _, other in several]
    ways = [way for one, other, _ in several for way in ((one, other), (other, one))]
    asked = [(concept, other) for one, other in ways if (concept := concepts.find(one).concept)]
    missed = [
        f"{concept} | {other}" for concept, other in asked if not caption_fit.may_show(concept, things(other))
    ]
    return {
        "pairs": len(several),
        "same": round(sum(same) / len(several), 3),
        "different": round(sum(different) / len(several), 3),
        "prompt_fits_both": round(len(missed) / len(asked), 3),
        "concepts_that_fit_both": missed,
    }


def fits(one: str, other: str) -> bool:
    """Return whether two captions may be of one scene, by the test of level 3."""
    return caption_fit.may_fit(one, [other]) or caption_fit.may_fit(other, [one])


def things(caption: str) -> set[str]:
    """Return the things that a caption mentions, as a source of captions stores them."""
    return {*caption_fit.things_in(caption), *nouns.words_of(caption)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--more", type=Path, help="JSON lines with `caption`: how many give a concept, and which are none"
    )
    arguments = parser.parse_args()
    ways = {"rules (used)": by_rules}
    for name, tags in taggers().items():
        ways[name] = by_tagger(tags)
        ways[f"{name}, visible nouns only"] = seen_only(by_tagger(tags))
    report: dict = {
        way: {name: measure(concept, rows) for name, rows in read().items()} for way, concept in ways.items()
    }
    report["pairs"] = {
        name: measure_pairs(rows) for name, rows in read().items() if any(pair for _, _, pair in rows)
    }
    if arguments.more:
        captions = [
            json.loads(line)["caption"] for line in arguments.more.read_text(encoding="utf-8").splitlines()
        ]
        found = [concepts.find(caption) for caption in captions]
        missed = {
            caption: one.reason for caption, one in zip(captions, found, strict=True) if not one.concept
        }
        report["more"] = {
            "captions": len(captions),
            "found": 1 - len(missed) / len(captions),
            "without": missed,
        }
    report["cached_captions_per_second"] = cached(
        [caption for rows in read().values() for caption, *_ in rows]
    )
    print(json.dumps(report, indent=1, ensure_ascii=False))


def cached(captions: list[str]) -> int:
    """Return the captions a second for new captions whose words are in the caches, as in a file of 20,000."""
    concepts.find.cache_clear()
    several = [f"{caption} {number}" for number in range(20) for caption in captions]
    start = time.process_time()
    for caption in several:
        concepts.find(caption)
    return round(len(several) / (time.process_time() - start))


if __name__ == "__main__":
    main()
