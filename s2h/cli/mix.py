"""s2h-mix: make one training file from several, in the order in which the trainer reads it."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import click

from s2h.cli import common, headings, params, streams
from s2h.cli.exports import FormatName, FormatOption, opened, say_next
from s2h.cli.mix_options import Options, by_file, with_places
from s2h.errors import counted, plural
from s2h.escape import brief
from s2h.record import RecordError
from s2h.streams import jsonl

if TYPE_CHECKING:
    from s2h import mix

AT_LEAST_1 = click.IntRange(min=1)
SHOWN_TASKS = 12  # in messages; in the summary of each level
SHOWN_IDS = 5  # marked ids that no record has


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
        "--drop", metavar="MARKS",
        help='Leave out the records that are marked bad in this file: JSON lines {"id": ..., "mark": "bad"}, as a page of '
        "s2h-view saves them. Applies before all other choices.",
    ),
    click.option(
        "--keep", metavar="MARKS", help="Keep only the records that are marked good in this file, before all other choices."
    ),
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
    s2h-mix --flat mix --drop marks.jsonl -o clean.jsonl
    """
    if flat + curriculum + interleave != 1:
        raise click.UsageError("Give one of --flat, --curriculum and --interleave.")
    weights, oversample = given.pop("weights"), given.pop("oversample")
    given = Options(
        curriculum=curriculum,
        weights=by_file("--weights", weights, files) if weights else None,
        times=by_file("--oversample", oversample, files) if oversample else None,
        **given,
    )
    if given.times and min(given.times) < 1:
        raise click.UsageError(
            "--oversample: each number must be 1 or more; --weights takes a part of a FILE."
        )
    given = with_places(given, files or ("-",))
    if interleave:
        if given.val is not None or given.hardest or given.times or given.order != "shuffle" or given.pack:
            raise click.UsageError(
                "--interleave writes records as they come: --val, --hardest, --order, --oversample and --pack need --flat "
                "or --curriculum."
            )
        flow(files or ("-",), given)
    else:
        shuffle(files or ("-",), given)


def flow(files: tuple[str, ...], given: Options) -> None:
    """Run --interleave: take the files in turn as they flow."""
    with common.session(
        lambda: opened(given, given.output), quiet=given.quiet, on_error=given.on_error, locks=[given.output]
    ) as work:
        from s2h import mix, shorthand

        check = shorthand.acceptor(given.layout) if given.layout else jsonl.accept
        marks = read_marks(given)
        streams = [work.read([name], check=check) for name in files]
        if marks:
            streams = [marks.of_stream(stream) for stream in streams]
        mixed = mix.interleave(streams, given.weights, most=given.caps, on_error=work.on_error)
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
        if marks:
            tell_marks(marks, work)
        work.say(summary(tally, "in turn"))
        say_next(work, given, work.writer)


def shuffle(files: tuple[str, ...], given: Options) -> None:
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

        marks = read_marks(given)
        holds = given.val is not None
        held = stack.enter_context(opened(given, given.val_output)) if given.val_output else None
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
        rows = index.rows()
        if marks:
            rows = marks.of_rows(index, rows)
            tell_marks(marks, work)
        rows, score = choose(index, rows, given, work)
        kept, out = (rows, rows[:0]) if given.val is None else mix.split(index, rows, given.val)
        whole = len(rows)
        del rows
        if given.times:
            kept = mix.repeat(index, kept, given.times, on_error=work.on_error)
        out, kept = in_order(index, out, given, score), in_order(index, kept, given, score)
        sink = work.writer
        if given.pack:
            packed = stack.enter_context(folder(index, (out, kept), given.pack, given.shard_size << 20, work))
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
            how = ("by level, " if given.curriculum else "") + f"by margin of scores.{score}"
        work.say(summary(tally, how))
        if given.pack:
            work.say(f"{counted(packed.images, 'image')}, {packed.bytes / 2**20:.1f} MiB: {given.pack}")
        if given.val is not None and whole:
            there = os.path.join(given.pack, pack.HELD_OUT) if given.pack else given.val_output
            work.say(f"{len(out)} of {whole} held out ({len(out) / whole:.1%}): {there}")
            if len(out) < given.val * whole:
                work.tell(
                    "fewer are held out than asked for: most records share an image, family or twin with others"
                )
        say_next(work, given, work.writer, held)


def folder(index, parts, place: str, size: int, work: common.Session):
    """Return the pack to write into. The images go into shards of `size` bytes if those of all rows take more than one."""
    from s2h.formats.pack import Pack, Weight

    weight = Weight()
    for part in parts:
        for row in work.progress(index.originals(part), label="weighing"):
            weight.add(index.record(int(row)))
    return Pack(place, shards=weight.bytes > size, shard_size=size)


def read_marks(given: Options) -> mix.Marks | None:
    """Return the marks of --drop or --keep."""
    from s2h import mix

    path = given.drop or given.keep
    return mix.Marks(path, drop=bool(given.drop)) if path else None


def tell_marks(marks: mix.Marks, work: common.Session) -> None:
    """Print how many records the marks chose, and the marked ids that no record has."""
    count, of = (marks.total - marks.kept, "bad") if marks.drop else (marks.kept, "good")
    done = "left out" if marks.drop else "kept"
    work.say(f"{count} of {counted(marks.total, 'pair')} {plural(count, 'is', 'are')} marked {of} and {done}")
    if missing := marks.missing:
        listed = ", ".join(map(brief, missing[:SHOWN_IDS]))
        if len(missing) > SHOWN_IDS:
            listed += f", and {len(missing) - SHOWN_IDS} more"
        some = f"{counted(len(missing), 'marked id')} {plural(len(missing), 'is', 'are')}"
        work.tell(f"{some} in no input: {listed}")


def choose(index, rows, given: Options, work: common.Session):
    """Return the rows of the mix, and the name of the score whose margins are used."""
    from s2h import mix

    score = "ref"
    if given.curriculum:
        rows = mix.having(index, rows, "level", "--curriculum", work.on_error)
    for by in given.caps:
        rows = mix.having(index, rows, by, f"--per-{by}", work.on_error)
    if index.wanted.margins and len(rows):
        rows, score = mix.margin(index, rows, work.on_error)
        if given.hardest is not None:
            part = given.hardest
            count = part if isinstance(part, int) else round(part * len(rows))
            if count > len(rows):
                work.say(f"there are fewer than {counted(count, 'record')}: all {len(rows)} are kept")
            rows = mix.hardest(index, rows, score, count)
            work.say(f"the hardest {counted(len(rows), 'is', 'are')} kept, by the margin of scores.{score}")
    if given.weights:
        rows = mix.weigh(index, rows, given.weights)
    for by, count in given.caps.items():
        rows, short = mix.cap(index, rows, by, count)
        for name, there in list(short.items())[:SHOWN_TASKS]:
            work.say(f"{by} {brief(name)} has fewer than {count}: all {there} are kept")
        if len(short) > SHOWN_TASKS:
            more = len(short) - SHOWN_TASKS
            work.say(
                f"{more} other {plural(more, f'{by} has', f'{by}s have')} fewer than {count}: all of theirs are kept"
            )
    return rows, score


def in_order(index, rows, given: Options, score: str):
    """Put the rows in the order in which they are written."""
    from s2h import mix

    if given.order == "shuffle" or not len(rows):
        return mix.curriculum(index, rows) if given.curriculum else mix.flat(index, rows)
    hard_first = given.order == "hard-first"
    return mix.by_margin(index, rows, score, levels=given.curriculum, hard_first=hard_first)


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


if __name__ == "__main__":
    main(prog_name="s2h-mix")
