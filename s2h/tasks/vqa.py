"""Level 1, single-image and localised: a question about one image, which the prompt names by its index, padded with
distractors. The rejected answer is the model's own wrong answer to the padded prompt (`hallucination`, see mistakes.py), or,
without a model, a wrong value (`wrong-attribute`), the value that a distractor has (`other-image`), or the right answer to
the same question about another picture, where the source has such pairs (`counterpart`).

Words alone don't tell the answers apart, by construction: a wrong value is drawn by the same odds as the right one, so that
(red, blue) comes as often as (blue, red); the letters of options are dealt anew; both answers have one form."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from string import ascii_uppercase

from s2h.language import short_answers
from s2h.language.normalisation import normalise
from s2h.sources import Item, NoPair, Question
from s2h.sources.lettered_options import lettered
from s2h.sources.shapes import QUESTIONS, QuestionSet
from s2h.tasks.draft import Draft, Twin, in_turn, pick_kind, yes_or_no

CANDIDATES = 8  # distractors among which a similar one is chosen
FEW = 4  # words up to which an answer is a value
SHOWN = 8  # candidates that facts list
TRUTH = {"yes": True, "no": False}
WANTED = {True: "a question that yes answers", False: "a question that no answers", None: "another question"}
DENIAL = "There is no Image {k}."
NEEDS = QUESTIONS
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
# First words of a question that can follow "In Image 2," in lower case.
_OPENERS = frozenset(
    [
        "what",
        "which",
        "who",
        "whose",
        "where",
        "when",
        "why",
        "how",
        "is",
        "are",
        "was",
        "were",
        "do",
        "does",
        "did",
        "can",
        "could",
        "will",
        "would",
        "has",
        "have",
    ]
)


def possible_negatives(source: QuestionSet) -> list[str]:
    return [kind for kind in NEGATIVES if kind != "counterpart" or source.has_counterparts]


def make(
    rng: Random,
    source: QuestionSet,
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
    by_model = "hallucination" in weights
    choose = _one_of(rng, source) if by_model else _in_balance(rng, source, n_images)
    target = source.draw_subject(rng)
    question = choose(source.questions_about(target))
    kind, rejected, partner = (
        ("hallucination", "", None) if by_model else _unlike(rng, source, question, weights)
    )
    together = [target]
    while len(together) < n_images:
        some = [source.draw_distractor(rng, together) for _ in range(1 if similar is None else CANDIDATES)]
        together.append(some[0] if similar is None else similar(rng, target, some))
    distractors = together[1:]
    if kind == "other-image":
        kind, rejected = _elsewhere(rng, source, question, distractors, weights)
    at = 1 if layout == "pip" else in_turn(rng, range(n_images))
    items = [*distractors[:at], target, *distractors[at:]]
    shown = n_images > 1
    frame = _frame(rng, question, INSIDE if layout == "pip" else FRAMES if shown else ALONE)
    beyond, named = None, at + 1
    if shown and layout != "pip" and not question.options and rng.random() < nonexistent:
        beyond = rng.random() < 0.5
        named = rng.randint(n_images + 1, n_images + 3) if beyond else named
    draft = Draft(
        items,
        "",
        "",
        "",
        kind,
        [at],
        {},
        [],
        [],
        indexed=shown,
        question=question,
        frame=(frame, named),
    )
    if question.options:
        return deal(draft, rng, question.options.index(rejected) if rejected else None)
    draft.ask, draft.facts = pose(draft.frame, question), _facts(rng, question, rejected)
    if beyond is not None:
        return _existence(draft, beyond, by_model)
    draft.luck = rng.getrandbits(64)
    draft.chosen, draft.chosen_claims = say(question.answer), [(at, question.statement(question.answer))]
    if rejected:
        reject(draft, rejected)
        if partner is not None:
            if any(item.key == partner[0].key for item in items):
                raise NoPair("the counterpart is a distractor")
            turn_to(draft, *partner, rejected)
    return draft


def _one_of(rng: Random, source: QuestionSet) -> Callable[[list[Question]], Question]:
    """Chooses a question; where a source asks by type, each type equally often."""
    if not source.balance_kinds:
        return rng.choice

    def choose(questions: list[Question]) -> Question:
        kind = rng.choice(sorted({question.about for question in questions}))
        return rng.choice([question for question in questions if question.about == kind])

    return choose


def _in_balance(rng: Random, source: QuestionSet, n_images: int) -> Callable[[list[Question]], Question]:
    """Chooses a question so that yes and no are right by turns over the questions of a run that they answer. The source
    tells the share of these (`yes_no`)."""
    choose, share = _one_of(rng, source), source.yes_no_share
    if not share or getattr(rng, "turn", None) is None:
        return choose
    truth = yes_or_no(rng, lambda n: share, n_images)

    def balanced(questions: list[Question]) -> Question:
        fit = [question for question in questions if TRUTH.get(short_answers.key(question.answer)) is truth]
        if not fit:
            raise NoPair(f"a picture without {WANTED[truth]}")
        return choose(fit)

    return balanced


# The rejected answer without a model ---------------------------------------------------------------------------


def _unlike(
    rng: Random, source: QuestionSet, question: Question, weights: dict[str, float]
) -> tuple[str, str, tuple[Item, Question] | None]:
    """(kind of negative, rejected value, the counterpart); the value of other-image is found among the distractors."""
    partner = source.counterpart_of(question)
    if partner is not None and not (
        apart(partner[1].answer, question) and apart(question.answer, partner[1])
    ):
        partner = None
    usable = ["wrong-attribute"] * bool(question.wrong or question.odds is not None)
    usable += ["other-image"] * (not question.options) + ["counterpart"] * (partner is not None)
    kind = pick_kind(rng, weights, usable)
    if kind == "counterpart":
        return kind, partner[1].answer, partner
    return kind, _drawn(rng, question) if kind == "wrong-attribute" else "", None


def _drawn(rng: Random, question: Question) -> str:
    """A wrong value, as likely as it is right elsewhere. Raises NoPair where the draw gives the right one, or one that
    may be right as well."""
    if question.options or question.odds is None:
        if not question.wrong:
            raise NoPair("a long answer, for which only a model gives a wrong one")
        return rng.choice(list(question.wrong))
    value = question.odds.draw(rng)
    if short_answers.same(value, question.answer):
        raise NoPair("the draw of a wrong answer gave the right one")
    if not apart(value, question) or len(normalise(value)) > FEW:
        raise NoPair("a drawn answer that may be right as well")
    return value


def apart(value: str, question: Question) -> bool:
    """Whether a value is surely none of the right answers."""
    if value in question.wrong:
        return True
    return all(short_answers.differ(value, right) for right in (question.answer, *question.accepted))


def _elsewhere(
    rng: Random, source: QuestionSet, question: Question, distractors: list[Item], weights: dict[str, float]
) -> tuple[str, str]:
    """The value that a distractor has; where none is asked the same, a wrong value if that is wanted too."""
    found = [
        other.answer
        for item in distractors
        for other in source.questions_about(item)
        if other.ask == question.ask and (question.odds is not None or other.answer != question.answer)
    ]
    if not found:
        if not weights.get("wrong-attribute"):
            raise NoPair("no distractor is asked the same")
        return "wrong-attribute", _drawn(rng, question)
    if question.odds is None:
        return "other-image", rng.choice(sorted(set(found)))
    value = rng.choice(found)
    if short_answers.same(value, question.answer) or not apart(value, question):
        raise NoPair("a distractor has the right answer, or one that may be right as well")
    if source.distractors_differ:  # none has the right answer, which makes a wrong one likelier than by odds
        here, there = (1 - question.odds.share(v) for v in (question.answer, value))
        if rng.random() * there > here:
            raise NoPair("a wrong answer that words would tell")
    return "other-image", value


# Words ----------------------------------------------------------------------------------------------------------


def _frame(rng: Random, question: Question, frames: tuple[str, ...]) -> str:
    """A phrasing that the question goes into: one that isn't a plain question stands for itself, at the end."""
    first = question.ask.split(None, 1)[0].lower().rstrip(",:")
    plain = first in _OPENERS and "\n" not in question.ask
    ended = question.ask.endswith(("?", ".", "!"))
    fit = [f for f in frames if (plain or "{p}" not in f) and (ended or f.endswith(("{q}", "{p}")))]
    return rng.choice(fit or list(frames))


def pose(frame: tuple[str, int], question: Question, options: list[str] | None = None) -> str:
    """The prompt's text: the framed question, its options a line each, and how to answer."""
    phrase, named = frame
    asked = phrase.format(k=named, q=question.ask, p=question.ask[0].lower() + question.ask[1:])
    return "\n".join([asked, *lettered(options or []), *([question.closing] if question.closing else [])])


def say(value: str) -> str:
    """An answer in the one form of both sides: a capital first, a period last."""
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
    """The answer and wrong values, those of the odds where the question has no list of its own."""
    found = [question.answer, *([rejected] if rejected else []), *question.wrong]
    for _ in range(SHOWN if question.odds is not None and not question.wrong else 0):
        try:
            value = question.odds.draw(rng)
        except NoPair:
            break
        if len(normalise(value)) <= FEW and apart(value, question):
            found.append(value)
    unlike: dict[str, str] = {}
    for value in found:
        unlike.setdefault(short_answers.key(value), value)
    return list(unlike.values())


# Drafts --------------------------------------------------------------------------------------------------------


def reject(draft: Draft, value: str) -> None:
    """Give a draft its rejected answer."""
    draft.rejected = say(value)
    draft.rejected_claims = [(draft.target[0], draft.question.statement(value))]


def deal(draft: Draft, rng: Random, wrong: int | None) -> Draft:
    """A question with its options in a new order, so that each letter is as often right and as often rejected. wrong: the
    number of the rejected option in the source's order; None leaves the rejected answer open."""
    question, (at,) = draft.question, draft.target
    order = rng.sample(range(len(question.options)), len(question.options))
    texts = [question.options[number] for number in order]
    letter = {question.options[number]: ascii_uppercase[place] for place, number in enumerate(order)}
    answer = letter[question.answer]
    draft.ask = pose(draft.frame, question, texts)
    others = [one for one in ascii_uppercase[: len(texts)] if one != answer]
    draft.facts = {
        "question": question.ask,
        "about": question.about,
        "answer": answer,
        "answer_type": "choice",
        "choices": dict(zip(ascii_uppercase, texts, strict=False)),
        "candidates": [answer, *others],
    }
    draft.chosen, draft.chosen_claims = say(answer), [(at, question.statement(question.answer))]
    draft.luck = rng.getrandbits(64)
    if wrong is not None:
        draft.rejected = say(letter[question.options[wrong]])
        draft.rejected_claims = [(at, question.statement(question.options[wrong]))]
    return draft


def turn_to(draft: Draft, item: Item, question: Question, value: str) -> None:
    """Give a draft its twin: the picture of which the same is asked and whose right answer is the rejected value."""
    (at,), facts = draft.target, draft.facts
    rest = (one for one in facts["candidates"] if short_answers.key(one) != short_answers.key(value))
    twin_facts = {**facts, "question": question.ask, "answer": value, "candidates": [value, *rest]}
    twin_facts.pop("answers", None)
    twin_facts.pop("reply", None)
    if question.accepted:
        twin_facts["answers"] = list(question.accepted)
    draft.twin = Twin([*draft.items[:at], item, *draft.items[at + 1 :]], twin_facts)
    facts["candidates"] = [
        facts["answer"],
        *(one for one in twin_facts["candidates"] if one != facts["answer"]),
    ]


def _existence(draft: Draft, beyond: bool, by_model: bool) -> Draft:
    """A question about an image that isn't there, or the claim that one isn't there which is."""
    question, (at,), (_, named) = draft.question, draft.target, draft.frame
    answer, denial = say(question.answer), DENIAL.format(k=named)
    told = [(at, question.statement(question.answer))]
    if not beyond:
        draft.negative, draft.chosen, draft.rejected = "false-denial", answer, denial
        draft.chosen_claims, draft.rejected_claims = told, [(at, denial)]
        return draft
    places = range(len(draft.items))
    draft.facts |= {"answer": "none", "answer_type": "image", "named": named}
    draft.negative, draft.chosen = "nonexistent", denial
    draft.rejected = "" if by_model else answer
    draft.target = list(places)
    draft.chosen_claims, draft.rejected_claims = [(i, "a picture") for i in places], told
    return draft
