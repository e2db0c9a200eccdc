"""Take the rejected answers of level 1 from a model: its own wrong replies to the padded prompts, read as values and written
in the form of the chosen answers.

A model has favourite answers, and they would give the rejected answer away: a model that calls every car red is never wrong
about a red car, so "red" would nearly always be rejected. Therefore about half of the mistakes are mirrored (`confusion`),
if the source can find pictures by their answers: the prompt shows a red car, "red" is chosen, and the true colour of the
car that the model mistook is rejected. Each value is then chosen as often as it is rejected in favour of the other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from s2h import seeds
from s2h.language import reply_verdicts, short_answers
from s2h.language.normalisation import normalise
from s2h.language.reply_verdicts import RIGHT, UNDECIDED, WRONG, Verdict
from s2h.sources.lettered_options import ParsedQuestion
from s2h.sources.shapes import QuestionSet
from s2h.tasks import vqa
from s2h.tasks.item_pair import Pair, Posed, Size

if TYPE_CHECKING:
    from PIL.Image import Image

_DENIES = re.compile(r"\b(?:no|not|only|none|cannot|can't|isn't|doesn't|don't)\b", re.IGNORECASE)
LONGEST = 1.5  # times the characters of the chosen answer that a long rejected one may have


@dataclass(frozen=True)
class Answerer:
    """A model that answers the prompts of level 1.

    answer: takes [(messages, images)] and a text that seeds the sampling; returns the replies to each prompt, None for a
    prompt that the model can't process. name: the model and its settings, which the pairs' ids depend on. alike: whether two
    long answers mean the same. choose: selects one of the wrong replies (the most frequent first), or None."""

    answer: Callable[[list[tuple[list, list]], str], list[list[str] | None]]
    name: str = ""
    alike: Callable[[str, str], bool] | None = None
    choose: Callable[[Pair, list[Image], list[str]], str | None] | None = None


def hallucinated(
    block: range,
    draw: Callable[[int, int], Pair | None],
    tries: int,
    answerer: Answerer,
    data: QuestionSet,
    size: Size,
    tally: Counter,
) -> Iterator[tuple[int, Pair]]:
    """Yield (slot, pair) for a block of slots in order. The model answers the prompts of all open slots of the block in one
    batch. The most frequent wrong reply to a prompt becomes the rejected answer; a slot without one is drawn again. A block
    is never split, so a shard has the same batches as the whole run. `tally` counts why replies were not used.

    draw: `draw(slot, attempt)` returns a pair without its rejected answer, or None."""
    found: dict[int, Pair] = {}
    for attempt in range(tries):
        open_slots = [k for k in block if k not in found]
        if not open_slots:
            break
        drawn = [(k, pair) for k in open_slots if (pair := draw(k, attempt)) is not None]
        found.update((k, pair) for k, pair in drawn if pair.rejected)
        asked = [(k, pair, pair.pictures(size)) for k, pair in drawn if not pair.rejected]
        rows = [(pair.prompt(), pictures) for _, pair, pictures in asked]
        texts = answerer.answer(rows, f"{block.start} {attempt}")
        for (k, pair, pictures), text in zip(asked, texts, strict=True):
            if text is None:
                tally["a prompt that the model can't take"] += 1
                continue
            taken = _taken(pair, pictures, text, answerer, tally)
            finished = None if taken is None else _finished(pair, *taken, data, tally)
            if finished is not None:
                found[k] = finished
    for k in block:
        if k in found:
            yield k, found[k]
        else:
            tally["slots given up: the model was never wrong in a way that can be used"] += 1


def _taken(
    pair: Pair, pictures: list, texts: list[str], answerer: Answerer, tally: Counter
) -> tuple[str, str] | None:
    """Return the most frequent wrong reply and the value that it gives; None, and count why, if no reply can be used."""
    verdicts = [(text.strip(), judged(pair, text.strip(), answerer.alike)) for text in texts]
    wrong: dict[str, tuple[str, str]] = {}
    often: Counter = Counter()
    for text, verdict in verdicts:
        if verdict.kind == WRONG:
            often[verdict.value] += 1
            wrong.setdefault(verdict.value, (text, verdict.value))
    ranked = [wrong[value] for value, _ in often.most_common()]
    if not ranked:
        reasons = [verdict.reason for _, verdict in verdicts if verdict.kind == UNDECIDED]
        right = any(verdict.kind == RIGHT for _, verdict in verdicts)
        tally["the model was right" if right or not reasons else reasons[0]] += 1
        return None
    if answerer.choose is None:
        return ranked[0]
    chosen = answerer.choose(pair, pictures, [text for text, _ in ranked])
    if chosen is None:
        tally["the model looked at the target"] += 1
        return None
    return next(one for one in ranked if one[0] == chosen)


def judged(pair: Pair, text: str, alike: Callable[[str, str], bool] | None = None) -> Verdict:
    """Return whether a model's reply to a pair's prompt is right, wrong or undecided. The value of a wrong reply is in the
    source's spelling; it is the option's text for a question with options, and the reply itself for a long answer."""
    question = _posed(pair).question
    if not re.search(r"\w", text):
        return reply_verdicts.undecided("the model said nothing")
    if question.options:
        return _option(pair, text)
    if pair.negative == "nonexistent" and _DENIES.search(text):
        return Verdict(RIGHT)
    if len(normalise(question.answer)) > vqa.FEW:
        return _long(question.answer, text, alike)
    known = question.odds.known if question.odds is not None else {}
    known = {**{short_answers.key(value): value for value in (question.answer, *question.wrong)}, **known}
    verdict = reply_verdicts.judge(
        text, question.ask, (question.answer, *question.accepted), known, question.wrong
    )
    if (
        pair.negative == "nonexistent" and verdict.kind == RIGHT
    ):  # the prompt asks about an image that does not exist
        return Verdict(WRONG, question.answer)
    if verdict.kind == WRONG and question.may_hold is not None and question.may_hold(verdict.value):
        return reply_verdicts.undecided("what the model said may be right as well")
    return verdict


def _posed(pair: Pair) -> Posed:
    if pair.posed is None:
        raise ValueError("only level 1 asks a model for rejected answers")
    return pair.posed


def _option(pair: Pair, text: str) -> Verdict:
    """Judge a reply to a question with options."""
    from s2h.parsers import robust

    choices = pair.facts["choices"]
    asked = ParsedQuestion("", tuple(choices.values()))
    at = asked.index_of(text)
    letter = list(choices)[at] if at is not None else robust.choice(text, choices)
    if letter is None:
        return reply_verdicts.undecided("no option can be read out of the reply")
    if letter == pair.facts["answer"]:
        return Verdict(RIGHT)
    return Verdict(WRONG, choices[letter])


def _long(answer: str, text: str, alike: Callable[[str, str], bool] | None) -> Verdict:
    """Judge a reply to a question with a long answer. A reply that has all words of the answer, or means the same, is
    right. A reply of another length is undecided, since its length alone would give it away."""
    if set(normalise(answer)) <= set(normalise(text)):
        return Verdict(RIGHT)
    if alike is not None and alike(answer, text):
        return Verdict(RIGHT)
    if len(normalise(text)) <= vqa.FEW or not 1 / LONGEST <= len(text) / len(answer) <= LONGEST:
        return reply_verdicts.undecided("a reply of another length than the answer")
    return Verdict(WRONG, text)


def _finished(pair: Pair, text: str, value: str, data: QuestionSet, tally: Counter) -> Pair | None:
    """Return the pair with the model's wrong value as its rejected answer, or about half of the time the mirrored pair.
    Return None, and count why, if the source has no picture for the mirrored one."""
    posed = _posed(pair)
    question = posed.question
    pair.facts["reply"] = text
    if question.options:  # a model may prefer a letter, so the letters are shuffled after its reply
        return vqa.deal_options(pair, seeds.rng("options", posed.luck), question.options.index(value))
    vqa.reject(pair, value)
    if pair.negative == "nonexistent":
        return pair
    if len(normalise(question.answer)) > vqa.FEW:
        return pair
    partner = data.find_answered(seeds.rng("confusion", posed.luck), question, value)
    if partner is None or any(partner[0].key == item.key for item in pair.items):
        tally["no other picture shows what the model said"] += 1
        return None
    item, other = partner
    if not vqa.apart(question.answer, other):
        tally["what the model said may be right as well"] += 1
        return None
    if posed.luck % 2:  # drawn, since the slot's own number is tied to the number of images
        return pair
    mirrored = pair.mirrored(vqa.add_twin(pair, item, other, value))
    mirrored.ask, mirrored.negative = vqa.pose(posed, other), "confusion"
    mirrored.posed = Posed(other, posed.phrase, posed.named, posed.luck)
    at = mirrored.target[0]
    mirrored.chosen_claims = [(at, other.statement(value))]
    mirrored.rejected_claims = [(at, other.statement(question.answer))]
    return mirrored
