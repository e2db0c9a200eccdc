"""The steps of a study: read from its TOML file, in the order in which they depend on one another."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KEYS = {
    "study": {"extends", "model", "seeds", "pairs", "train", "sample"},
    "sets": {"gen", "filter"},
    "arms": {"title", "sets", "order", "train", "share"},
    "measures": {"eval", "questions"},
}


@dataclass(frozen=True)
class Arm:
    """One way to train. order: the levels one after another, or none to mix them. train: options of s2h-train. share: of
    the study's pairs."""

    name: str
    title: str
    sets: tuple[str, ...]
    train: str
    order: tuple[int, ...] = ()
    share: float = 1


@dataclass(frozen=True)
class Study:
    """A study. sets: the pipes, by name. measures: what is asked, by name. data: the folder of the user's data."""

    model: str
    seeds: tuple[int, ...]
    pairs: int
    sets: dict[str, dict[str, str]]
    arms: dict[str, Arm]
    measures: dict[str, dict[str, Any]]
    data: str = ""
    sample: str = ""

    def fill(self, options: str, seed: int) -> list[str]:
        """Return the words of a command's options, with the names in braces filled in. Raises click.UsageError if they name
        a data folder and none is given."""
        if "{data}" in options and not self.data:
            raise click.UsageError(
                f"--data DIR is needed, the folder that the study calls {{data}}: {options}"
            )
        names = {"{seed}": str(seed), "{model}": self.model, "{data}": self.data}
        return [_filled(word, names) for word in shlex.split(options)]


@dataclass(frozen=True)
class Step:
    """One file to make. pipe: the commands that make it, joined by pipes; the last one writes it. after: the files that it
    reads."""

    makes: Path
    pipe: list[list[str]]
    after: list[Path] = field(default_factory=list)

    def __str__(self) -> str:
        return " | ".join(shlex.join(command) for command in self.pipe)


def _tables(path: str) -> dict[str, dict[str, Any]]:
    """Return the tables of one file, and raise click.UsageError for names that no study has."""
    try:
        with open(path, "rb") as file:
            found = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{path} can't be read: {error}") from None
    for name in found.keys() - KEYS.keys():
        raise click.UsageError(f"{path}: there is no table [{name}] (choose from {', '.join(KEYS)})")
    tables = {name: found.get(name, {}) for name in KEYS}
    for name, table in tables.items():
        for key, one in {"": table}.items() if name == "study" else table.items():
            for wrong in one.keys() - KEYS[name]:
                place = f"{name}.{key}".rstrip(".")
                raise click.UsageError(
                    f"{path}: [{place}] has no {wrong!r} (choose from {', '.join(sorted(KEYS[name]))})"
                )
    return tables


def read(path: str, *, model: str | None = None, data: str = "", pairs: int | None = None) -> Study:
    """Read a study from its TOML file. model, pairs: in place of the file's. Raises click.UsageError with the remedy."""
    tables = _tables(path)
    if extended := tables["study"].get("extends"):
        if not isinstance(extended, str):
            raise click.UsageError(f"{path}: [study] extends a file, which is a string, not {extended!r}")
        below = _tables(str(Path(path).parent / extended))
        tables |= {name: below[name] | tables[name] for name in ("study", "sets")}
    head = tables["study"]
    if not head.get("model") or not head.get("seeds") or not head.get("pairs"):
        raise click.UsageError(f"{path}: [study] needs model, seeds and pairs")
    for name, arm in tables["arms"].items():
        if not arm.get("sets"):
            raise click.UsageError(f"{path}: [arms.{name}] needs sets, a list of names")
    arms = {
        name: Arm(
            name, arm.get("title", name), tuple(arm["sets"]), arm.get("train", head.get("train", "")),
            tuple(arm.get("order", ())), arm.get("share", 1),
        )
        for name, arm in tables["arms"].items()
    }  # fmt: skip
    for arm in arms.values():
        if not isinstance(arm.share, int | float) or not 0 < arm.share <= 1:
            raise click.UsageError(
                f"{path}: [arms.{arm.name}] needs a share above 0 and up to 1, not {arm.share!r}"
            )
        for one in set(arm.sets) - tables["sets"].keys():
            raise click.UsageError(
                f"{path}: [arms.{arm.name}] names the set {one!r}, but there is no [sets.{one}]"
            )
    return Study(
        model or head["model"], tuple(head["seeds"]), pairs or head["pairs"], tables["sets"], arms, tables["measures"],
        data, head.get("sample", ""),
    )  # fmt: skip


def _filled(word: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        word = word.replace(name, value)
    return word


def of_set(study: Study, name: str, seed: int, folder: Path) -> Step:
    """Return the step that makes a set of pairs."""
    one, makes = study.sets[name], folder / "sets" / f"{name}.jsonl"
    images = ["--image-dir", str(folder / "images")]
    gen = ["s2h-gen", *study.fill(one["gen"], seed), "--seed", str(seed), *images]
    if "filter" not in one:
        return Step(makes, [[*gen, "-o", str(makes)]])
    return Step(makes, [gen, ["s2h-filter", *study.fill(one["filter"], seed), "-o", str(makes)]])


def of_questions(study: Study, name: str, seed: int, folder: Path) -> list[Step]:
    """Return the steps that make the questions of a measure, one a task; none if its benchmark has them."""
    images = ["--image-dir", str(folder / "images")]
    made = []
    for number, options in enumerate(study.measures[name].get("questions", [])):
        makes = folder / "questions" / f"{name}-{number}.jsonl"
        gen = ["s2h-gen", *study.fill(options, seed), "--split", "heldout", "--seed", str(seed), *images]
        made.append(Step(makes, [[*gen, "-o", str(makes)]]))
    return made


def levels_of(study: Study, arm: Arm) -> set[int]:
    """Return the levels of an arm's pairs."""
    from s2h.tasks import by_level

    tasks = by_level()
    return {tasks[study.sets[name]["gen"].split()[0]].level for name in arm.sets}


def pairs_of(study: Study, arm: Arm) -> int:
    """Return the number of pairs of an arm: as many of each level. Raises click.UsageError if that is none."""
    levels = len(levels_of(study, arm))
    if not (each := round(study.pairs * arm.share) // levels):
        raise click.UsageError(
            f"[arms.{arm.name}] would have no pairs: {arm.share:g} of {study.pairs} pairs, shared among {levels} levels"
        )
    return each * levels


def of_mix(study: Study, arm: Arm, seed: int, folder: Path) -> Step:
    """Return the step that mixes the pairs of an arm, as many of each level. An arm with an order gets the field `stage`."""
    makes = folder / arm.name / "mix.jsonl"
    sets = [folder / "sets" / f"{name}.jsonl" for name in arm.sets]
    is_forward = bool(arm.order) and list(arm.order) == sorted(arm.order)
    mix = ["s2h-mix", "--curriculum" if is_forward else "--flat", *map(str, sets)]
    mix += ["--per-level", str(pairs_of(study, arm) // len(levels_of(study, arm))), "--seed", str(seed)]
    if is_forward or not arm.order:
        return Step(makes, [[*mix, "-o", str(makes)]], sets)
    order = [
        sys.executable,
        str(Path(__file__).with_name("order.py")),
        *map(str, arm.order),
        "-o",
        str(makes),
    ]
    return Step(makes, [mix, order], sets)


def of_run(study: Study, arm: Arm, seed: int, folder: Path) -> Step:
    """Return the step that trains an arm."""
    run, mix = folder / arm.name / "run", folder / arm.name / "mix.jsonl"
    train = ["s2h-train", "--model", study.model, *study.fill(arm.train, seed), str(mix)]
    return Step(run / "result.json", [[*train, "--seed", str(seed), "--resume", "-o", str(run)]], [mix])


def of_measure(study: Study, name: str, arm: str, seed: int, folder: Path) -> Step:
    """Return the step that asks an arm's model, or "base", the questions of a measure."""
    makes = folder / arm / f"{name}.jsonl"
    model = study.model if arm == "base" else str(folder / arm / "run")
    questions = [step.makes for step in of_questions(study, name, seed, folder)]
    given = study.fill(study.measures[name].get("eval", ""), seed)
    given += [word for file in questions for word in ("--bench", str(file))]
    images = ["--image-dir", str(folder / "images")]
    after = questions + ([] if arm == "base" else [folder / arm / "run" / "result.json"])
    command = ["s2h-eval", "--model", model, *given, "--seed", str(seed), *images, "-o", str(makes)]
    return Step(makes, [command], after)
