"""s2h-mix: one training file from several, its order the product."""

from __future__ import annotations

import contextlib
import math
import os
from types import SimpleNamespace

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


class Amount(click.ParamType):
    """'1000': so many; '0.5': that part."""

    name = "N|FRACTION"

    def convert(self, value, param, ctx):
        if isinstance(value, int | float):
            return value
        try:
            amount = int(value) if value.strip().isdigit() else float(value)
        except ValueError:
            amount = math.nan
        if not (amount >= 1 if isinstance(amount, int) else 0 < amount <= 1):
            self.fail(f"{value!r} is neither a number nor a part (for example 1000, or 0.5)", param, ctx)
        return amount


def cores() -> int:
    """How many processes can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@click.command(epilog=common.EPILOG)
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--flat", is_flag=True, help="Shuffle everything.")
@click.option(
    "--curriculum",
    is_flag=True,
    help="Level after level, shuffled inside each; a field `stage` (1, 2, 3) is added where there is none.",
)
@click.option(
    "--interleave",
    is_flag=True,
    help="FILEs in turn as they flow, each as often as --weights says (2,1: two of the first, one of the second), until all "
    "have ended. Nothing is shuffled or waits; --per-... then keep the first N.",
)
@click.option(
    "--weights",
    type=Weights(),
    help="Relative shares, one per FILE: the file of the largest weight keeps all its records, the others a random part "
    "in proportion (1,0.5 keeps half of the second file; 1,2,1 half, all, half). Or by FILE, 1 for the others: l2=0.5. No "
    "record comes twice.",
)
@click.option(
    "--per-level", metavar="N", type=click.IntRange(min=1), help="Keep N random records of each level."
)
@click.option(
    "--per-task", metavar="N", type=click.IntRange(min=1), help="Keep N random records of each task."
)
@click.option(
    "--per-source", metavar="N", type=click.IntRange(min=1), help="Keep N random records of each `source`."
)
@click.option(
    "--hardest",
    type=Amount(),
    help="Keep N records, or this part of them, of the least margin: the chosen answer's score less the rejected one's, of "
    "scores.ref or else scores.clip. Before --weights and --per-....",
)
@click.option(
    "--order",
    type=click.Choice(["shuffle", "margin", "hard-first"]),
    default="shuffle",
    show_default=True,
    help="By margin instead of shuffled, from easy (the largest) to hard or the other way; with --curriculum in each level.",
)
@click.option(
    "--oversample",
    type=Weights(),
    help="How often each FILE's records come, at least once: 1,3 or l2=3, and 1.5 has a random half twice. Copies are named "
    "ID~2, ID~3; what --val holds out is not copied.",
)
@click.option(
    "--val",
    type=Fraction(),
    help="Hold this part out, in MIX.val.jsonl beside -o MIX.jsonl; no image, family or twin is on both sides.",
)
@click.option("--val-output", metavar="FILE", help="Write the held-out records here instead.")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="Processes that read large files; the same bytes come out.  [default: one a core]",
)
@common.stream_options
def main(files, flat, curriculum, interleave, **given):
    """Mix FILEs (or standard input) into one: the trainer takes records in the order that is made here.

    \b
    A bare name is a file of records: l1 finds l1.jsonl, l1.jsonl.gz or l1.jsonl.zst.
    The same records and seed give the same order, whatever the order of the files.

    \b
    s2h-mix --flat l1 l2 l3 --val 0.05 -o mix.jsonl
    s2h-mix --curriculum l1 l2 l3 --per-level 5000 | s2h-train --model mini
    """
    if flat + curriculum + interleave != 1:
        raise click.UsageError("Give one of --flat, --curriculum and --interleave.")
    given = SimpleNamespace(**given)
    given.curriculum, given.score = curriculum, "ref"
    given.weights = by_file("--weights", given.weights, files) if given.weights else None
    given.times = by_file("--oversample", given.oversample, files) if given.oversample else None
    if given.times and min(given.times) < 1:
        raise click.UsageError("--oversample: each must be 1 or more; --weights makes less of a FILE.")
    check_places(given)
    if interleave:
        if given.val is not None or given.hardest or given.times or given.order != "shuffle":
            raise click.UsageError(
                "--interleave flows: --val, --hardest, --order and --oversample need the whole (--flat)."
            )
        flow(files or ("-",), given)
    else:
        shuffle(files or ("-",), given)


def check_places(given: SimpleNamespace) -> None:
    """Where the held-out records go. Raises UsageError."""
    if given.val_output and given.val is None:
        raise click.UsageError("--val-output needs --val FRACTION.")
    if given.val is not None and not given.val_output:
        if given.output == "-":
            raise click.UsageError("--val needs --val-output FILE where the mix goes to standard output.")
        if os.path.exists(given.output) and not os.path.isfile(given.output):
            raise click.UsageError(
                f"--val needs --val-output FILE: nothing can be put beside {given.output}."
            )
        given.val_output = beside(given.output)
    if given.val is not None and common.same(given.val_output, given.output):
        raise click.UsageError("--val-output and --output are the same file.")


def flow(files: tuple[str, ...], given: SimpleNamespace) -> None:
    """--interleave."""
    with common.session(given.output, quiet=given.quiet, on_error=given.on_error) as work:
        from s2h import mix

        caps = {"level": given.per_level, "task": given.per_task, "source": given.per_source}
        most = {by: count for by, count in caps.items() if count}
        streams = [work.read([name]) for name in files]
        mixed = mix.interleave(streams, given.weights, most=most, on_error=work.on_error)
        tally: dict[tuple[int, str], int] = {}
        for record in work.progress(mixed):
            work.write(record)
            kind = record["level"], record["task"]
            tally[kind] = tally.get(kind, 0) + 1
        work.say(summary(tally, "in turn"))


def shuffle(files: tuple[str, ...], given: SimpleNamespace) -> None:
    """--flat and --curriculum."""
    with contextlib.ExitStack() as stack:
        work = stack.enter_context(common.session(given.output, quiet=given.quiet, on_error=given.on_error))
        import tempfile

        from s2h import mix

        held = stack.enter_context(jsonl.Writer(given.val_output)) if given.val is not None else None
        with mix.temporary():
            spool = stack.enter_context(tempfile.TemporaryFile(prefix="s2h-mix-"))
            links = stack.enter_context(tempfile.TemporaryFile(prefix="s2h-mix-")) if held else None
        wanted = mix.Wanted(
            seed=given.seed,
            sources=given.per_source is not None,
            links=held is not None,
            margins=given.hardest is not None or given.order != "shuffle",
        )
        inputs = [common.standard_input(work) if name == "-" else name for name in files]
        bar = stack.enter_context(work.progress(label="reading"))
        index = mix.load(
            inputs, spool, wanted=wanted, links=links, workers=given.workers or cores(),
            on_error=work.on_error, progress=bar.update,
        )  # fmt: skip
        stack.enter_context(index)
        bar.close()
        rows = choose(index, given, work)
        kept, out = mix.split(index, rows, given.val) if held else (rows, rows[:0])
        whole = len(rows)
        del rows
        if given.times:
            kept = mix.repeat(index, kept, given.times, on_error=work.on_error)
        bar = stack.enter_context(work.progress(label="writing", total=len(kept) + len(out)))
        tally: dict[tuple[int, str], int] = {}
        for part, sink in ((out, held), (kept, work.writer)):
            if sink is not None:
                some = mix.write(
                    index, in_order(index, part, given), sink, stages=given.curriculum,
                    on_error=work.on_error, progress=bar.update,
                )  # fmt: skip
                tally = {kind: tally.get(kind, 0) + some.get(kind, 0) for kind in tally | some}
        index.check_unchanged()
        bar.close()
        how = "by level" if given.curriculum else "shuffled"
        if given.order != "shuffle":
            how = ("by level, " if given.curriculum else "") + f"by margin of scores.{given.score}"
        work.say(summary(tally, how))
        if held and whole:
            work.say(f"{len(out)} of {whole} held out ({len(out) / whole:.1%}): {given.val_output}")
            if len(out) < given.val * whole:
                work.tell(
                    "fewer held out than asked for: most records hang together by a shared image, family or twin"
                )


def choose(index, given: SimpleNamespace, work: common.Session):
    """The rows that come into the mix; given.score is then the name of the score that margins are of."""
    from s2h import mix

    rows = index.rows()
    if index.wanted.margins and len(rows):
        rows, given.score = mix.margin(index, rows, work.on_error)
        if given.hardest is not None:
            exact = isinstance(given.hardest, int)
            count = given.hardest if exact else round(given.hardest * len(rows))
            if count > len(rows):
                work.say(f"fewer than {count} records: all {len(rows)} are kept")
            rows = mix.hardest(index, rows, given.score, count)
            work.say(f"the hardest {len(rows)} are kept, by the margin of scores.{given.score}")
    if given.weights:
        rows = mix.weigh(index, rows, given.weights)
    for by in ("source", "task", "level"):
        if count := getattr(given, f"per_{by}"):
            rows, short = mix.cap(index, rows, by, count)
            for name, there in short.items():
                work.say(f"{by} {common.printable(str(name))} has fewer than {count}: all {there} are kept")
    return rows


def in_order(index, rows, given: SimpleNamespace):
    """The rows as they are written."""
    from s2h import mix

    if given.order == "shuffle" or not len(rows):
        return mix.curriculum(index, rows) if given.curriculum else mix.flat(index, rows)
    hard_first = given.order == "hard-first"
    return mix.by_margin(index, rows, given.score, levels=given.curriculum, hard_first=hard_first)


def beside(output: str) -> str:
    """Where held-out records go: mix.val.jsonl.gz for mix.jsonl.gz, mix.val for mix."""
    for suffix in sorted((*jsonl.SUFFIXES, ".gz", ".zst"), key=len, reverse=True):
        if output.endswith(suffix):
            return output[: -len(suffix)] + ".val" + suffix
    stem, suffix = os.path.splitext(output)
    return f"{stem}.val{suffix}"


def by_file(option: str, weights: tuple[tuple[str, float], ...], files: tuple[str, ...]) -> list[float]:
    """One number of the option for each file. A name is a file's as it was given or without its folder or ending. Raises
    UsageError."""
    if not weights[0][0]:
        if len(weights) != len(files):
            raise click.UsageError(
                f"{option} has {len(weights)} for {len(files)} named FILEs; give one per FILE."
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
