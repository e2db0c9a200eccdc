"""Level 1, single-image and localised: the prompt asks about one image, which it names by its index, among distractors. The
rejected answer is a model's own wrong reply to the prompt (`hallucination`, see hallucinations.py). Without a model it is a
wrong value (`wrong-attribute`), the value that a distractor has (`other-image`), or the right answer to the same question
about another picture (`counterpart`, for sources with such pairs of pictures).

The text alone does not tell chosen from rejected, by construction: a wrong value is drawn by the same odds as the right one,
so that (red, blue) comes as often as (blue, red); the letters of options are shuffled; both answers have one form."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from string import ascii_uppercase

from s2h.language.normalisation import normalise
from s2h.sources import Item, NoPair, Question
from s2h.sources.shapes import QUESTIONS, QuestionSet
from s2h.tasks import BY_MODEL, Answer, Option, Task, Wanted
from s2h.tasks.item_pair import Pair, Posed, Twin
from s2h.tasks.slots import Slot

CANDIDATES = 8  # distractors that CLIP chooses from
FEW = 4  # words of the longest answer that counts as a value
SHOWN = 8  # candidates that are drawn for the facts
TRUTH = {"yes": True, "no": False}
WANTED = {True: "a question that yes answers", False: "a question that no answers", None: "another question"}
DENIAL = "There is no Image {k}."
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
# For the layout pip, in which the target is inside the other picture.
INSIDE = (
    "{q} Answer for the small picture in the middle.",
    "Look at the small picture in the middle. {q}",
    "Consider only the inner picture. {q}",
    "The question is about the small picture in the middle. {q}",
    "{q} I mean the picture inside the other.",
    "In the middle there is a small picture. {q}",
)
ALONE = ("{q}", "Look at the image. {q}", "Please answer: {q}", "{q} Answer briefly.")
# First words of a question that can follow "In Image 2," in lower case.
_OPENERS = frozenset((
    "what", "which", "who", "whose", "where", "when", "why", "how", "is", "are", "was",
    "were", "do", "does", "did", "can", "could", "will", "would", "has", "have",
))  # fmt: skip


def make(slot: Slot, data: QuestionSet, wanted: Wanted) -> Pair:
    """Return one pair, with an empty rejected answer if a model is to give it. Raises NoPair if the draw gives none.

    The option `nonexistent` is the share of questions about whether the image exists. Half of them name a number beyond the
    last image, and the right answer says that there is no such image; for the other half this is the rejected answer."""
    rng, n_images = slot.rng, slot.n_images
    by_truth = None if wanted.by_model else _by_truth(slot, data)
    target = data.draw_subject(rng)
    question = _draw_question(rng, data, data.questions_about(target), by_truth)
    kind, rejected, partner = BY_MODEL, "", None
    if not wanted.by_model:
        kind, rejected, partner = _mistake(slot, data, question, wanted.negatives)
    distractors = _distractors(rng, data, target, n_images, wanted)
    if kind == "other-image":
        kind, rejected = _elsewhere(rng, data, question, distractors, wanted.negatives)
    at = 1 if wanted.layout == "pip" else slot.deal(range(n_images))
    phrases = INSIDE if wanted.layout == "pip" else FRAMES if n_images > 1 else ALONE
    posed = Posed(question, _phrase(rng, question, phrases), at + 1)
    beyond = None  # whether the question names an image that does not exist; None for all other questions
    may_lack = n_images > 1 and wanted.layout != "pip" and not question.options
    if may_lack and rng.random() < wanted.options.get("nonexistent", 0):
        beyond = rng.random() < 0.5
        posed.named = rng.randint(n_images + 1, n_images + 3) if beyond else posed.named
    pair = Pair(
        items=[*distractors[:at], target, *distractors[at:]],
        ask="",
        chosen=say(question.answer),
        rejected="",
        negative=kind,
        target=[at],
        facts={},
        chosen_claims=[(at, question.statement(question.answer))],
        indexed=n_images > 1,
        posed=posed,
    )
    if question.options:
        return deal_options(pair, rng, question.options.index(rejected) if rejected else None)
    pair.ask, pair.facts = pose(posed, question), _facts(rng, question, rejected)
    if beyond is not None:
        return _existence(pair, beyond, wanted.by_model)
    posed.luck = rng.getrandbits(64)
    if rejected:
        reject(pair, rejected)
    if partner is not None:
        if any(item.key == partner[0].key for item in pair.items):
            raise NoPair("the counterpart is a distractor")
        add_twin(pair, *partner, rejected)
    return pair


def _by_truth(slot: Slot, data: QuestionSet) -> tuple[bool | None] | None:
    """Return the right answer that the slot's question must have, so that yes and no are right equally often over the run:
    (True,) for yes, (False,) for no, (None,) for another answer. None accepts any question."""
    share = data.yes_no_share
    if not share or slot.stratum is None:
        return None
    return (slot.yes_or_no(lambda n_images: share),)


def _draw_question(
    rng: Random, data: QuestionSet, questions: Sequence[Question], by_truth: tuple[bool | None] | None
) -> Question:
    """Draw one of the questions about a picture, each kind equally often if the data balances kinds. by_truth: as
    `_by_truth` returns it. Raises NoPair if no question has the right answer that it asks for."""
    if by_truth is not None:
        from s2h.language import short_answers

        (truth,) = by_truth
        questions = [one for one in questions if TRUTH.get(short_answers.key(one.answer)) is truth]
        if not questions:
            raise NoPair(f"a picture without {WANTED[truth]}")
    if data.balance_kinds:
        kind = rng.choice(sorted({question.about for question in questions}))
        questions = [question for question in questions if question.about == kind]
    return rng.choice(questions)


def _distractors(rng: Random, data: QuestionSet, target: Item, n_images: int, wanted: Wanted) -> list[Item]:
    together = [target]
    while len(together) < n_images:
        if wanted.similar is None:
            together.append(data.draw_distractor(rng, together))
        else:
            some = [data.draw_distractor(rng, together) for _ in range(CANDIDATES)]
            together.append(wanted.similar(rng, target, some))
    return together[1:]


# The rejected answer without a model ---------------------------------------------------------------------------


def possible(data: QuestionSet) -> tuple[str, ...]:
    """Return the kinds of rejected answers that can be made without a model."""
    return tuple(kind for kind in NEGATIVES if kind != "counterpart" or data.has_counterparts)


def _mistake(
    slot: Slot, data: QuestionSet, question: Question, weights: dict[str, float]
) -> tuple[str, str, tuple[Item, Question] | None]:
    """Return (kind of negative, rejected value, counterpart or None). For `other-image` the value is "", since it comes
    from the distractors, which are drawn later."""
    partner = data.counterpart_of(question)
    if partner is not None and not (
        apart(partner[1].answer, question) and apart(question.answer, partner[1])
    ):
        partner = None
    usable = ["wrong-attribute"] * bool(question.wrong or question.odds is not None)
    usable += ["other-image"] * (not question.options) + ["counterpart"] * (partner is not None)
    kind = slot.negative(weights, usable)
    if kind == "counterpart" and partner is not None:
        return kind, partner[1].answer, partner
    return kind, _draw_wrong(slot.rng, question) if kind == "wrong-attribute" else "", None


def _draw_wrong(rng: Random, question: Question) -> str:
    """Draw a wrong value by how often it is right in the source. Raises NoPair if the draw gives the right one, or one that
    may be right too."""
    if question.options or question.odds is None:
        if not question.wrong:
            raise NoPair("a long answer, for which only a model gives a wrong one")
        return rng.choice(list(question.wrong))
    from s2h.language import short_answers

    value = question.odds.draw(rng)
    if short_answers.same(value, question.answer):
        raise NoPair("the draw of a wrong answer gave the right one")
    if not apart(value, question) or len(normalise(value)) > FEW:
        raise NoPair("a drawn answer that may be right as well")
    return value


def apart(value: str, question: Question) -> bool:
    """Tell whether a value surely differs from all right answers to a question."""
    if value in question.wrong:
        return True
    from s2h.language import short_answers

    if question.may_hold is not None:
        return short_answers.differ(value, question.answer) and not question.may_hold(value)
    return all(short_answers.differ(value, right) for right in (question.answer, *question.accepted))


def _elsewhere(
    rng: Random, data: QuestionSet, question: Question, distractors: list[Item], weights: dict[str, float]
) -> tuple[str, str]:
    """Return `other-image` and a distractor's answer to the same question. If the source asks it about no distractor, return
    `wrong-attribute` and a wrong value. Raises NoPair if that kind is not wanted, or if the value may be right."""
    found = [
        other.answer
        for item in distractors
        for other in data.questions_about(item)
        if other.ask == question.ask and (question.odds is not None or other.answer != question.answer)
    ]
    if not found:
        if not weights.get("wrong-attribute"):
            raise NoPair("no distractor is asked the same")
        return "wrong-attribute", _draw_wrong(rng, question)
    if question.odds is None:
        return "other-image", rng.choice(sorted(set(found)))
    from s2h.language import short_answers

    value = rng.choice(found)
    if short_answers.same(value, question.answer) or not apart(value, question):
        raise NoPair("a distractor has the right answer, or one that may be right as well")
    # If distractors never have the right answer, a distractor's value is likelier than by its odds: drop the excess.
    if data.distractors_differ and question.may_hold is not None:
        question.odds.draw(rng)  # no pair where a picture that is drawn freely may show the right answer
    elif data.distractors_differ:
        here, there = (1 - question.odds.share(v) for v in (question.answer, value))
        if rng.random() * there > here:
            raise NoPair("a wrong answer that words would tell")
    return "other-image", value


# Words ----------------------------------------------------------------------------------------------------------


def _phrase(rng: Random, question: Question, phrases: tuple[str, ...]) -> str:
    """Draw a phrasing for a question. A text that is no plain question is put at the end of the prompt, unchanged."""
    first = question.ask.split(None, 1)[0].lower().rstrip(",:")
    plain = first in _OPENERS and "\n" not in question.ask
    ended = question.ask.endswith(("?", ".", "!"))
    fit = [f for f in phrases if (plain or "{p}" not in f) and (ended or f.endswith(("{q}", "{p}")))]
    return rng.choice(fit or list(phrases))


def pose(posed: Posed, question: Question, options: Sequence[str] = ()) -> str:
    """Return the prompt's text: the question in its phrasing, a line for each option, and how to answer."""
    asked = posed.phrase.format(k=posed.named, q=question.ask, p=question.ask[0].lower() + question.ask[1:])
    lines = [asked]
    if options:
        from s2h.sources.lettered_options import lettered

        lines += lettered(list(options))
    return "\n".join([*lines, *([question.closing] if question.closing else [])])


def say(value: str) -> str:
    """Return an answer in the form that both sides have: it begins with a capital and ends with a period."""
    value = value.strip()
    bare = value.rstrip(" .!?") or value
    mark = value[-1] if value[-1] in "!?" else "."
    return bare[0].upper() + bare[1:] + mark


def _facts(rng: Random, question: Question, rejected: str = "") -> dict:
    facts = {
        "question": question.ask,
        "about": question.about,
        "answer": question.answer,
        "answer_type": "word" if len(question.answer.split()) <= FEW else "caption",
        "candidates": _candidates(rng, question, rejected),
    }
    if question.accepted:
        facts["answers"] = list(question.accepted)
    return facts


def _candidates(rng: Random, question: Question, rejected: str) -> list[str]:
    """Return the answer, the rejected value and further wrong values: those that the question lists, or else values drawn by
    its odds."""
    from s2h.language import short_answers

    found = [question.answer, *([rejected] if rejected else []), *question.wrong]
    settled, odds = set(found), question.odds
    for _ in range(SHOWN if odds is not None and not question.wrong else 0):
        try:
            value = odds.draw(rng, settled) if odds is not None else ""
        except NoPair:
            continue
        if value not in settled:
            settled.add(value)
            if len(normalise(value)) <= FEW and apart(value, question):
                found.append(value)
    unlike: dict[str, str] = {}
    for value in found:
        unlike.setdefault(short_answers.key(value), value)
    return list(unlike.values())


# Both answers --------------------------------------------------------------------------------------------------


def reject(pair: Pair, value: str) -> None:
    """Set the rejected answer of a pair and its claim."""
    pair.rejected = say(value)
    if pair.posed is not None:
        pair.rejected_claims = [(pair.target[0], pair.posed.question.statement(value))]


def deal_options(pair: Pair, rng: Random, wrong: int | None) -> Pair:
    """Shuffle the options of a pair's question, so that each letter is right and rejected equally often. wrong: index of the
    rejected option in the source's order; None leaves the rejected answer empty."""
    if pair.posed is None:
        raise ValueError("only a pair of level 1 has a question with options")
    question, (at,) = pair.posed.question, pair.target
    order = rng.sample(range(len(question.options)), len(question.options))
    texts = [question.options[number] for number in order]
    letter = {question.options[number]: ascii_uppercase[place] for place, number in enumerate(order)}
    answer = letter[question.answer]
    pair.ask = pose(pair.posed, question, texts)
    others = [one for one in ascii_uppercase[: len(texts)] if one != answer]
    pair.facts = {
        "question": question.ask,
        "about": question.about,
        "answer": answer,
        "answer_type": "choice",
        "choices": dict(zip(ascii_uppercase, texts, strict=False)),
        "candidates": [answer, *others],
    }
    pair.chosen, pair.chosen_claims = say(answer), [(at, question.statement(question.answer))]
    pair.posed.luck = rng.getrandbits(64)
    if wrong is not None:
        pair.rejected = say(letter[question.options[wrong]])
        pair.rejected_claims = [(at, question.statement(question.options[wrong]))]
    return pair


def add_twin(pair: Pair, item: Item, question: Question, value: str) -> Twin:
    """Set the twin of a pair and return it. item: another picture about which the same is asked. question: that question.
    value: its right answer, which the pair rejects."""
    from s2h.language import short_answers

    (at,), facts = pair.target, pair.facts
    rest = (one for one in facts["candidates"] if short_answers.key(one) != short_answers.key(value))
    twin_facts = {**facts, "question": question.ask, "answer": value, "candidates": [value, *rest]}
    twin_facts.pop("answers", None)
    twin_facts.pop("reply", None)
    if question.accepted:
        twin_facts["answers"] = list(question.accepted)
    pair.twin = Twin([*pair.items[:at], item, *pair.items[at + 1 :]], twin_facts)
    facts["candidates"] = [
        facts["answer"],
        *(one for one in twin_facts["candidates"] if one != facts["answer"]),
    ]
    return pair.twin


def _existence(pair: Pair, beyond: bool, by_model: bool) -> Pair:
    """Turn a pair into one about whether the image exists: beyond says that the question names an image that does not exist;
    otherwise the rejected answer denies an image that does."""
    (at,), named = pair.target, pair.posed.named if pair.posed else 0
    answer, denial, claims = pair.chosen, DENIAL.format(k=named), pair.chosen_claims
    if not beyond:
        pair.negative, pair.rejected, pair.rejected_claims = "false-denial", denial, [(at, denial)]
        return pair
    pair.facts |= {"answer": "none", "answer_type": "image", "named": named}
    pair.negative, pair.chosen = "nonexistent", denial
    pair.rejected = "" if by_model else answer
    pair.target = list(range(len(pair.items)))
    pair.chosen_claims, pair.rejected_claims = [(i, "a picture") for i in pair.target], claims
    return pair


TASK = Task(
    level=1,
    about="a question about one image of several, named by its index",
    negatives=NEGATIVES,
    answers={
        "word": Answer(),  # one of the candidates, which the line names
        "choice": Answer(),  # one of the choices
        "caption": Answer(),  # a long answer
        "image": Answer(lambda images: images + 1),  # whether the image exists
    },
    make=make,
    needs=(QUESTIONS,),
    possible=possible,
    options=(
        Option(
            "--nonexistent", "nonexistent", "share",
            "share of questions about whether the image exists. In half of them the right answer is that there is no such "
            "image, in the other half that answer is the wrong one.",
        ),
    ),
    takes=frozenset({"model", "distractors"}),
    layouts=("sequence", "grid", "pip"),
)  # fmt: skip
