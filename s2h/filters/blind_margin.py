"""Judge whether a model can answer without looking, by the margin of the two answers under a reference model that is shown
no image.

    s2h-filter l3 --ref llava-1.5-7b --blind-margin 2 > needs-images.jsonl

The blind test of a whole set of pairs, without a model, is in `blind`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from s2h.filters import SIDES, Judge, Measure
from s2h.filters.judgement import REFERENCE as HEADING
from s2h.filters.judgement import Given, Judgement, Number, Option, Tools
from s2h.filters.ref import margin_of
from s2h.filters.scorers import REFERENCE
from s2h.record import Record

if TYPE_CHECKING:
    from s2h.filters.engine import Engine


def build(engine: Engine, name: str | None, *, most: float | None = None, batch_size: int = 16) -> Judge:
    """Drop pairs whose chosen answer the model, shown no image, prefers by at least `most` nats. scores.blind
    has the fields of scores.ref."""
    from s2h.filters.log_probabilities import Scorer

    def decide(record: Record) -> str:
        too_easy = most is not None and margin_of(record["scores"]["blind"]) >= most
        return f"blind margin of {most:g} or more" if too_easy else ""

    column = Measure("blind margin", lambda record: margin_of(record["scores"]["blind"]), None, most)
    scorer = Scorer("blind", engine, name, SIDES, batch_size)
    return Judge("blind", scorer.score, decide, heavy=True, measures=(column,))


def _from_options(given: Given, tools: Tools) -> Judge:
    return build(tools.engine, given["ref"], most=given["blind_margin"], batch_size=given["ref_batch_size"])


def _check(given: Given) -> str:
    return "--blind-margin and --score blind need --ref MODEL." if given["ref"] is None else ""


JUDGEMENT = Judgement(
    about="Can the reference model answer without looking?",
    options=(
        Option(
            "--blind-margin",
            Number("M"),
            "Drop pairs whose chosen answer the model prefers by at least M nats without seeing an image (scores.blind).",
        ),
    ),
    build=_from_options,
    heading=HEADING,
    order=51,
    score="blind",
    short="blind",
    model=REFERENCE,
    check=_check,
)
