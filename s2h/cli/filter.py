"""s2h-filter: judge pairs, keep the good ones, and report why others were dropped."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from s2h.cli import common, filter_options, headings, places, server_options, streams
from s2h.errors import plural
from s2h.escape import terminal
from s2h.filters import request
from s2h.filters.judgement import Given, Loading, Tools
from s2h.record import Record, RecordError
from s2h.streams import can_grow

if TYPE_CHECKING:
    from s2h.filters import Judge
    from s2h.filters.audit import Audit
    from s2h.filters.engine import Engine
    from s2h.filters.run_report import Counts
    from s2h.filters.served_reference import Notes
    from s2h.streams import jsonl
    from s2h.streams.journal import Journal

AT_ONCE = 64  # pairs that are judged at a time by default
ON_A_GPU = 512  # there: several processes then have several chunks of images each time


@headings.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@filter_options.judgements
@filter_options.reports
@filter_options.models
@filter_options.performance
@common.stream_options
def main(files: tuple[str, ...], output: str, seed: int, quiet: bool, on_error: str, **options: Any) -> None:
    """Judge the pairs of FILEs (or standard input) and pass the good ones on, in order.

    Every score is written into the record (scores.clip, scores.mpnet, ...) before anything is decided, so another threshold
    needs no model: jq -c 'select(.scores.clip.chosen > 0.3)'. A score that a record brings from the same model is used
    again. A score of another model is an error, because no stage rewrites the result of an earlier one; jq -c
    'del(.scores.clip)' removes it. Without a judgement, pairs are checked and passed on.

    \b
    s2h-gen kinship | s2h-filter --clip 0.25 > l2.jsonl
    s2h-gen search --source photos/ | s2h-filter --against blink/ --audit audit.json --audit-fail 0.6 > l3.jsonl
    s2h-filter l3 --clip 0.25 --clip-rank --mpnet 0.3:0.95 --rejects l3.rejects.jsonl --report l3.json -o l3.good.jsonl
    """
    from s2h import accel

    settings = Settings(**{one.name: options.pop(one.name) for one in fields(Settings)})
    given = Given(scores=options.pop("scores"), annotate=options.pop("annotate"), options=options)
    _check(given, settings, output)
    places.check(
        [*(files or ("-",)), *request.inputs(given)],
        {
            "-o": output, "--rejects": settings.rejects, "--report": settings.report, "--audit": settings.audit,
            "--cache": settings.cache, "--image-dir": settings.image_dir,
        },
        grow=("-o", "--rejects"), pictured=("--report", "--audit"),
    )  # fmt: skip
    rank, launched = accel.launched()
    if settings.processes > 1 and launched == 1:
        with common.session(None, quiet=quiet) as work:
            if output == "-":
                streams.standard_output()
            status = accel.launch("s2h.cli.filter", sys.argv[1:], settings.processes, work.tell)
        raise click.exceptions.Exit(status)
    if rank:
        with common.session(None, quiet=True):
            _serve(given, settings)
        return
    from s2h.streams.journal import Journal

    store = settings.image_dir or places.image_store(output)
    journal = Journal()
    if can_grow(output):
        grown = [one for one in (settings.rejects,) if one and can_grow(one)]
        arguments = _arguments(given, settings, files, on_error)
        journal = Journal([output, *grown], arguments, resume=settings.resume, buffered=True, image_dir=store)
        opens: Callable = journal.open
    else:
        opens = partial(common.writer, output, store)
    locks = [output, settings.rejects, settings.report, settings.audit]
    with common.session(opens, quiet=quiet, on_error=on_error, locks=locks) as work:
        run = Run(work, given, settings, journal, store)
        for failure in run.judge_files(files, seed):
            work.failures.append(f"{terminal(failure)}, above {settings.audit_fail:g}")


@dataclass(frozen=True)
class Settings:
    """The options that no judgement owns."""

    rejects: str | None
    report: str | None
    audit: str | None
    audit_fail: float | None
    image_dir: str | None
    dtype: str | None
    compile: bool
    cache: str | None
    workers: int
    processes: int
    batch_size: int | None
    resume: bool

    @property
    def audits(self) -> bool:
        return bool(self.audit) or self.audit_fail is not None


def _arguments(given: Given, settings: Settings, files: tuple[str, ...], on_error: str) -> dict:
    """Return the options that determine the output. --resume only continues a run with the same ones."""
    owned = {one.key: given[one.key] for one in request.options() if one.speed is None}
    more = server_options.arguments(owned.pop("base_url"))
    more |= {"image_dir": settings.image_dir} if settings.image_dir else {}
    return {
        **owned, "scores": given.scores, "annotate": given.annotate, "command": "filter", "files": files,
        "rejects": settings.rejects, "dtype": settings.dtype, "on_error": on_error, **more,
    }  # fmt: skip


def _check(given: Given, settings: Settings, output: str) -> None:
    """Raise a usage error for options that would do nothing or that contradict each other."""
    if fault := request.fault(given):
        raise click.UsageError(fault)
    if not given.has("base_url"):
        common.refuse(("concurrency",), "--base-url")
    rejects, resume = settings.rejects, settings.resume
    for path, option, what in (
        (settings.audit, "--audit", "the plots"),
        (settings.report, "--report", "the histograms"),
    ):
        if path and path.endswith(".png"):
            raise click.UsageError(f"{option} needs a FILE for JSON; {what} go beside it.")
    if rejects and given.annotate:
        raise click.UsageError("--annotate drops nothing, so nothing would go to --rejects.")
    if resume and not can_grow(output):
        raise click.UsageError("--resume needs -o FILE, and no compressed one.")
    if resume and rejects and not can_grow(rejects):
        raise click.UsageError("--resume needs a --rejects FILE that is not compressed.")
    if resume and settings.report:
        raise click.UsageError(
            "--report is for a run from the beginning (with --cache it is as quick as --resume)."
        )


def _engine(
    work: common.Session,
    given: Given,
    settings: Settings,
    cache: str | None = None,
    notes: Notes | None = None,
) -> Engine:
    from s2h.filters import ref
    from s2h.filters.engine import Engine
    from s2h.models.cache import open_folder

    pixels, server = ref.pixels(given), ref.address(given)
    thinking = given["thinking"] if given["ref"] else None
    how = Loading(settings.dtype, settings.compile, pixels, server, notes, thinking)
    return Engine(
        request.loaders(work.say, how),
        cache=open_folder(cache, work.tell),
        workers=settings.workers,
        how=" ".join(filter(None, (settings.dtype or "auto", str(how.pixels), thinking))),
    )


def _serve(given: Given, settings: Settings) -> None:
    """Do this process's share of the models' work; for every process but the main one."""
    from s2h import accel

    with common.session(None, quiet=True) as work, _engine(work, given, settings) as engine:
        request.attach(given, engine)
        try:
            engine.serve()
        except Exception as error:
            if accel.is_lost_connection(error):
                raise accel.connection_error(error) from error
            raise


@dataclass
class Run:
    """One run: reads pairs, lets the judges score and decide, and writes."""

    work: common.Session
    given: Given
    settings: Settings
    journal: Journal
    image_store: str
    position: int = 0  # in the input
    unjudged: Counter[str] = field(default_factory=Counter)  # pairs by the reason for which they were skipped
    audit: Audit | None = None
    notes: Notes | None = None  # of the values of a server

    def judge_files(self, files: tuple[str, ...], seed: int) -> list[str]:
        """Judge all pairs. Return a sentence for each failure that the audit finds."""
        from s2h.filters import judge
        from s2h.filters.audit import Audit
        from s2h.filters.run_report import Counts, Histograms
        from s2h.streams import jsonl

        work, settings, journal = self.work, self.settings, self.journal
        with contextlib.ExitStack() as stack:
            if self.given.has("base_url"):
                from s2h.filters.served_reference import Notes

                self.notes = Notes(journal, most=4 * (settings.batch_size or AT_ONCE))
                self.notes.recall()
            engine = stack.enter_context(_engine(work, self.given, settings, settings.cache, self.notes))
            read = partial(jsonl.read, on_error=work.on_error)
            judges = request.judges(self.given, Tools(engine, read, work.say))
            counts = Counts(self.given.annotate)
            histograms = Histograms(judges) if settings.report else None
            self.audit = Audit(seed) if settings.audits else None
            rejects = self._open_rejects(stack)
            records = self._after_earlier_run(work.read(files), judges, counts)
            assert work.writer is not None  # the session was opened with an output
            work.writer.finite = True  # add_score and the text measures have checked their numbers
            write = work.writer.write
            size = settings.batch_size or self._pairs_at_once(judges)
            for record, reasons in judge(
                work.progress(records), judges, batch_size=size, on_error=self._skip
            ):
                if histograms is not None:
                    histograms.add(record, not reasons)
                if not reasons or counts.annotate:
                    if self.audit is not None:
                        self.audit.add(record)
                    write(record)
                elif rejects is not None:
                    earlier = record.get("dropped", [])
                    record["dropped"] = (earlier if isinstance(earlier, list) else [earlier]) + reasons
                    rejects.write(record)
                counts.add(record.get("task") or "no task", reasons)
                self.position += 1
                journal.reached(
                    self.position, record.where, since=self.notes.known.items() if self.notes else ()
                )
            if engine.cut:
                work.say(
                    f"{engine.cut} distinct {plural(engine.cut, 'text was', 'texts were')} cut at the length that "
                    f"CLIP reads: {plural(engine.cut, 'its end was', 'their ends were')} not judged"
                )
            for line in counts.lines(judged=bool(judges), skipped=bool(work.skipped)):
                work.say(line)
            if histograms is not None and settings.report:
                self._write_report(histograms.report(counts), settings.report)
            return self._write_audit()

    def _pairs_at_once(self, judges: list[Judge]) -> int:
        if self.given.has("base_url") or not any(one.heavy for one in judges):
            return AT_ONCE
        from s2h import accel

        return ON_A_GPU if accel.device().type == "cuda" else AT_ONCE

    def _open_rejects(self, stack: contextlib.ExitStack) -> jsonl.Writer | None:
        from s2h.streams import jsonl

        if len(self.journal.outputs) > 1:
            return self.journal.outputs[1]
        if not self.settings.rejects:
            return None
        return stack.enter_context(jsonl.Writer(self.settings.rejects, self.image_store))

    def _skip(self, error: RecordError) -> None:
        """Count a record that can't be judged."""
        self.work.on_error(error)
        self.unjudged[error.reason] += 1
        self.position += 1

    def _after_earlier_run(
        self, records: Iterator[Record], judges: list[Judge], counts: Counts
    ) -> Iterable[Record]:
        """Restore the state that an earlier run noted, and return the records that it has not judged."""
        journal, work = self.journal, self.work
        if journal.position:
            counts.recall(journal.state["tally"])
            self.unjudged.update(journal.state["unjudged"])
            work.skipped.update(self.unjudged)
            records = self._skip_judged(records, judges)
            if self.audit is not None:
                for record in journal.outputs[0].kept():
                    self.audit.add(record)
        self.position = journal.position
        journal.state |= {"tally": counts.noted, "unjudged": self.unjudged}
        return records

    def _skip_judged(self, records: Iterator[Record], judges: list[Judge]) -> Iterator[Record]:
        """Skip the records that an earlier run has judged. Judges that remember earlier records score them again."""
        journal = self.journal
        while judges and not judges[-1].remembers:
            judges = judges[:-1]
        count, where = 0, ""
        for record in islice(records, journal.position):
            count, where = count + 1, record.where
            any(judge.score([record]) for judge in judges if judge.score)  # until one finds a fault
        if (count, where) != (journal.position, journal.last):
            raise RecordError(
                f"{journal.outputs[0].partial}: its last pair came from {journal.last}, which the input doesn't have",
                remedy="give the same input, or start again without --resume",
            )
        self.work.say(
            f"going on after {where}: {count:,} {plural(count, 'pair was', 'pairs were')} judged before"
        )
        yield from records

    def _write_report(self, found: dict, path: str) -> None:
        from s2h.view.score_plots import draw

        plots = os.path.splitext(path)[0] + ".png"
        _write_json(found, path)
        draw(found, plots)
        self.work.say(f"report: {path} and {plots}")

    def _write_audit(self) -> list[str]:
        """Write the audit of the pairs that were kept. Return a sentence for each task that fails."""
        from s2h.filters import audit

        if self.audit is None:
            return []
        report, path, most = self.audit.report(), self.settings.audit, self.settings.audit_fail
        for line in audit.summary(report):
            self.work.say(f"audit: {terminal(line)}")
        if path:
            from s2h.view.audit_plots import draw

            plots = os.path.splitext(path)[0] + ".png"
            _write_json(report, path)
            draw(report, plots, most)
            self.work.say(f"audit: {path} and {plots}")
        return audit.failures(report, most) if most is not None else []


def _write_json(found: dict, path: str) -> None:
    import json

    from s2h.streams.files import Whole

    with Whole(path) as out:
        out.write((json.dumps(found, indent=1, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":  # as `accelerate launch -m s2h.cli.filter` starts it
    main(prog_name="s2h-filter")
