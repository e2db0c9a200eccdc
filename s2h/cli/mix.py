"""s2h-mix: make one training file from several, in the order in which the trainer reads it."""

from __future__ import annotations

import contextlib
import os
from types import SimpleNamespace
from typing import Any

import click

from s2h.cli import common, headings, params, places, streams
from s2h.cli.exports import FormatName, FormatOption, format_of, opened, say_next
from s2h.errors import counted, plural
from s2h.escape import brief
from s2h.record import RecordError
from s2h.streams import jsonl
from s2h.streams.files import IMAGES

AT_LEAST_1 = click.IntRange(min=1)
SHOWN_TASKS = 12  # in messages; in the summary of each level


def cores() -> int:
    """Return how many processes can run at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@headings.command()
@click.argument("files", metavar="[FILE]...", nargs=-1)
@headings.under(
    "Order (one of the first three is needed)",
    click.option("--flat", is_flag=True, help="Shuffle all records."),
    click.option(
        "--curriculum", is_flag=True,
        help="Put level after level, each shuffled. Adds the field `stage` (1, 2, 3) where there is none.",
    ),
    click.option(
        "--interleave", is_flag=True,
        help="Take FILEs in turn as they flow, each as often as --weights says (2,1: two of the first, one of the second), "
        "until all have ended. Nothing is shuffled; --per-... then keep the first N.",
    ),
    click.option(
        "--order", type=click.Choice(["shuffle", "margin", "hard-first"]), default="shuffle", show_default=True,
        help="margin: from easy (the largest margin) to hard instead of shuffled. hard-first: the other way. With "
        "--curriculum, within each level.",
    ),
)  # fmt: skip
@headings.under(
    "Choice",
    click.option(
        "--weights", type=params.Weights(),
        help="Relative shares, one per FILE. The file with the largest weight keeps all its records, the others a random "
        "part in proportion (1,0.5 keeps half of the second file). Or by name, 1 for the others: l2=0.5. No record comes "
        "twice.",
    ),
    click.option("--per-level", metavar="N", type=AT_LEAST_1, help="Keep N random records of each level."),
    click.option("--per-task", metavar="N", type=AT_LEAST_1, help="Keep N random records of each task."),
    click.option("--per-source", metavar="N", type=AT_LEAST_1, help="Keep N random records of each `source`."),
    click.option(
        "--hardest", type=params.Amount(),
        help="Keep N records, or this part of them, with the smallest margin: the chosen answer's score minus the rejected "
        "answer's, from scores.ref or else scores.clip. Applies before --weights and --per-....",
    ),
    click.option(
        "--oversample", type=params.Weights(),
        help="How often each FILE's records come, at least once: 1,3 or l2=3; 1.5 repeats a random half. Copies are named "
        "ID~2, ID~3. What --val holds out is not copied.",
    ),
)  # fmt: skip
@headings.under(
    "Held-out pairs",
    click.option(
        "--val", type=params.Fraction(),
        help="Hold this part out, in MIX.val.jsonl beside -o MIX.jsonl. No image, family or twin is on both sides.",
    ),
    click.option("--val-output", metavar="FILE", help="Write the held-out records to FILE instead."),
)  # fmt: skip
@headings.under(
    "Formats of other tools",
    click.option(
        "--from", "layout", type=FormatName(), cls=FormatOption,
        help="Layout of the rows in FILEs (JSON lines, a JSON list or Parquet): {titles}.  [default: told from the "
        "fields of each row]",
    ),
    click.option(
        "--to", type=FormatName(written=True), cls=FormatOption,
        help="Write the format of another tool: {names}.  [default: the records as they are]",
    ),
    click.option(
        "--image-dir", metavar="DIR",
        help='Store for the images that a record brings as {"bytes", "path"}; with --to also for data URIs and members of '
        "tar shards, in formats that name files.  [default: s2h-images, without --to beside -o FILE]",
    ),
    click.option(
        "--pack", metavar="DIR",
        help="Write a folder that can be copied elsewhere: the records (mix.jsonl, with --val mix.val.jsonl) and each of "
        'their images once, with relative references. datasets.load_dataset("DIR") reads it.',
    ),
    click.option(
        "--shard-size", metavar="MIB", type=AT_LEAST_1, default=1024, show_default=True,
        help="With --pack: put more than this amount of images into tar shards of about this size.",
    ),
)  # fmt: skip
@headings.under(
    "Performance",
    click.option(
        "--workers", metavar="N", type=AT_LEAST_1,
        help="Processes that read large files. The output has the same bytes with any number.  [default: one per core]",
    ),
)  # fmt: skip
@common.stream_options
def main(files, flat, curriculum, interleave, **given):
    """Mix FILEs (or standard input) into one training file. The trainer keeps its order.

    A bare name finds a file of records: l1 finds l1.jsonl, l1.jsonl.gz or l1.jsonl.zst. The same records and seed give the
    same order, whatever the order of the files.

    \b
    s2h-mix --flat l1 l2 l3 --val 0.05 -o mix.jsonl
    s2h-mix --curriculum l1 l2 l3 --per-level 5000 | s2h-train --model mini
    s2h-mix --flat mmpr.jsonl RLAIF-V.parquet --to llama-factory -o data/pairs.json
    """
    if flat + curriculum + interleave != 1:
        raise click.UsageError("Give one of --flat, --curriculum and --interleave.")
    given = SimpleNamespace(**given)
    given.curriculum, given.score = curriculum, "ref"
    given.weights = by_file("--weights", given.weights, files) if given.weights else None
    given.times = by_file("--oversample", given.oversample, files) if given.oversample else None
    if given.times and min(given.times) < 1:
        raise click.UsageError(
            "--oversample: each number must be 1 or more; --weights takes a part of a FILE."
        )
    check_places(given, files or ("-",))
    if interleave:
        if given.val is not None or given.hardest or given.times or given.order != "shuffle" or given.pack:
            raise click.UsageError(
                "--interleave writes records as they come: --val, --hardest, --order, --oversample and --pack need --flat "
                "or --curriculum."
            )
        flow(files or ("-",), given)
    else:
        shuffle(files or ("-",), given)


def check_places(given: SimpleNamespace, files: tuple[str, ...]) -> None:
    """Check where the records and the held-out ones go. Raises UsageError, also where an output is an input."""
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
        given.val_output = beside(given.output)
    if given.val_output and form and (refusal := form.refuses(given.val_output)):
        raise click.UsageError(f"--val-output: --to {given.to} {refusal}")
    outputs = {"--pack": given.pack} if given.pack else {"-o": given.output, "--val-output": given.val_output}
    outputs["--image-dir"] = given.image_dir or (IMAGES if given.to else None)
    if form and form.companion and given.output != "-":
        outputs[f"{form.companion.words} beside -o,"] = form.companion.path(given.output)
    places.check(files, outputs, replaced=given.pack)


def flow(files: tuple[str, ...], given: SimpleNamespace) -> None:
    """Run --interleave: take the files in turn as they flow."""
    with common.session(
        lambda: opened(given, given.output), quiet=given.quiet, on_error=given.on_error, locks=[given.output]
    ) as work:
        from s2h import mix, shorthand

        caps = {"level": given.per_level, "task": given.per_task, "source": given.per_source}
        most = {by: count for by, count in caps.items() if count}
        check = shorthand.acceptor(given.layout) if given.layout else jsonl.accept
        streams = [work.read([name], check=check) for name in files]
        mixed = mix.interleave(streams, given.weights, most=most, on_error=work.on_error)
        tally: dict[tuple[int | None, str | None], int] = {}
        for record in work.progress(mixed):
            try:
                work.write(record)
            except RecordError as error:
                error.where = error.where or record.where
                work.on_error(error)
                continue
            kind = record.get("level"), record.get("task")
            tally[kind] = tally.get(kind, 0) + 1
        work.say(summary(tally, "in turn"))
        say_next(work, given)


def shuffle(files: tuple[str, ...], given: SimpleNamespace) -> None:
    """Run --flat and --curriculum: read everything, then write it in order."""
    with contextlib.ExitStack() as stack:
        output = None if given.pack else lambda: opened(given, given.output)
        outputs = [given.pack] if given.pack else [given.output, given.val_output]
        if given.pack:
            os.makedirs(os.path.dirname(os.path.abspath(given.pack)), exist_ok=True)
        work = stack.enter_context(
            common.session(output, quiet=given.quiet, on_error=given.on_error, locks=outputs)
        )
        import tempfile

        from s2h import mix

        holds = given.val is not None
        held = stack.enter_context(opened(given, given.val_output)) if holds and not given.pack else None
        if given.pack:
            from s2h.formats import pack

            pack.check_place(given.pack)
        with mix.temporary():
            spool = stack.enter_context(tempfile.TemporaryFile(prefix="s2h-mix-"))
            links = stack.enter_context(tempfile.TemporaryFile(prefix="s2h-mix-")) if holds else None
        wanted = mix.Wanted(
            seed=given.seed,
            sources=given.per_source is not None,
            links=holds,
            margins=given.hardest is not None or given.order != "shuffle",
            layout=given.layout or "",
        )
        inputs = [streams.standard_input(work.say) if name == "-" else name for name in files]
        bar: Any = stack.enter_context(work.progress(label="reading"))
        index = mix.load(
            inputs, spool, wanted=wanted, links=links, workers=given.workers or cores(),
            on_error=work.on_error, on_layout=work.on_layout, progress=bar.update,
        )  # fmt: skip
        stack.enter_context(index)
        bar.close()
        rows = choose(index, given, work)
        kept, out = mix.split(index, rows, given.val) if holds else (rows, rows[:0])
        whole = len(rows)
        del rows
        if given.times:
            kept = mix.repeat(index, kept, given.times, on_error=work.on_error)
        out, kept = in_order(index, out, given), in_order(index, kept, given)
        sink = work.writer
        if given.pack:
            packed = stack.enter_context(folder(index, (out, kept), given, work))
            sink = packed.part(pack.RECORDS)
            held = packed.part(pack.HELD_OUT) if holds else None
        bar = stack.enter_context(work.progress(label="writing", total=len(kept) + len(out)))
        tally: dict[tuple[int | None, str | None], int] = {}
        for part, place in ((out, held), (kept, sink)):
            if place is not None:
                some = mix.write(
                    index, part, place, stages=given.curriculum, on_error=work.on_error, progress=bar.update
                )
                tally = {kind: tally.get(kind, 0) + some.get(kind, 0) for kind in tally | some}
        index.check_unchanged()
        bar.close()
        how = "by level" if given.curriculum else "shuffled"
        if given.order != "shuffle":
            how = ("by level, " if given.curriculum else "") + f"by margin of scores.{given.score}"
        work.say(summary(tally, how))
        if given.pack:
            work.say(f"{counted(packed.images, 'image')}, {packed.bytes / 2**20:.1f} MiB: {given.pack}")
        if holds and whole:
            there = given.val_output or os.path.join(given.pack, pack.HELD_OUT)
            work.say(f"{len(out)} of {whole} held out ({len(out) / whole:.1%}): {there}")
            if len(out) < given.val * whole:
                work.tell(
                    "fewer are held out than asked for: most records share an image, family or twin with others"
                )
        say_next(work, given)


def folder(index, parts, given: SimpleNamespace, work: common.Session):
    """Return the pack to write into. The images go into shards if those of all rows take more than one shard."""
    from s2h.formats.pack import Pack, Weight

    weight = Weight()
    for part in parts:
        for row in work.progress(index.originals(part), label="weighing"):
            weight.add(index.record(int(row)))
    size = given.shard_size << 20
    return Pack(given.pack, shards=weight.bytes > size, shard_size=size)


def choose(index, given: SimpleNamespace, work: common.Session):
    """Choose the rows of the mix. Sets given.score to the name of the score whose margins are used."""
    from s2h import mix

    rows = index.rows()
    if given.curriculum:
        rows = mix.having(index, rows, "level", "--curriculum", work.on_error)
    for by in ("source", "task", "level"):
        if getattr(given, f"per_{by}"):
            rows = mix.having(index, rows, by, f"--per-{by}", work.on_error)
    if index.wanted.margins and len(rows):
        rows, given.score = mix.margin(index, rows, work.on_error)
        if given.hardest is not None:
            exact = isinstance(given.hardest, int)
            count = given.hardest if exact else round(given.hardest * len(rows))
            if count > len(rows):
                work.say(f"there are fewer than {counted(count, 'record')}: all {len(rows)} are kept")
            rows = mix.hardest(index, rows, given.score, count)
            work.say(
                f"the hardest {counted(len(rows), 'is', 'are')} kept, by the margin of scores.{given.score}"
            )
    if given.weights:
        rows = mix.weigh(index, rows, given.weights)
    for by in ("source", "task", "level"):
        if count := getattr(given, f"per_{by}"):
            rows, short = mix.cap(index, rows, by, count)
            for name, there in list(short.items())[:SHOWN_TASKS]:
                work.say(f"{by} {brief(name)} has fewer than {count}: all {there} are kept")
            if len(short) > SHOWN_TASKS:
                more = len(short) - SHOWN_TASKS
                work.say(
                    f"{more} other {plural(more, f'{by} has', f'{by}s have')} fewer than {count}: all of theirs are kept"
                )
    return rows


def in_order(index, rows, given: SimpleNamespace):
    """Put the rows in the order in which they are written."""
    from s2h import mix

    if given.order == "shuffle" or not len(rows):
        return mix.curriculum(index, rows) if given.curriculum else mix.flat(index, rows)
    hard_first = given.order == "hard-first"
    return mix.by_margin(index, rows, given.score, levels=given.curriculum, hard_first=hard_first)


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


def summary(tally: dict[tuple[int | None, str | None], int], how: str) -> str:
    """Say what was written: '300 pairs, shuffled: level 1 100 (vqa 100), level 2 200 (kinship 150, arithmetic 50)'."""
    if not tally:
        return "no records: the output is empty"
    parts = []
    for level in sorted({level for level, _ in tally}, key=lambda level: (level is None, level)):
        tasks = sorted((task or "no task", count) for (at, task), count in tally.items() if at == level)
        tasks.sort(key=lambda item: -item[1])
        listed = ", ".join(f"{brief(task)} {count}" for task, count in tasks[:SHOWN_TASKS])
        if len(tasks) > SHOWN_TASKS:
            more = len(tasks) - SHOWN_TASKS
            listed += f", {more} other {plural(more, 'task')}"
        named = "no level" if level is None else f"level {level}"
        parts.append(f"{named} {sum(count for _, count in tasks)} ({listed})")
    total = sum(tally.values())
    return f"{counted(total, 'pair')}, {how}: {', '.join(parts)}"
