"""s2h-filter: judge pairs, keep the good ones, say why the others went."""

from __future__ import annotations

import contextlib
import os
import sys
from functools import partial
from itertools import islice

import click

from s2h.cli import common, headings, judging, places, streams
from s2h.errors import plural
from s2h.eval.escape import terminal
from s2h.record import RecordError
from s2h.streams import can_grow


@headings.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@judging.THRESHOLDS
@judging.ANSWERS
@judging.REFERENCE
@judging.REPEATS
@judging.REPORTS
@judging.MODELS
@judging.PERFORMANCE
@common.stream_options
def main(
    files, rejects, report, audit, audit_fail, image_dir, dtype, compile, cache, workers, processes, resume, output, seed,
    quiet, on_error, **options,
):  # fmt: skip
    """Judge the pairs of FILEs (or standard input) and pass the good ones on, in order.

    Every score is written into the record (scores.clip, scores.mpnet, ...) before anything is decided, so another threshold
    needs no model: jq -c 'select(.scores.clip.chosen > 0.3)'. A score that a record brings from the same model is used
    again. A score of another model is an error, because no stage rewrites what an earlier one said; jq -c
    'del(.scores.clip)' removes it. Without a judgement, pairs are checked and passed on.

    \b
    s2h-gen kinship | s2h-filter --clip 0.25 > l2.jsonl
    s2h-gen search --source photos/ | s2h-filter --against blink/ --audit audit.json --audit-fail 0.6 > l3.jsonl
    s2h-filter l3 --clip 0.25 --clip-rank --mpnet 0.3:0.95 --rejects l3.rejects.jsonl --report l3.json -o l3.good.jsonl
    """
    from s2h import accel
    from s2h.filters.asked import Asked

    asked = Asked(**options)
    _check(asked, output, rejects, report, audit, resume)
    models = filter(None, (asked.clip_model, asked.text_model, asked.ref))
    places.check(
        [*(files or ("-",)), *asked.dedup_against, *asked.against, *models],
        {
            "-o": output, "--rejects": rejects, "--report": report, "--audit": audit, "--cache": cache,
            "--image-dir": image_dir,
        },
        grow=("-o", "--rejects"), pictured=("--report", "--audit"),
    )  # fmt: skip
    rank, launched = accel.launched()
    if processes > 1 and launched == 1:
        with common.session(None, quiet=quiet) as work:
            if output == "-":
                streams.standard_output()
            status = accel.launch("s2h.cli.filter", sys.argv[1:], processes, work.tell)
        raise click.exceptions.Exit(status)
    how = {"dtype": dtype, "compile": compile, "workers": workers}
    if rank:
        with common.session(None, quiet=True):
            _serve(asked, how)
        return
    from s2h.streams.journal import Journal

    grows = can_grow(output)
    store = image_dir or places.image_store(output)
    journal = Journal()
    if grows:
        given = {**vars(asked), "batch_size": 0, "ref_batch_size": 0}
        given |= {
            "command": "filter",
            "files": files,
            "rejects": rejects,
            "dtype": dtype,
            "on_error": on_error,
        }
        if image_dir:
            given["image_dir"] = image_dir
        grown = [rejects] if rejects and can_grow(rejects) else []
        journal = Journal([output, *grown], given, resume=resume, buffered=True, image_dir=store)
    outputs = [output, rejects, report, audit]
    opens = journal.open if grows else partial(common.writer, output, store)
    with common.session(opens, quiet=quiet, on_error=on_error, locks=outputs) as work:
        failed = _filter(work, files, asked, how, journal, cache, rejects, report, audit, audit_fail, seed)
        work.failures += [f"{terminal(failure)}, above {audit_fail:g}" for failure in failed]


def _check(asked, output, rejects, report, audit, resume) -> None:
    """Raises a usage error for options that would do nothing or that contradict each other."""
    if asked.clip_model and not (asked.by_clip or asked.by_rank or asked.against_clip is not None):
        raise click.UsageError(
            "--clip-model is for --clip, --clip-margin, --clip-rank, --against-clip, --score or --annotate."
        )
    if asked.text_model and not asked.by_text:
        raise click.UsageError("--text-model is for --mpnet, --mpnet-distractors, --score or --annotate.")
    for path, option, what in ((audit, "--audit", "the plots"), (report, "--report", "the histograms")):
        if path and path.endswith(".png"):
            raise click.UsageError(f"{option} needs a FILE for JSON; {what} go beside it.")
    if asked.against_clip is not None and not asked.against:
        raise click.UsageError("--against-clip is for --against.")
    if (asked.near_images is not None or asked.near_text is not None) and not asked.by_repeats:
        raise click.UsageError("--near-images and --near-text are for --dedup or --dedup-against.")
    if asked.ref is None and (asked.blind_margin is not None or {"ref", "blind"} & set(asked.scores)):
        raise click.UsageError("--blind-margin and --score ref or blind need --ref MODEL.")
    if rejects and asked.annotate:
        raise click.UsageError("--annotate drops nothing, so nothing would go to --rejects.")
    if resume and not can_grow(output):
        raise click.UsageError("--resume needs -o FILE, and no compressed one.")
    if resume and rejects and not can_grow(rejects):
        raise click.UsageError("--resume needs a --rejects FILE that is not compressed.")
    if resume and report:
        raise click.UsageError(
            "--report is for a run from the beginning (with --cache it is as quick as --resume)."
        )


def _engine(work, how: dict, cache: str | None = None):
    from s2h.filters.asked import loaders
    from s2h.filters.cache import folder
    from s2h.filters.engine import Engine

    load = loaders(work.say, how["dtype"], how["compile"])
    return Engine(load, cache=folder(cache, work.tell), workers=how["workers"], dtype=how["dtype"] or "auto")


def _serve(asked, how: dict) -> None:
    """What a process does that is not the main one: its share of the models' work."""
    from s2h import accel

    with common.session(None, quiet=True) as work, _engine(work, how) as engine:
        if asked.ref:
            from s2h.filters import ref

            ref.attach(engine)
        try:
            engine.serve()
        except Exception as error:
            if accel.lost(error):
                raise accel.told(error) from error
            raise


def _filter(work, files, asked, how, journal, cache, rejects, report, audit, audit_fail, seed) -> list[str]:
    """Judge all pairs; returns what the audit finds wrong."""
    from collections import Counter

    from s2h.filters import judge
    from s2h.filters.asked import judgements
    from s2h.filters.tally import Histograms, Tally
    from s2h.streams import jsonl

    records = work.read(files)
    with contextlib.ExitStack() as stack:
        engine = stack.enter_context(_engine(work, how, cache))
        made = judgements(asked, engine, partial(jsonl.read, on_error=work.on_error), work.say)
        tally = Tally(asked.annotate)
        histograms = Histograms(made) if report else None
        watching = None
        if audit or audit_fail is not None:
            from s2h.filters.audit import Audit

            watching = Audit(seed)
        out = journal.outputs[1] if len(journal.outputs) > 1 else None
        if rejects and out is None:
            out = stack.enter_context(jsonl.Writer(rejects, work.writer.image_dir))
        unjudged = Counter()  # pairs by the reason for which they were skipped
        if journal.position:
            tally.recall(journal.said["tally"])
            unjudged.update(journal.said["unjudged"])
            work.skipped.update(unjudged)
            records = _going_on(work, records, journal, made)
            if watching is not None:
                for record in work.writer.kept():
                    watching.add(record)
        position, write = journal.position, work.writer.write
        work.writer.finite = True  # add_score has looked at what was added
        journal.said |= {"tally": tally.noted, "unjudged": unjudged}

        def on_error(error):
            nonlocal position
            work.on_error(error)
            unjudged[error.reason] += 1
            position += 1

        for record, reasons in judge(
            work.progress(records), made, batch_size=asked.batch_size, on_error=on_error
        ):
            if histograms is not None:
                histograms.add(record, not reasons)
            if not reasons or asked.annotate:
                if watching is not None:
                    watching.add(record)
                write(record)
            elif out is not None:
                earlier = record.get("dropped", [])
                record["dropped"] = (earlier if isinstance(earlier, list) else [earlier]) + reasons
                out.write(record)
            tally.add(record.get("task") or "no task", reasons)
            position += 1
            journal.reached(position, record.where)
        if engine.cut:
            work.say(
                f"{engine.cut} distinct {plural(engine.cut, 'text was', 'texts were')} cut at the length that CLIP reads: "
                f"{plural(engine.cut, 'its end was', 'their ends were')} not judged"
            )
        for line in tally.lines(judged=bool(made), skipped=bool(work.skipped)):
            work.say(line)
        if histograms is not None:
            _report(work, histograms.report(tally), report)
        return _audited(work, watching, audit, audit_fail) if watching is not None else []


def _going_on(work, records, journal, made):
    """The records after those that an earlier run has dealt with."""
    while made and not made[-1].remembers:
        made = made[:-1]
    count, where = 0, ""
    for record in islice(records, journal.position):
        count, where = count + 1, record.where
        any(judgement.score([record]) for judgement in made if judgement.score)  # until one finds a fault
    if (count, where) != (journal.position, journal.last):
        raise RecordError(
            f"{work.writer.partial}: its last pair came from {journal.last}, which the input doesn't have",
            remedy="give the same input, or leave --resume out and begin anew",
        )
    work.say(f"going on after {where}: {count:,} {plural(count, 'pair was', 'pairs were')} judged before")
    yield from records


def _report(work, found: dict, path: str) -> None:
    from s2h.view.scores import draw

    plots = os.path.splitext(path)[0] + ".png"
    _write_json(found, path)
    draw(found, plots)
    work.say(f"report: {path} and {plots}")


def _write_json(found: dict, path: str) -> None:
    import json

    from s2h.streams.files import Whole

    with Whole(path) as out:
        out.write((json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())


def _audited(work, watching, path: str | None, most: float | None) -> list[str]:
    """Report on the pairs that were kept; the tasks that fail."""
    from s2h.filters import audit

    report = watching.report()
    for line in audit.summary(report):
        work.say(f"audit: {terminal(line)}")
    if path:
        from s2h.view.audit import draw

        plots = os.path.splitext(path)[0] + ".png"
        _write_json(report, path)
        draw(report, plots, most)
        work.say(f"audit: {path} and {plots}")
    return audit.failures(report, most) if most is not None else []


if __name__ == "__main__":  # as `accelerate launch -m s2h.cli.filter` starts it
    main(prog_name="s2h-filter")
