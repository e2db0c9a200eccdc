"""Score by likelihood, without generating: compute the log-probabilities of the possible answers after the prompt. For a
choice these are the option letters, for a yes/no question the two words, and for a pair its two answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from s2h.models import decode, encode, vlm
from s2h.models.prompts import Prompt
from s2h.record import RecordError, assistant

DIGITS = 4  # of the log-probabilities in a line; further digits depend on the batch
CLOSE = 1e-3  # nats; answers in float32 that are closer are computed again with batch size 1
PAIR = ("chosen", "rejected")
CASES = (str.lower, str.capitalize, str.upper)  # in which yes and no are compared


@dataclass
class Options:
    """The answers that are compared. tokens: for each label, the tokens that stand for it; their probabilities are added up.
    answers: the texts of a pair's two answers."""

    tokens: dict[str, list[int]] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    longest: int = 1  # tokens of the longest answer


def options(model: vlm.VLM, line: dict, messages: list[dict], text: str) -> Options:
    """Return the options of a question whose prompt is `text`. Raises RecordError if it has none, or if its letters are not
    one token each after this prompt."""
    labels, processor = labels_of(line), model.processor
    if labels == PAIR:
        pair = line["_pair"]
        answers = {which: encode.answer_text(processor, messages, pair[which], text) for which in labels}
        ids = processor.tokenizer(list(answers.values()), add_special_tokens=False)["input_ids"]
        return Options(answers=answers, longest=max(map(len, ids)))
    leads = _leads(processor, messages, text)
    if line.get("choices"):
        for lead in leads:
            tokens = [_token(processor, text, lead + letter) for letter in labels]
            found = [token for token in tokens if token is not None]
            if len(set(found)) == len(labels):
                return Options({letter: [token] for letter, token in zip(labels, found, strict=True)})
        raise RecordError(
            f"the option letters are not each one token after this prompt: {', '.join(labels)}", field="choices",
            remedy="use --scoring generate",
        )  # fmt: skip
    words: dict[str, list[int]] = {"yes": [], "no": []}
    for lead in leads:
        for write in CASES:
            yes, no = (_token(processor, text, lead + write(word)) for word in words)
            if yes is not None and no is not None and yes not in words["yes"]:
                words["yes"].append(yes)
                words["no"].append(no)
    if words["yes"]:
        return Options(words)
    raise RecordError("yes and no are not each one token after this prompt", remedy="use --scoring generate")


def labels_of(line: dict) -> tuple[str, ...]:
    """Return the labels whose likelihoods are compared: PAIR, the option letters, or yes and no. Raises RecordError for a
    question that has none."""
    pair = line.get("_pair") or {}
    if all(which in pair for which in PAIR):
        return PAIR
    if line.get("choices"):
        return tuple(line["choices"])
    if line.get("answer_type") == "yes/no" or str(line.get("answer")).lower() in ("yes", "no"):
        return "yes", "no"
    raise RecordError(
        "can't be scored by likelihood: it has neither choices nor a yes/no answer", field="choices",
        remedy="use --scoring generate",
    )  # fmt: skip


def words_of(line: dict, label: str) -> set[str]:
    """Return the words that stand for a label at the beginning of an answer."""
    return {label} if line.get("choices") else {write(label) for write in CASES}


def judge(model: vlm.VLM, asked: list[tuple[Prompt, Options]]) -> list[dict]:
    """Return for each question of a batch {"response": the likeliest label, "logp": {label: log-probability}}."""
    found: dict[int, dict[str, float]] = {}
    for whole in (False, True):
        rows = [at for at, (_, some) in enumerate(asked) if bool(some.answers) == whole]
        if rows:
            measure = _answers if whole else _words
            found.update(zip(rows, measure(model, [asked[at] for at in rows]), strict=True))
            if decode.nearness(model) is not None and len(rows) > 1:
                for at in rows:
                    best = sorted(found[at].values(), reverse=True)
                    if len(best) > 1 and best[0] - best[1] < CLOSE:
                        found[at] = measure(model, [asked[at]])[0]
    return [likeliest(dict(found[at]), whole=bool(some.answers)) for at, (_, some) in enumerate(asked)]


def likeliest(found: dict[str, float | None], whole: bool = False) -> dict:
    """Return {"response": the likeliest label, "logp": {label: log-probability}}. A log-probability of None is less than any
    number. whole: whether the labels are the two answers of a pair."""
    logp = {label: None if value is None else round(value, DIGITS) for label, value in found.items()}
    known = {label: value for label, value in logp.items() if value is not None}
    # The first label wins a tie. In a pair the rejected answer wins it, since the chosen one must be likelier.
    labels = sorted(known, reverse=True) if whole else list(known)
    return {"response": max(labels, key=lambda label: known[label]), "logp": logp}


def _words(model: vlm.VLM, asked: list[tuple[Prompt, Options]]) -> list[dict[str, float]]:
    """Return the log-probability of each label that is a letter or a word, by the first token of the answer."""
    logps = decode.first_logps(model, [prompt for prompt, _ in asked])
    return [
        {label: float(row[tokens].logsumexp(-1)) for label, tokens in some.tokens.items()}
        for row, (_, some) in zip(logps, asked, strict=True)
    ]


def _answers(model: vlm.VLM, asked: list[tuple[Prompt, Options]]) -> list[dict[str, float]]:
    """Return the log-probability of each of a pair's answers, the sum over its tokens."""
    answers = [list(some.answers.values()) for _, some in asked]
    sums = vlm.score_answers(model, [prompt for prompt, _ in asked], answers)
    return [dict(zip(some.answers, row, strict=True)) for row, (_, some) in zip(sums, asked, strict=True)]


def _leads(processor: Any, messages: list[dict], text: str) -> list[str]:
    """Return the white space that may stand between the prompt and an answer's first word; the template's comes first."""
    answer = encode.answer_text(processor, messages, assistant("A"), text)
    return list(dict.fromkeys((answer[: len(answer) - len(answer.lstrip())], "", " ")))


def _token(processor: Any, text: str, more: str) -> int | None:
    """Return the token of `more` after the prompt; None if it is several tokens or changes the prompt's own."""
    before, after = processor.tokenizer([text, text + more], add_special_tokens=False)["input_ids"]
    return after[-1] if after[:-1] == before else None
