"""Rejected answers of level 1 from a model: its own wrong replies to the padded prompts, read as values and written in the
form of the chosen answers.

A model has favourite answers, which words alone would tell: one that says 'red' of every car is never wrong where the
car is red. So, where the source knows pictures by their answers, about every second mistake is turned round (`confusion`):
another picture of which the same is asked shows what the model said, and the rejected answer is what it took that for.
Then each value is chosen as often as it is rejected in place of the other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from s2h import seeds
from s2h.language import reply_verdicts, short_answers
from s2h.language.normalisation import normalise
from s2h.language.reply_verdicts import RIGHT, UNDECIDED, WRONG, Verdict
from s2h.record import Record
from s2h.sources.lettered_options import ParsedQuestion
from s2h.sources.shapes import QuestionSet
from s2h.tasks import vqa
from s2h.tasks.draft import Draft

_DENIES = re.compile(r"\b(?:no|not|only|none|cannot|can't|isn't|doesn't|don't)\b", re.IGNORECASE)
LONGEST = 1.5  # times the characters of the chosen answer that a long rejected one may have


@dataclass(frozen=True)
class Asker:
    """A model as level 1 asks it. answer: from [(messages, images)] and a text that seeds its sampling to each prompt's
    generated texts, None for a prompt that the model can't take. size: the side of drawn pictures. tries: draws of a slot.
    alike: whether two answers of many words say the same. choose: takes one of the wrong texts (the most frequent first),
    or none."""

    answer: Callable[[list[tuple[list, list]], str], list[list[str] | None]]
    size: int
    tries: int
    alike: Callable[[str, str], bool] | None = None
    choose: Callable[[Draft, list, list[str]], str | None] | None = None


def hallucinated(
    block: range,
    source: QuestionSet,
    draft: Callable[[int, int], Draft | None],
    record: Callable[[Draft, int], Record],
    asker: Asker,
    tally: Counter,
) -> Iterator[Record]:
    """Pairs of a block of slots, the model asked in batches: of its replies to a prompt, the most frequent wrong one is
    taken, and a slot without any is drawn anew. The block is a unit, so that a shard asks in the same batches as the whole.
    What a reply wasn't used for is counted in `tally`."""
    found: dict[int, Record] = {}
    for attempt in range(asker.tries):
        open_slots = [k for k in block if k not in found]
        if not open_slots:
            break
        drafts = [(k, made) for k in open_slots if (made := draft(k, attempt)) is not None]
        asked = [(k, made, made.pictures(asker.size)) for k, made in drafts if not made.rejected]
        rows = [(made.prompt(), pictures) for _, made, pictures in asked]
        texts = asker.answer(rows, f"{block.start} {attempt}")
        found.update((k, record(made, k)) for k, made in drafts if made.rejected)
        for (k, made, pictures), said in zip(asked, texts, strict=True):
            if said is None:
                tally["a prompt that the model can't take"] += 1
                continue
            taken = _taken(made, pictures, said, asker, tally)
            pair = None if taken is None else _pair(made, *taken, source, tally)
            if pair is not None:
                found[k] = record(pair, k)
    for k in block:
        if k in found:
            yield found[k]
        else:
            tally["slots given up: the model was never wrong in a way that can be used"] += 1


def _taken(
    made: Draft, pictures: list, texts: list[str], asker: Asker, tally: Counter
) -> tuple[str, str] | None:
    """(the reply, the value that it gives) of the most frequent wrong value; None, counted, where there is none."""
    verdicts = [(text.strip(), judged(made, text.strip(), asker.alike)) for text in texts]
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
    if asker.choose is None:
        return ranked[0]
    chosen = asker.choose(made, pictures, [text for text, _ in ranked])
    if chosen is None:
        tally["the model looked at the target"] += 1
        return None
    return next(pair for pair in ranked if pair[0] == chosen)


def judged(made: Draft, text: str, alike: Callable[[str, str], bool] | None = None) -> Verdict:
    """What a model's reply to a draft is worth. The value of a wrong one is as the source writes it, of options an
    option's text, of a long answer the reply itself."""
    question = made.question
    if not re.search(r"\w", text):
        return reply_verdicts.undecided("the model said nothing")
    if question.options:
        return _option(made, text)
    if made.negative == "nonexistent" and _DENIES.search(text):
        return Verdict(RIGHT)
    if len(normalise(question.answer)) > vqa.FEW:
        return _long(question.answer, text, alike)
    known = question.odds.known if question.odds is not None else {}
    known = {**{short_answers.key(value): value for value in (question.answer, *question.wrong)}, **known}
    verdict = reply_verdicts.judge(
        text, question.ask, (question.answer, *question.accepted), known, question.wrong
    )
    if made.negative == "nonexistent" and verdict.kind == RIGHT:  # of a picture that isn't there
        return Verdict(WRONG, question.answer)
    return verdict


def _option(made: Draft, text: str) -> Verdict:
    from s2h.eval.parsers import robust

    choices = made.facts["choices"]
    asked = ParsedQuestion("", tuple(choices.values()))
    at = asked.index_of(text)
    letter = list(choices)[at] if at is not None else robust.choice(text, choices)
    if letter is None:
        return reply_verdicts.undecided("no option can be read out of the reply")
    if letter == made.facts["answer"]:
        return Verdict(RIGHT)
    return Verdict(WRONG, choices[letter])


def _long(answer: str, text: str, alike: Callable[[str, str], bool] | None) -> Verdict:
    """An answer of many words is right as well where the reply repeats all that it says, or says the same in other words;
    a reply of another form would be known by that."""
    if set(normalise(answer)) <= set(normalise(text)):
        return Verdict(RIGHT)
    if alike is not None and alike(answer, text):
        return Verdict(RIGHT)
    if len(normalise(text)) <= vqa.FEW or not 1 / LONGEST <= len(text) / len(answer) <= LONGEST:
        return reply_verdicts.undecided("a reply of another length than the answer")
    return Verdict(WRONG, text)


def _pair(made: Draft, text: str, value: str, source: QuestionSet, tally: Counter) -> Draft | None:
    """The draft with the model's wrong value, or, about every second time, turned round."""
    question = made.question
    made.facts["reply"] = text
    if question.options:  # the letters are dealt once more, as a model may prefer one
        return vqa.deal(made, seeds.rng("options", made.luck), question.options.index(value))
    vqa.reject(made, value)
    if made.negative == "nonexistent":
        return made
    if len(normalise(question.answer)) > vqa.FEW:
        return made
    partner = source.find_answered(seeds.rng("confusion", made.luck), question, value)
    if partner is None or any(partner[0].key == item.key for item in made.items):
        tally["no other picture shows what the model said"] += 1
        return None
    if not vqa.apart(question.answer, partner[1]):
        tally["what the model said may be right as well"] += 1
        return None
    if made.luck % 2:  # and not by the slot's number, which the number of images goes with
        return made
    vqa.turn_to(made, *partner, value)
    ask = vqa.pose(made.frame, partner[1])
    turned = made.turned()
    turned.ask, turned.negative, turned.question = ask, "confusion", partner[1]
    at = turned.target[0]
    turned.chosen_claims = [(at, partner[1].statement(value))]
    turned.rejected_claims = [(at, partner[1].statement(question.answer))]
    return turned
