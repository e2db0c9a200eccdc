"""Level 1, single-image and localised: a question about one image, which the prompt names by its index, padded with
distractors. The rejected answer is the model's own wrong generation on the padded prompt (`hallucination`), or, without a
model, a wrong value of the attribute (`wrong-attribute`), the value that a distractor has (`other-image`), or the right
answer to the same question about another picture, where the source has such pairs (`counterpart`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from s2h.language.answers import is_right, normalise, values_said
from s2h.levels.draft import Draft, Twin, in_turn, pick_kind
from s2h.record import Record
from s2h.sources import Item, Question

CANDIDATES = 8  # distractors among which a similar one is chosen
FEW = 4  # words up to which an answer is a value
_DENIES = re.compile(r"\b(?:no|not|only|none|cannot|can't|isn't|doesn't|don't)\b", re.IGNORECASE)
DENIAL = "There is no Image {k}."
NEEDS = ("subject", "companion", "questions")
NEGATIVES = {"wrong-attribute": 0.5, "other-image": 0.5, "counterpart": 1.0}
FRAMES = (
    "Look at Image {k}. {q}",
    "{q} Answer for Image {k}.",
    "Image {k}: {q}",
    "This question is about Image {k}. {q}",
    "Consider only Image {k}. {q}",
    "In Image {k}, {p}",
    "For Image {k}, {p}",
    "{q} Look at Image {k} only.",
    "Please look at Image {k} and answer: {q}",
    "Take Image {k}. {q}",
    "Regarding Image {k}: {q}",
    "{q} I mean Image {k}.",
)
# Of two pictures the target stands in the middle of the other, which it hides in part.
INSIDE = (
    "{q} Answer for the small picture in the middle.",
    "Look at the small picture in the middle. {q}",
    "Consider only the inner picture. {q}",
    "The question is about the small picture in the middle. {q}",
    "{q} I mean the picture inside the other.",
    "In the middle there is a small picture. {q}",
)
ALONE = ("{q}", "Look at the image. {q}", "Please answer: {q}", "{q} Answer briefly.")


def possible_negatives(source: Any) -> list[str]:
    return [kind for kind in NEGATIVES if kind != "counterpart" or getattr(source, "twins", False)]


def make(
    rng: Random,
    source: Any,
    n_images: int,
    weights: dict[str, float],
    layout: str = "sequence",
    nonexistent: float = 0,
    similar: Callable[[Random, Item, list[Item]], Item] | None = None,
) -> Draft:
    """One level-1 draft; with weights {'hallucination': 1} its rejected answer is empty, for a model to give.

    nonexistent: the share of questions that turn on whether the image exists: half of them name a number beyond the last
    image, and the right answer says so; to the other half the wrong answer says so. similar: chooses a distractor among
    several.
    """
    target = source.subject(rng)
    question = rng.choice(source.questions(target))
    together = [target]
    while len(together) < n_images:
        some = [source.companion(rng, together) for _ in range(1 if similar is None else CANDIDATES)]
        together.append(some[0] if similar is None else similar(rng, target, some))
    distractors = together[1:]
    at = 1 if layout == "pip" else in_turn(rng, range(n_images))
    items = list(distractors)
    items.insert(at, target)
    shown = n_images > 1
    frame = rng.choice(INSIDE if layout == "pip" else FRAMES if shown else ALONE)
    named = at + 1
    beyond = None
    if shown and layout != "pip" and rng.random() < nonexistent:
        beyond = rng.random() < 0.5
        named = rng.randint(n_images + 1, n_images + 3) if beyond else named
    ask = frame.format(k=named, q=question.ask, p=question.ask[0].lower() + question.ask[1:])
    rejected, kind, twin = "", "hallucination", None
    facts = {
        "question": question.ask,
        "about": question.about,
        "answer": question.answer,
        "answer_type": "word" if len(question.answer.split()) <= FEW else "caption",
        "candidates": [question.answer, *question.wrong],
    }
    if beyond is not None:
        return _existence(items, ask, question, at, named, beyond, facts, "hallucination" in weights)
    if "hallucination" not in weights:
        partner = source.counterpart(question) if getattr(source, "twins", False) else None
        elsewhere = {
            other.answer
            for item in distractors
            for other in source.questions(item)
            if other.ask == question.ask
        } - {question.answer}
        usable = ["wrong-attribute"] * bool(question.wrong) + ["other-image"] * bool(elsewhere)
        usable += ["counterpart"] * (
            partner is not None and all(item.key != partner[0].key for item in items)
        )
        kind = pick_kind(rng, weights, usable)
        if kind == "counterpart":
            rejected = partner[1]
            candidates = [rejected, *(value for value in facts["candidates"] if value != rejected)]
            twin_facts = {**facts, "answer": rejected, "candidates": candidates}
            twin = Twin([*items[:at], partner[0], *items[at + 1 :]], twin_facts)
            facts["candidates"] = [question.answer, *(v for v in candidates if v != question.answer)]
        else:
            rejected = rng.choice(sorted(elsewhere) if kind == "other-image" else list(question.wrong))
    return Draft(
        items,
        ask,
        say(question.answer),
        say(rejected) if rejected else "",
        kind,
        [at],
        facts,
        [(at, question.statement(question.answer))],
        [(at, question.statement(rejected))] if rejected else [],
        indexed=shown,
        question=question,
        twin=twin,
    )


def _existence(
    items: list[Item],
    ask: str,
    question: Question,
    at: int,
    named: int,
    beyond: bool,
    facts: dict,
    by_model: bool,
) -> Draft:
    """A question about an image that isn't there, or the claim that one isn't there which is."""
    answer, denial = say(question.answer), DENIAL.format(k=named)
    chosen, rejected = (denial, answer) if beyond else (answer, denial)
    told = [(at, question.statement(question.answer))]
    if beyond:
        facts = {**facts, "answer": "none", "answer_type": "image", "named": named}
    model_says = by_model and beyond  # for the image that isn't there; a denial is written here
    return Draft(
        items,
        ask,
        chosen,
        "" if model_says else rejected,
        "nonexistent" if beyond else "false-denial",
        list(range(len(items))) if beyond else [at],
        facts,
        [(i, "a picture") for i in range(len(items))] if beyond else told,
        told if beyond else [(at, denial)],
        question=question,
    )


def say(value: str) -> str:
    return value[0].upper() + value[1:] + ("" if value.endswith((".", "!", "?")) else ".")


def hallucinated(
    block: range,
    draft: Callable[[int, int], Draft | None],
    record: Callable[[Draft, int], Record],
    answer: Callable[[list[tuple[list, list]], str], list[list[str]]],
    size: int,
    tally: Counter,
    tries: int,
    alike: Callable[[str, str], bool] | None = None,
    choose: Callable[[Draft, list, list[str]], str | None] | None = None,
) -> Iterator[Record]:
    """Pairs of a block of slots, the model asked in batches: of its answers to a prompt, the most frequent wrong one is
    taken, and a slot without any is drawn anew, up to `tries` times. The block is a unit, so that a shard asks in the same
    batches as the whole.

    alike: whether two answers of many words say the same, which then is no mistake. choose: takes one of the wrong answers
    (the most frequent first), or none.
    """
    found: dict[int, Record] = {}
    for attempt in range(tries):
        open_slots = [k for k in block if k not in found]
        if not open_slots:
            break
        drafts = [(k, made) for k in open_slots if (made := draft(k, attempt)) is not None]
        asked = [(k, made, made.pictures(size)) for k, made in drafts if not made.rejected]
        replies = answer(
            [(made.prompt(), pictures) for _, made, pictures in asked], f"{block.start} {attempt}"
        )
        found.update((k, record(made, k)) for k, made in drafts if made.rejected)
        for (k, made, pictures), texts in zip(asked, replies, strict=True):
            texts = [text for text in map(str.strip, texts) if text]
            wrong = [text for text, _ in Counter(t for t in texts if _is_wrong(made, t, alike)).most_common()]
            if wrong and choose is not None:
                taken = choose(made, pictures, wrong)
                if taken is None:
                    tally["the model looked at the target"] += 1
                    continue
                wrong = [taken]
            if not texts:
                tally["the model said nothing"] += 1
            elif not wrong:
                tally["the model was right"] += 1
            else:
                made.rejected = wrong[0]
                said = values_said(made.rejected, made.question.wrong)
                statement = made.question.statement(said[0]) if len(said) == 1 else made.rejected
                at = made.target[0] if made.negative == "hallucination" else made.rejected_claims[0][0]
                made.rejected_claims = [(at, statement)]
                found[k] = record(made, k)
    for k in block:
        if k in found:
            yield found[k]
        else:
            tally["slots given up: the model was never wrong"] += 1


def _is_wrong(made: Draft, text: str, alike: Callable[[str, str], bool] | None) -> bool:
    """Whether a model's answer is wrong: it doesn't say the right value, or says others as well. An answer of many words
    is right as well where it says the same in other words, or repeats all that the right one says."""
    if made.negative == "nonexistent":
        return not _DENIES.search(text)
    answer = made.question.answer
    if is_right(text, answer, made.question.wrong):
        return False
    if len(normalise(answer)) <= FEW:
        return True
    if set(normalise(answer)) <= set(normalise(text)):
        return False
    return alike is None or not alike(answer, text)
