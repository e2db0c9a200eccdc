"""Level 1, single-image and localised: a question about one image, which the prompt names by its index, padded with
distractors. The rejected answer is the model's own wrong generation on the padded prompt (`hallucination`), or, without a
model, a wrong value of the attribute (`wrong-attribute`), the value that a distractor has (`other-image`), or the right
answer to the same question about another picture, where the source has such pairs (`counterpart`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from s2h.levels.draft import Draft, Twin, pick_kind
from s2h.record import Record

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
ALONE = ("{q}", "Look at the image. {q}", "Please answer: {q}", "{q} Answer briefly.")


def possible_negatives(source: Any) -> list[str]:
    return [kind for kind in NEGATIVES if kind != "counterpart" or getattr(source, "twins", False)]


def make(rng: Random, source: Any, n_images: int, weights: dict[str, float]) -> Draft:
    """One level-1 draft; with weights {'hallucination': 1} its rejected answer is empty, for a model to give."""
    target = source.subject(rng)
    question = rng.choice(source.questions(target))
    together = [target]
    while len(together) < n_images:
        together.append(source.companion(rng, together))
    distractors = together[1:]
    at = rng.randrange(n_images)
    items = list(distractors)
    items.insert(at, target)
    shown = n_images > 1
    frame = rng.choice(FRAMES if shown else ALONE)
    ask = frame.format(k=at + 1, q=question.ask, p=question.ask[0].lower() + question.ask[1:])
    rejected, kind, twin = "", "hallucination", None
    facts = {
        "question": question.ask,
        "about": question.about,
        "answer": question.answer,
        "answer_type": "word" if len(question.answer.split()) <= 4 else "caption",
        "candidates": [question.answer, *question.wrong],
    }
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
) -> Iterator[Record]:
    """Pairs of a block of slots, the model asked in batches: of its answers to a prompt, the most frequent wrong one is
    taken, and a slot without any is drawn anew, up to `tries` times. The block is a unit, so that a shard asks in the same
    batches as the whole."""
    from s2h.answers import is_right, values_said

    found: dict[int, Record] = {}
    for attempt in range(tries):
        open_slots = [k for k in block if k not in found]
        if not open_slots:
            break
        drafts = [(k, made) for k in open_slots if (made := draft(k, attempt)) is not None]
        replies = answer(
            [(made.prompt(), made.pictures(size)) for _, made in drafts], f"{block.start} {attempt}"
        )
        for (k, made), texts in zip(drafts, replies, strict=True):
            texts = [text for text in map(str.strip, texts) if text]
            wrong = Counter(
                t for t in texts if not is_right(t, made.question.answer, made.question.wrong)
            ).most_common(1)
            if not texts:
                tally["the model said nothing"] += 1
            elif not wrong:
                tally["the model was right"] += 1
            else:
                text = wrong[0][0]
                said = values_said(text, made.question.wrong)
                made.rejected = text
                at = made.target[0]
                made.rejected_claims = [(at, made.question.statement(said[0]) if len(said) == 1 else text)]
                found[k] = record(made, k)
    for k in block:
        if k in found:
            yield found[k]
        else:
            tally["slots given up: the model was never wrong"] += 1
