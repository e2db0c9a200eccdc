"""Judge how hard a pair is for a reference model, by the margin (the log-probability of the chosen answer minus that
of the rejected one) and by the perplexity of each answer. s2h-train uses scores.ref and skips its own reference pass.

    s2h-filter l3 --ref llava-1.5-7b --margin :5 > hard.jsonl
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from s2h.filters import SIDES, Judge, Measure, within
from s2h.filters.judgement import REFERENCE as HEADING
from s2h.filters.judgement import Band, Bounds, Choice, Given, Judgement, Number, Option, Text, Tools
from s2h.filters.scorers import REFERENCE
from s2h.images.resizing import WHOLE, Pixels
from s2h.models import image_size, thinking
from s2h.record import Record

if TYPE_CHECKING:
    from s2h.filters.engine import Engine
    from s2h.models.server import Address


def build(
    engine: Engine,
    name: str | None,
    *,
    margin: Band | None = None,
    perplexity: Band | None = None,
    batch_size: int = 16,
) -> Judge:
    """Keep pairs whose margin and whose two perplexities lie within the bands, ends included. scores.ref has
    chosen and rejected (nats, summed over the answer's tokens), their tokens, model and fingerprint; of a pair with rejected
    images also `rejected_images`, the chosen answer's log-probability under them.

    Without a name, the scores that the records already have are judged.
    """
    from s2h.filters.log_probabilities import Scorer

    def decide(record: Record) -> str:
        score = record["scores"]["ref"]
        if margin is not None and (reason := within(margin_of(score), margin, "margin")):
            return reason
        if perplexity is not None:
            for side in SIDES:
                if reason := within(_perplexity(score, side), perplexity, f"perplexity of {side}"):
                    return reason
        return ""

    columns = [
        Measure("margin", lambda record: margin_of(record["scores"]["ref"]), *(margin or (None, None)))
    ]
    keys: tuple[str, ...] = SIDES
    if perplexity is not None:
        columns += [_column(side, perplexity) for side in SIDES]
        keys += tuple(f"{side}_tokens" for side in SIDES)
    scorer = Scorer("ref", engine, name, keys, batch_size)
    return Judge("ref", scorer.score, decide, heavy=True, measures=tuple(columns))


def margin_of(score: dict[str, Any]) -> float:
    """Return chosen minus rejected of a score, in nats, rounded as the two are."""
    return round(score["chosen"] - score["rejected"], 9)


def _column(side: str, band: Band) -> Measure:
    return Measure(f"perplexity of {side}", lambda record: _perplexity(record["scores"]["ref"], side), *band)


def _perplexity(score: dict[str, Any], side: str) -> float:
    return math.exp(min(-score[side] / score[f"{side}_tokens"], 700))


def _from_options(given: Given, tools: Tools) -> Judge:
    return build(
        tools.engine,
        given["ref"],
        margin=given["margin"],
        perplexity=given["perplexity"],
        batch_size=given["ref_batch_size"],
    )


def pixels(given: Given) -> Pixels:
    """Return the bounds of an image for the model of --ref, of the options and else of the model. Raises ModelError."""
    if given["ref"] is None:
        return WHOLE
    return image_size.wanted(given["ref"], _pixels(given))


def address(given: Given) -> Address | None:
    """Return the server that has the model of --ref; None if it is loaded in this process."""
    if not given.has("base_url"):
        return None
    from s2h.models import server

    return server.Address(server.checked(given["base_url"]), given["concurrency"])


def _pixels(given: Given) -> Pixels:
    return Pixels(given["min_pixels"] or 0, given["max_pixels"] or 0)


def _check(given: Given) -> str:
    if given["ref"] is None:
        if "ref" in given.scores:
            return "--score ref needs --ref MODEL."
        if _pixels(given):
            return "--max-pixels and --min-pixels are for --ref MODEL."
        if given["thinking"]:
            return "--thinking is for --ref MODEL."
        if given.has("base_url"):
            return "--base-url is for --ref MODEL."
    try:
        address(given)
    except ValueError as error:
        return f"--base-url: {error}."
    return _pixels(given).fault


JUDGEMENT = Judgement(
    about="How hard is the pair for a reference model?",
    options=(
        Option(
            "--ref",
            Text("MODEL", is_read=True),
            "Write the log-probabilities of both answers under a vision-language model as scores.ref, which "
            "s2h-train uses as its reference: a name, a Hub id, a local folder or a run of s2h-train.",
        ),
        Option(
            "--margin",
            Bounds(-1e9, 1e9),
            "Keep pairs whose log-probability of chosen minus rejected (nats) lies from LO to HI; low ones are "
            "hard. Needs --ref, or scores.ref in the records.",
        ),
        Option(
            "--perplexity",
            Bounds(1),
            "Keep pairs whose answers both have a perplexity per token from LO to HI.",
        ),
        Option("--max-pixels", Number("N", 1, whole=True), image_size.MOST_HELP, asks=False),
        Option("--min-pixels", Number("N", 1, whole=True), image_size.LEAST_HELP, asks=False),
        Option("--thinking", Choice(thinking.CHOICES), thinking.HELP + thinking.DEFAULT, asks=False),
        Option(
            "--base-url",
            Text("URL"),
            "OpenAI-compatible server that has the model of --ref, by the server's name for it, and vLLM's prompt_logprobs, "
            "such as http://localhost:8000. The key is read from OPENAI_API_KEY. s2h-train does not take these scores as "
            "its reference.",
            asks=False,
        ),
        Option(
            "--concurrency",
            Number("N", 1, 512, whole=True),
            "Requests that the server of --base-url gets at a time.",
            asks=False,
            speed=32,
        ),
        Option(
            "--ref-batch-size",
            Number("N", 1, whole=True),
            "Pairs that the model of --ref computes at a time.",
            asks=False,
            speed=8,
        ),
    ),
    build=_from_options,
    heading=HEADING,
    order=50,
    model=REFERENCE,
    check=_check,
)
