"""The settings of other evaluators: how they ask a benchmark and read the replies. `s2h-eval --like vlmevalkit` takes all of
them at once, so that published numbers can be reproduced. A benchmark's file has its own settings (`Bench.like`); this file
has those that an evaluator uses for all benchmarks. `card` prints both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from s2h.eval import benches
from s2h.eval.benches import Bench
from s2h.parsers import VERSIONS
from s2h.record import RecordError


@dataclass(frozen=True)
class Settings:
    """How questions are asked and replies are read: --prompt-style, --parser, --max-new-tokens and --images. None: unknown,
    because another program has asked, or because the evaluator does not state it."""

    style: str | None
    parser: str
    tokens: int | None
    place: str | None


OURS = Settings("llava", "robust", 192, "interleaved")  # the defaults of s2h-eval
OPTIONS = ("--prompt-style", "--parser", "--max-new-tokens", "--images")


def values(settings: Settings) -> dict[str, str | int | None]:
    """Return the values of settings by option."""
    return dict(zip(OPTIONS, (settings.style, settings.parser, settings.tokens, settings.place), strict=True))


@dataclass(frozen=True)
class Evaluator:
    """An evaluator. title: its name and version; settings: its settings for benchmarks that don't have others; differs: what
    it does that no option sets, in sentences without a period."""

    title: str
    settings: Settings
    differs: tuple[str, ...] = ()


EVALUATORS = {
    "vlmevalkit": Evaluator(
        VERSIONS["vlmevalkit"],
        Settings("vlmevalkit", "vlmevalkit", 512, "interleaved"),
        (
            "image size: its class for Qwen2.5-VL takes 1280 to 16384 times 28 x 28 pixels an image",
            "new tokens: 512 for LLaVA-1.5, other limits for other models",
            "prompts: it words multiple-choice questions for LLaVA-1.5 as --prompt-style llava does",
        ),
    ),
    "lmms": Evaluator(
        VERSIONS["lmms"],
        Settings("lmms", "lmms", None, "interleaved"),
        ("image size: its classes for Qwen2.5-VL and Qwen3-VL take 200,704 to 1,605,632 pixels an image",),
    ),
    "paper": Evaluator(
        VERSIONS["official"],
        Settings("official", "official", None, "interleaved"),
        ("replies that the script gives to another model, or decides at random, are unread here",),
    ),
}
NAMES = tuple(EVALUATORS)


def settings(bench: str, like: str) -> Settings:
    """Return an evaluator's settings for a benchmark. Raises RecordError if they are unknown; it lists the evaluators whose
    settings are known."""
    known = benches.exact(bench)
    if known is None or like not in known.like:
        names = ", ".join(known.like) if known else ""
        raise RecordError(
            f"the settings of {like} are not known for {bench}",
            remedy=f"known are those of {names}"
            if names
            else "no evaluator's are: give the options one by one",
        )
    return resolved(known, like)


def resolved(bench: Bench, like: str) -> Settings:
    """Return the settings of an evaluator that the benchmark's file has."""
    found, usual = bench.like[like], EVALUATORS[like].settings
    return Settings(
        found.prompt or usual.style, found.parser or usual.parser, found.tokens or usual.tokens, found.place
    )


def common(names: Iterable[str], like: str) -> Settings:
    """Return an evaluator's settings for several benchmarks. Raises RecordError if they differ or are unknown."""
    found = {name: settings(name, like) for name in names}
    first, *others = found
    for other in others:
        for option in OPTIONS:
            one, another = values(found[first])[option], values(found[other])[option]
            if one != another:
                raise RecordError(
                    f"{like} has {option} {one or 'unknown'} for {first}, and {another or 'unknown'} for {other}",
                    remedy="ask them in two runs",
                )
    return found[first]


def notes(bench: str, like: str, used: Settings) -> list[str]:
    """Return the differences between a run and an evaluator as sentences for a report: options with other values, and what
    no option sets. used: the settings of the run."""
    try:
        wanted = settings(bench, like)
    except RecordError as error:
        return [f"{bench}: {error.message}"]
    known = benches.exact(bench)
    assert known is not None
    differences = []
    for option in OPTIONS:
        ours, its = values(used)[option], values(wanted)[option]
        if its is not None and ours is not None and ours != its:
            differences.append(f"{option} is {ours}, where it has {its}")
    differences += [*known.like[like].differs, *EVALUATORS[like].differs]
    return [f"{bench}, compared with {like}: {one}" for one in differences]
