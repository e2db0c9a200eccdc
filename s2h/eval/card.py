"""A benchmark's reproduction card: where its questions come from, how it is asked, read and scored here and by other
evaluators, and which published numbers these settings should give. `s2h-eval --card NAME` prints it. It is generated from
the benchmark's value (`s2h.eval.benches.Bench`) and from `s2h.eval.like`."""

from __future__ import annotations

import textwrap

from s2h.eval import benches, like
from s2h.eval.benches import Bench, CheckedQuestion, Published
from s2h.eval.published import SEVERAL
from s2h.eval.questions import styles

WIDTH = 110
_UNKNOWN = "not stated"


def text(name: str) -> str:
    """Return the card of a benchmark, by its exact name. Raises KeyError for an unknown one."""
    bench = benches.exact(name)
    if bench is None:
        raise KeyError(name)
    lines = [f"{name}: {bench.title}", f"  {bench.about}", ""]
    for label, fact in _facts(bench):
        lines += textwrap.wrap(fact, WIDTH, initial_indent=f"{label:11s}", subsequent_indent=" " * 11)
    lines += ["", *_settings(bench)]
    if bench.draw is None:
        lines += ["", *_prompts(name, bench)]
    if bench.published:
        lines += ["", "published numbers", *map(_published, bench.published)]
    return "\n".join(lines)


def _facts(bench: Bench) -> list[tuple[str, str]]:
    """Return (label, text) of each fact that is the same for all evaluators."""
    counts = ", ".join(f"{split} {count:,} questions" for split, count in bench.rows.items())
    data = (bench.hub and f"Hub: {bench.hub}", counts, f"license: {bench.license}")
    images = (
        "one for each question" if bench.single_image else "where the question marks them, else before it"
    )
    facts = [
        ("data", "; ".join(filter(None, data))),
        ("layouts", bench.layouts),
        ("labels", _labels(bench)),
        ("images", f"{images}; the model's own processor resizes them"),
        ("decoding", "greedy"),
        ("chance", bench.guess or "one over the number of possible answers; the report has it for each row"),
        ("clusters", bench.clusters or "questions that share an image"),
    ]
    return facts if bench.draw is None else [("data", "drawn by --seed, -n of each kind"), *facts[4:]]


def _labels(bench: Bench) -> str:
    revision = bench.revision
    if revision is None:
        return "no correction is known; reports name the number of questions"
    known = [f"{name} {'corrected' if new else 'before'}" for name, new in revision.known.items()]
    return (
        f"{revision.category} was corrected on {revision.date}: until then {revision.wrong}; {', '.join(known)}; reports "
        "show a fingerprint of these answers"
    )


def _settings(bench: Bench) -> list[str]:
    """Return a table of the settings here and of each evaluator, and what the evaluators do that no option sets."""
    columns = {"s2h": like.OURS}
    for name in like.NAMES:
        if name in bench.like:
            columns[name] = like.resolved(bench, name)
    lines = [f"{'settings':20s}" + "".join(f"{name:>13s}" for name in columns)]
    for option in like.OPTIONS:
        shown = (like.values(column)[option] for column in columns.values())
        lines.append(
            f"{option:20s}" + "".join(f"{_UNKNOWN if value is None else value:>13}" for value in shown)
        )
    own = sorted(parser for parser in bench.rules if parser != "robust")
    lines.append(f"parsers with rules of their own here: {', '.join(own) or 'none'}")
    for name in list(columns)[1:]:
        evaluator = like.EVALUATORS[name]
        lines += ["", f"--like {name} ({evaluator.title})"]
        for difference in (*bench.like[name].differs, *evaluator.differs):
            lines += textwrap.wrap(
                difference, WIDTH, initial_indent="  not set: ", subsequent_indent="           "
            )
    if len(columns) == 1:
        lines += ["", "--like: no evaluator's settings are known"]
    return lines


def _prompts(name: str, bench: Bench) -> list[str]:
    """Return the prompt of each style for a made-up question. Styles with the same prompt are listed together."""
    kind = bench.answer_type or "choice"
    choices = {"A": "OPTION", "B": "OPTION"} if kind == "choice" else {}
    asked = CheckedQuestion(
        text="QUESTION",
        images=0,
        category="",
        answer_type=kind,
        choices=choices,
        labelled=choices,
        in_text=False,
        prompt="THE ROW'S PROMPT",
    )
    by_prompt: dict[str, list[str]] = {}
    for style in styles.STYLES:
        by_prompt.setdefault(styles.text(name, asked, style), []).append(style)
    lines = ["prompts"]
    for prompt, names in by_prompt.items():
        lines += [f"  --prompt-style {', '.join(names)}", *(f"    | {line}" for line in prompt.split("\n"))]
    return lines


def _published(number: Published) -> str:
    metric = number.metric or "accuracy"
    settings = f"--like {number.like}" if number.like else "settings not stated"
    row = number.row if number.model == SEVERAL else f"{number.row}, {number.model}"
    return f"  {number.score:5.1f}  {row}: {metric}; {number.source}; {settings}"
