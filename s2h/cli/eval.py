"""s2h-eval: ask a model, score its replies, compare runs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from s2h.cli import common, headings, streams
from s2h.cli.eval_options import Options, add_options, chosen
from s2h.errors import counted, plural

if TYPE_CHECKING:
    from s2h.eval.ask import Asker
    from s2h.eval.benches import Line
    from s2h.record import Record
    from s2h.streams.jsonl import Writer


@headings.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@add_options
@common.shared_options(
    "FILE", "-", "Write predictions to FILE instead of standard output. Names in .gz and .zst are compressed."
)
def main(quiet, on_error, **values):
    """Ask a model questions and score its replies; or score or compare earlier predictions.

    \b
    s2h-eval --model mini --bench builtin -o before.jsonl
    s2h-eval --model run --bench blink=BLINK/ --bench pope=POPE.tsv -o after.jsonl --report after.json
    s2h-eval --compare before.jsonl after.jsonl --report compare.json --plot compare.png --gallery changed.html
    s2h-eval --score predictions.jsonl --parser vlmevalkit
    s2h-eval --bench pope=POPE.tsv --questions pope.jsonl
    s2h-eval --score --questions pope.jsonl MODEL_POPE.xlsx
    """
    given = chosen(values)
    if given.listing or given.card is not None:
        with common.session(None, quiet=quiet) as work:
            work.print(_about(given))
        return
    given.check()
    if given.writes_questions:
        write = partial(common.writer, given.questions, given.image_dir)
        with common.session(write, quiet=quiet, on_error=on_error, locks=[given.questions]) as work:
            _write_questions(work, given)
        return
    run = Run(given)
    if given.asks and given.processes > 1 and run.processes == 1:
        from s2h import accel

        with common.session(None, quiet=quiet) as work:
            if given.output == "-":
                streams.standard_output()
            status = accel.launch("s2h.cli.eval", sys.argv[1:], given.processes, work.tell)
        raise click.exceptions.Exit(status)
    opens = None if given.compare else run.writer()
    locks = list(given.written.values()) if run.first else []
    with common.session(opens, quiet=quiet or not run.first, on_error=on_error, locks=locks) as work:
        if given.compare:
            _compare(work, given)
            return
        done = run.write(work, _rescored(work, given) if given.score else run.ask(work))
        if not run.grows:  # --resume can't continue this output, so finish it before a report may fail
            work.finish()
        if run.first:
            _report(work, given, done, run.model_facts)


class Run:
    """A run of the command: its output, which an earlier run may have started, and the rank of its process."""

    def __init__(self, given: Options) -> None:
        from s2h import accel
        from s2h.streams import can_grow
        from s2h.streams.journal import Journal

        rank, self.processes = accel.launched()
        self.given = given
        self.first = not given.asks or rank == 0
        self.model_facts: dict[str, Any] = {}  # about the model, for the report
        self.grows = given.asks and can_grow(given.output)
        if given.resume and not self.grows:
            raise click.UsageError("--resume needs --model and -o FILE, and no compressed one.")
        if max(given.processes, self.processes) > 1 and given.asks and "-" in given.files:
            raise click.UsageError("Several processes can't share standard input: name a file.")
        self.journal = Journal()
        if self.grows:
            self.journal = Journal(
                [given.output], given.arguments, resume=given.resume, image_dir=given.image_dir
            )

    def writer(self) -> Callable[[], Writer]:
        """Return a function that opens the output: if possible, a file that a later run can continue."""
        if not self.first:
            return self._listen
        given = self.given
        return self.journal.open if self.grows else partial(common.writer, given.output, given.image_dir)

    def _listen(self) -> Writer:
        """Return an output that discards everything, for a process that is not the first one. Read the journal, so that this
        process asks the same questions as the first one."""
        from s2h.streams.jsonl import Writer

        if self.grows:
            self.journal.read()
        return Writer(os.devnull)

    def ask(self, work: common.Session) -> Iterator[Line]:
        """Load the model and return its predictions."""
        from s2h.eval import ask
        from s2h.eval.questions import request

        given = self.given
        places = request.locate(given.requested, given.data, given.split)
        asker = self._asker(work)
        questions = _questions(work, given, places)
        made: Iterator[Line] = ask.collect(
            questions, asker, parser=given.parser, on_error=work.on_error, journal=self.journal
        )
        if self.first:
            # A kill would lose lines that wait for others, so the text model scores a model's replies one by one.
            made = _with_cosine(work, given, made, batch=1)
        return made

    def _asker(self, work: common.Session) -> Asker:
        """Load the model, or connect to its server. Tell the user where the prompts have their images, if that is known, and
        how much an earlier run has done."""
        from s2h.models import image_size, thinking

        given, name = self.given, self.given.model or ""
        scoring = "likelihood" if given.scoring == "likelihood" else "generate"
        bounds = image_size.wanted(name, given.pixels)
        if given.base_url:
            from s2h.eval.served import Served
            from s2h.models import server

            address = server.Address(given.base_url, given.concurrency)
            served = server.connect(name, address, bounds, work.tell, given.thinking)
            self.model_facts = {"engine": served.place}
            work.say(f"{served.name} is asked on a server: {served.place}")
            asker: Asker = Served(served, scoring, given.max_new_tokens)
        else:
            from s2h.eval.ask import Local
            from s2h.models import vlm
            from s2h.models.prompts import images_first

            model = vlm.load(name, pixels=bounds, thinking=given.thinking)
            first = images_first(model.processor)
            self.model_facts = {"template": "images first" if first else "images in their places"}
            if first:
                work.say(f"{model.name} takes all images before the text of a question")
            thinks = thinking.is_on(model.processor)
            if thinks and scoring == "likelihood":
                raise click.UsageError(
                    f"--scoring likelihood has no thoughts: {name} needs --thinking off for it."
                )
            if thinks and not thinking.has_mode(model.processor):
                work.say(f"--thinking on changes no prompt: {model.name}'s chat template knows no thoughts")
            if thinks or thinking.has_mode(model.processor):
                self.model_facts["thinking"] = thinking.CHOICES[thinks]
            asker = Local(model, scoring, given.batch_size, given.max_new_tokens)
        if bounds:
            work.say(f"{name} sees images of {bounds}")
            self.model_facts |= {"min_pixels": bounds.least, "max_pixels": bounds.most}
        if given.resume:
            done, answers = self.journal.position, sum(map(len, self.journal.since))
            work.say(
                f"{counted(done, 'question is', 'questions are')} done, and {answers} "
                f"{plural(answers, 'reply', 'replies')} to the next ones {plural(answers, 'is', 'are')} kept"
            )
        return asker

    def write(self, work: common.Session, made: Iterable[Line]) -> list[Line]:
        """Write the predictions. Return the slim lines for the report, both of these and of those that an earlier run has
        written. Raises RecordError if another process has ended."""
        from s2h import accel
        from s2h.record import Record

        done = [_slim(line) for output in self.journal.outputs for line in output.kept()]
        try:
            for line in work.progress(made, unit="question"):
                work.write(line if isinstance(line, Record) else Record(line))
                done.append(_slim(line))
        except Exception as error:
            if accel.is_lost_connection(error):
                raise accel.connection_error(error) from error
            raise
        return done


def _about(given: Options) -> str:
    """Return the list of benchmarks, or the card of one. Raises a usage error for an unknown one."""
    from s2h.eval import benches, card
    from s2h.eval.questions import copies

    if given.listing:
        return copies.listing()
    name = benches.plain(given.card)
    if benches.exact(name) is None:
        close = " or ".join(benches.closest(name))
        raise click.UsageError(
            f"unknown benchmark {name[:60]!r}: {f'did you mean {close}? ' if close else ''}--list shows them all."
        )
    return card.text(name)


def _questions(work: common.Session, given: Options, places: list[Any]) -> Any:
    """Return the questions that are asked for, as (line, messages)."""
    from s2h.eval import ask
    from s2h.eval.questions import Settings, request
    from s2h.images.store import Store
    from s2h.shorthand import convert

    settings = Settings(
        store=Store(given.image_dir), style=given.style, place=given.place, count=given.count, seed=given.seed,
        on_error=work.on_error, tell=work.say,
    )  # fmt: skip
    lines = _lines(work, given.files, convert) if given.files else None
    return ask.part(request.questions_of(places, lines, settings), given.limit, given.shard)


def _write_questions(work: common.Session, given: Options) -> None:
    """Write the questions as lines that lack a response, with the messages of their prompts and their right answers. A line
    to which another program adds `response` is a whole prediction."""
    from s2h.eval import ask
    from s2h.eval.questions import request

    places = request.locate(given.requested, given.data, given.split)
    for line, messages in work.progress(_questions(work, given, places), unit="question"):
        work.write(ask.question_line(line, messages))


def _slim(line: Line) -> Line:
    """Return the fields of a prediction that the report needs."""
    from s2h.eval import accuracy, cosine

    return accuracy.slim(line) | cosine.kept(line)


def _lines(
    work: common.Session, files: tuple[str, ...], check: Callable[[dict], str | None] | None = None
) -> Iterator[Record]:
    """Yield the lines of the files, which must all exist, or of standard input. check: as `Session.read` takes it."""
    from s2h.eval import predictions, replies

    def read(name: str) -> Iterator[Record]:
        if check is None and name.endswith(replies.TABLES):
            return replies.rows(name, work.on_error)
        return work.read([name], check=check, unique=False)

    names = [name if name == "-" else common.jsonl.find(name) for name in files] or ["-"]
    return predictions.lines(
        names,
        read,
        work.on_error,
        lambda: sum(work.skipped.values()),
    )


def _rescored(work: common.Session, given: Options) -> Iterator[Line]:
    """Return earlier predictions, whose replies are read again."""
    from s2h.eval import predictions, reading, replies

    questions = work.read([given.questions], check=None) if given.questions else None
    bench = given.requested[0][0] if given.requested else ""
    found = replies.joined(_lines(work, given.files), questions, bench, work.on_error, work.say)
    lines = predictions.checked(found, on_error=work.on_error)
    made = reading.rescore(lines, given.parser, on_error=work.on_error)
    return _with_cosine(work, given, made, batch=64)


def _with_cosine(work: common.Session, given: Options, made: Iterator[Line], batch: int) -> Iterator[Line]:
    """Return the predictions. With --scoring cosine, a text model scores their captions."""
    from s2h.eval import cosine

    if given.scoring != cosine.SCORING:
        return made
    return cosine.scored(made, lambda: cosine.load(given.text_model, work.say), batch=batch)


def _report(work: common.Session, given: Options, done: list[Line], model_facts: dict[str, Any]) -> None:
    """Print the table, and write the report and the heat map if they were asked for."""
    from s2h.eval import cosine, latex, like, report_page
    from s2h.eval import report as reports
    from s2h.parsers import VERSIONS
    from s2h.view import gallery as pages

    if not done:
        reason = "no prediction came in" if given.score else "no question was asked"
        wanted = [name for name, path in (("report", given.report), ("heat map", given.heatmap)) if path]
        work.say("; ".join([reason, *(f"no {name} is written" for name in wanted)]))
        return
    about: dict[str, Any] = {"parser": given.parser} if given.score else {
        "model": given.model, "scoring": given.scoring, "parser": given.parser, "prompt_style": given.style,
        "images": given.place, **model_facts,
    }  # fmt: skip
    if given.like:
        about["like"] = given.like
    made = reports.make(done, seed=given.seed, parser_rules=VERSIONS[given.parser], **about)
    if given.like:
        made["notes"] += [
            note for name in made["benchmarks"] for note in like.notes(name, given.like, given.used)
        ]
    work.say("\n" + reports.table(made))
    if given.parser != "robust":
        work.say(f"replies were read as {VERSIONS[given.parser]} reads them")
    if cosines := cosine.rows(done):
        made["cosine"] = cosines
        work.say("\n" + cosine.table(cosines))
    if given.report:
        forms = {
            ".md": lambda: [
                (reports.markdown(made) + (cosine.markdown(cosines) if cosines else "")).encode()
            ],
            ".tex": lambda: [latex.scores(made).encode()],
            ".html": lambda: pages.page((), title="evaluation", intro=report_page.scores(made)),
        }
        reports.save(given.report, made, forms)
    if given.heatmap and made["by_position"]:
        reports.heat_map(made["by_position"], given.heatmap)
    elif given.heatmap:
        work.tell("no heat map: no question says which image its answer rests on (target)")


def _compare(work: common.Session, given: Options) -> None:
    """Compare the files, and print the tables and write the outputs that were asked for."""
    from s2h.eval import comparison, comparison_report, latex, report_page
    from s2h.eval import report as reports
    from s2h.view import gallery as pages

    files, margin = given.files, comparison.MARGIN if given.margin is None else given.margin
    sides: list[list[Line]] = [list(work.read([name], check=None)) for name in files]
    made = comparison.make(sides, files, given.seed, margin, work.on_error)
    for one, name in zip(made, files[1:], strict=True):
        work.say("\n" + comparison_report.table(one, f"{files[0]} → {name}" if len(made) > 1 else ""))
    if given.plot and not any(one["rows"] for one in made):
        work.tell("no plot: only cosines were compared")
    elif given.plot:
        comparison_report.draw(made, given.plot, sides[0][0].get("scoring"))
    if given.gallery:
        from s2h.streams.files import Whole

        with Whole(given.gallery) as out:
            changed = comparison_report.changed(sides, files)
            for piece in pages.page(changed, title="gained and lost", on_error=work.on_error):
                out.write(piece)
    report = comparison_report.report(made, given.seed)
    if given.report:
        forms = {
            ".md": lambda: [comparison_report.markdown(made).encode()],
            ".tex": lambda: [latex.compared(made).encode()],
            ".html": lambda: pages.page(
                comparison_report.changed(sides, files), title="before and after",
                intro=report_page.compared(made), on_error=work.on_error,
            ),
        }  # fmt: skip
        reports.save(given.report, report, forms)
    else:
        work.print(json.dumps(report))


if __name__ == "__main__":  # as `accelerate launch -m s2h.cli.eval` starts it
    main(prog_name="s2h-eval")
