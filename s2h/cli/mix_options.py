"""The options of s2h-mix as one value: numbers for each file, and the places of the outputs."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

import click

from s2h.cli import places
from s2h.cli.exports import Exports, format_of
from s2h.streams import jsonl
from s2h.streams.files import IMAGES


@dataclass(frozen=True)
class Options(Exports):
    """The options of a mix. weights, times: a number for each file, or None. drop, keep: files of marks, or None."""

    curriculum: bool
    order: str
    weights: list[float] | None
    times: list[float] | None
    drop: str | None
    keep: str | None
    hardest: int | float | None
    per_level: int | None
    per_task: int | None
    per_source: int | None
    val: float | None
    layout: str | None
    shard_size: int
    workers: int | None
    seed: int
    quiet: bool
    on_error: str

    @property
    def caps(self) -> dict[str, int]:
        """The most records of one kind, by the field that tells the kind."""
        caps = {"source": self.per_source, "task": self.per_task, "level": self.per_level}
        return {by: count for by, count in caps.items() if count}


def with_places(given: Options, files: tuple[str, ...]) -> Options:
    """Return the options with a place for the held-out records. Raises UsageError for places that can't be used, also where
    an output is an input."""
    if given.val_output and given.val is None:
        raise click.UsageError("--val-output needs --val FRACTION.")
    if given.pack and (given.output != "-" or given.val_output or given.to):
        raise click.UsageError(
            "--pack DIR sets the place and the form of the output: leave out --output, --val-output and --to."
        )
    form = format_of(given)
    if form and (refusal := form.refuses(given.output)):
        raise click.UsageError(f"--to {given.to} {refusal}")
    if given.val is not None and not given.val_output and not given.pack:
        if given.output == "-":
            raise click.UsageError("--val needs --val-output FILE where the mix goes to standard output.")
        if os.path.exists(given.output) and not os.path.isfile(given.output):
            raise click.UsageError(
                f"--val needs --val-output FILE: no file can be put beside {given.output}."
            )
        given = replace(given, val_output=beside(given.output))
    if given.val_output and form and (refusal := form.refuses(given.val_output)):
        raise click.UsageError(f"--val-output: --to {given.to} {refusal}")
    outputs: dict[str, str | None] = (
        {"--pack": given.pack} if given.pack else {"-o": given.output, "--val-output": given.val_output}
    )
    outputs["--image-dir"] = given.image_dir or (IMAGES if given.to else None)
    if form and form.companion and given.output != "-":
        outputs[f"{form.companion.words} beside -o,"] = form.companion.path(given.output)
    if given.drop and given.keep:
        raise click.UsageError(
            "Give --drop or --keep: --keep leaves out the records that are marked bad, too."
        )
    marks = given.drop or given.keep
    if marks == "-":
        raise click.UsageError("--drop and --keep need a file, because standard input holds records.")
    places.check((*files, *filter(None, [marks])), outputs, replaced=given.pack)
    return given


def beside(output: str) -> str:
    """Return the file of held-out records: mix.val.jsonl.gz for mix.jsonl.gz, mix.val for mix."""
    for suffix in sorted((*jsonl.SUFFIXES, ".gz", ".zst"), key=len, reverse=True):
        if output.endswith(suffix):
            return output[: -len(suffix)] + ".val" + suffix
    stem, suffix = os.path.splitext(output)
    return f"{stem}.val{suffix}"


def by_file(option: str, weights: tuple[tuple[str, float], ...], files: tuple[str, ...]) -> list[float]:
    """Return the option's number for each file. A file is named as it was given, or without its folder or ending. Raises
    UsageError."""
    if not weights[0][0]:
        if len(weights) != len(files):
            raise click.UsageError(
                f"{option} has {len(weights)} numbers for {len(files)} named FILEs; give one per FILE."
            )
        return [weight for _, weight in weights]
    found = [1.0] * len(files)
    for name, weight in weights:
        exact = [i for i, file in enumerate(files) if file == name]
        places = exact or [i for i, file in enumerate(files) if name in called(file)]
        if len(places) != 1:
            fault = "more than one of the FILEs" if places else "none of the FILEs"
            raise click.UsageError(f"{option}: {name!r} is {fault}: {', '.join(files) or 'none is named'}.")
        found[places[0]] = weight
    if not any(found):
        raise click.UsageError(f"{option} leaves nothing.")
    return found


def called(file: str) -> set[str]:
    """Return the names that a file may be given by: data/l1.jsonl.gz, data/l1, l1.jsonl.gz, l1."""
    names = {file, os.path.basename(file)}
    return names | {
        name.removesuffix(suffix) for name in names for suffix in jsonl.SUFFIXES if name.endswith(suffix)
    }
