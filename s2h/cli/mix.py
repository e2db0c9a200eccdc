"""s2h-mix: one training file from several, its order the product."""

from __future__ import annotations

import contextlib
import math
import os

import click

from s2h import jsonl
from s2h.cli import common

SHOWN_TASKS = 12  # in the summary, of each level


class Weights(click.ParamType):
    """'1,0.5,2': numbers that are not negative, one at least above 0; or 'l1=0.5,l3=2': the same by FILE, 1 for the others.
    Gives pairs of a name ("" for none) and a number."""

    name = "W,..."

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        pairs = [part.strip().rpartition("=") for part in value.split(",")]
        try:
            weights = tuple((name, float(number)) for name, _, number in pairs)
        except ValueError:
            weights = ()
        if not weights or not all(0 <= weight < math.inf for _, weight in weights):
            self.fail(f"{value!r} are no weights (for example 1,0.5,2 or l1=0.5)", param, ctx)
        named = [name for name, sign, _ in pairs if sign]
        if named and (len(named) < len(pairs) or not all(named) or len(set(named)) < len(named)):
            self.fail(f"{value!r}: name each FILE once, or none (for example l1=0.5,l3=2)", param, ctx)
        if not named and not any(weight for _, weight in weights):
            self.fail(f"{value!r} leaves nothing", param, ctx)
        return weights


class Fraction(click.ParamType):
    """0.05: a part below the whole."""

    name = "FRACTION"

    def convert(self, value, param, ctx):
        try:
            fraction = float(value)
        except ValueError:
            fraction = math.nan
        if not 0 <= fraction < 1:
            self.fail(f"{value!r} is no fraction (at least 0 and below 1, for example 0.05)", param, ctx)
        return fraction


@click.command(epilog=common.EPILOG)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--flat", is_flag=True, help="Shuffle everything.")
@click.option(
    "--curriculum",
    is_flag=True,
    help="Level after level, shuffled inside each; a field `stage` (1, 2, 3) is added where there is none.",
)
@click.option(
    "--weights",
    type=Weights(),
    help="Relative shares, one per FILE: the file of the largest weight keeps all its records, the others a random part "
    "in proportion (1,0.5 keeps half of the second file; 1,2,1 half, all, half). Or by FILE, 1 for the others: l2=0.5. No "
    "record comes twice.",
)
@click.option(
    "--per-level",
    metavar="N",
    type=click.IntRange(min=1),
    help="Keep N random records of each level (after --weights).",
)
@click.option(
    "--val",
    type=Fraction(),
    help="Hold this part out, in MIX.val.jsonl beside -o MIX.jsonl; no image, family or twin is on both sides.",
)
@click.option("--val-output", metavar="FILE", help="Write the held-out records here instead.")
@common.stream_options
def main(files, flat, curriculum, weights, per_level, val, val_output, output, seed, quiet, on_error):
    """Mix FILEs (or standard input) into one: the trainer takes records in the order that is made here.

    \b
    A bare name is a file of records: l1 finds l1.jsonl, l1.jsonl.gz or l1.jsonl.zst.
    The same records and seed give the same order, whatever the order of the files.

    \b
    s2h-mix --flat l1 l2 l3 --val 0.05 -o mix.jsonl
    s2h-mix --curriculum l1 l2 l3 --per-level 5000 | s2h-train --model mini
    """
    if flat == curriculum:
        raise click.UsageError("Give one of --flat and --curriculum.")
    weights = by_file(weights, files) if weights else None
    if val_output and val is None:
        raise click.UsageError("--val-output needs --val FRACTION.")
    if val is not None and not val_output:
        if output == "-":
            raise click.UsageError("--val needs --val-output FILE where the mix goes to standard output.")
        if os.path.exists(output) and not os.path.isfile(output):
            raise click.UsageError(f"--val needs --val-output FILE: nothing can be put beside {output}.")
        val_output = beside(output)
    if val is not None and common.same(val_output, output):
        raise click.UsageError("--val-output and --output are the same file.")
    with common.session(output, quiet=quiet, on_error=on_error) as work, contextlib.ExitStack() as stack:
        import tempfile

        from s2h import mix

        streams = [work.read([name]) for name in files or ["-"]]
        held = stack.enter_context(jsonl.Writer(val_output)) if val is not None else None
        spool = stack.enter_context(tempfile.TemporaryFile(prefix="s2h-mix-"))
        links = stack.enter_context(tempfile.TemporaryFile(prefix="s2h-mix-")) if val is not None else None
        index = mix.load(map(work.progress, streams), spool, seed=seed, links=links, on_error=work.on_error)
        rows, short = index.rows(), {}
        if weights:
            rows = mix.weigh(index, rows, weights)
        if per_level:
            rows, short = mix.per_level(index, rows, per_level)
        kept, out = mix.split(index, rows, val) if val is not None else (rows, rows[:0])
        order = mix.curriculum if curriculum else mix.flat
        tally: dict[tuple[int, str], int] = {}
        for part, write in ((out, held.write if held else None), (kept, work.write)):
            for row in order(index, part).tolist():
                record = index.record(row)
                write(mix.staged(record) if curriculum else record)
                kind = record["level"], record["task"]
                tally[kind] = tally.get(kind, 0) + 1
        for level, count in short.items():
            work.say(f"level {level} has fewer than {per_level}: all {count} are kept")
        work.say(summary(tally, "by level" if curriculum else "shuffled"))
        if val is not None and len(rows):
            work.say(f"{len(out)} of {len(rows)} held out ({len(out) / len(rows):.1%}): {val_output}")
            if len(out) < val * len(rows):
                work.tell(
                    "fewer held out than asked for: most records hang together by a shared image, family or twin"
                )


def beside(output: str) -> str:
    """Where held-out records go: mix.val.jsonl.gz for mix.jsonl.gz, mix.val for mix."""
    for suffix in sorted((*jsonl.SUFFIXES, ".gz", ".zst"), key=len, reverse=True):
        if output.endswith(suffix):
            return output[: -len(suffix)] + ".val" + suffix
    stem, suffix = os.path.splitext(output)
    return f"{stem}.val{suffix}"


def by_file(weights: tuple[tuple[str, float], ...], files: tuple[str, ...]) -> list[float]:
    """One weight for each file. A name is a file's as it was given or without its folder or ending. Raises UsageError."""
    if not weights[0][0]:
        if len(weights) != len(files):
            raise click.UsageError(
                f"--weights has {len(weights)} for {len(files)} named FILEs; give one per FILE."
            )
        return [weight for _, weight in weights]
    found = [1.0] * len(files)
    for name, weight in weights:
        exact = [i for i, file in enumerate(files) if file == name]
        places = exact or [i for i, file in enumerate(files) if name in called(file)]
        if len(places) != 1:
            fault = "more than one of the FILEs" if places else "none of the FILEs"
            raise click.UsageError(f"--weights: {name!r} is {fault}: {', '.join(files) or 'none is named'}.")
        found[places[0]] = weight
    if not any(found):
        raise click.UsageError("--weights leaves nothing.")
    return found


def called(file: str) -> set[str]:
    """What a file may be called: data/l1.jsonl.gz, data/l1, l1.jsonl.gz, l1."""
    names = {file, os.path.basename(file)}
    return names | {
        name.removesuffix(suffix) for name in names for suffix in jsonl.SUFFIXES if name.endswith(suffix)
    }


def summary(tally: dict[tuple[int, str], int], how: str) -> str:
    """'300 pairs, shuffled: level 1 100 (vqa 100), level 2 200 (kinship 150, arithmetic 50)'."""
    if not tally:
        return "no records: the output is empty"
    parts = []
    for level in sorted({level for level, _ in tally}):
        tasks = sorted((task, count) for (at, task), count in tally.items() if at == level)
        tasks.sort(key=lambda item: -item[1])
        listed = ", ".join(f"{common.printable(task)} {count}" for task, count in tasks[:SHOWN_TASKS])
        if len(tasks) > SHOWN_TASKS:
            listed += f", {len(tasks) - SHOWN_TASKS} other tasks"
        parts.append(f"level {level} {sum(count for _, count in tasks)} ({listed})")
    total = sum(tally.values())
    return f"{total} pair{'s' if total != 1 else ''}, {how}: {', '.join(parts)}"
