"""s2h-eval: answers of a model, their scores, and comparison_report."""

from __future__ import annotations

import json
import os
import sys
from functools import partial

import click

from s2h import registry
from s2h.cli import common, headings, places, streams
from s2h.cli.params import Shard
from s2h.errors import counted, plural
from s2h.eval.parsers import NAMES as PARSERS
from s2h.eval.parsers import VERSIONS
from s2h.eval.questions.styles import PLACES, STYLES

AT_LEAST_1 = click.IntRange(min=1)


@headings.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@headings.under(
    "Questions",
    click.option(
        "--bench", "benches", metavar="NAME[=PATH]", multiple=True,
        help=f"Benchmark: {', '.join(registry.names('bench'))}, from the local copy at PATH if given; or a FILE of "
        "questions or pairs. May be repeated.  [default: FILEs, or else builtin]",
    ),
    click.option("--data", metavar="DIR", help="Folder with local copies of benchmarks, by their names."),
    click.option("--split", metavar="NAME", help="Split to ask, where a benchmark has several (see --list)."),
    click.option(
        "-n", "count", metavar="N", type=AT_LEAST_1, default=200, show_default=True,
        help="Questions of each kind, for builtin.",
    ),
    click.option("--limit", metavar="N", type=AT_LEAST_1, help="Ask only the first N questions of all."),
    click.option(
        "--prompt-style", "style", type=click.Choice(STYLES), default="llava", show_default=True,
        help="Wording of a benchmark's prompts.",
    ),
    click.option(
        "--images", "place", type=click.Choice(PLACES), default="interleaved", show_default=True,
        help="Place of a benchmark's images: where the benchmark puts them, or all before the text.",
    ),
    click.option(
        "--image-dir", metavar="DIR", type=click.Path(file_okay=False), default="s2h-images", show_default=True,
        help="Folder for images that are drawn or lie inside a benchmark's files or a pair's line.",
    ),
    click.option(
        "--list", "listing", is_flag=True, help="List the benchmarks, where each can be had and in which layouts, and exit.",
    ),
)  # fmt: skip
@headings.under(
    "Model",
    click.option(
        "--model", metavar="NAME|RUN", help="Model to evaluate: a name, a Hub id, a local folder or a run of s2h-train.",
    ),
    click.option(
        "--max-new-tokens", metavar="N", type=AT_LEAST_1, default=192, show_default=True,
        help="Largest number of tokens in a reply.",
    ),
    click.option(
        "--batch-size", metavar="N", type=AT_LEAST_1, default=32, show_default=True, help="Prompts at a time.",
    ),
    click.option(
        "--processes", metavar="N", type=AT_LEAST_1, default=1, show_default=True,
        help="Processes that answer, each on a GPU where there are some. `accelerate launch` works as well.",
    ),
    click.option(
        "--shard", type=Shard(), default="1/1", show_default=True,
        help="Ask this part of the questions only. All parts in order are the whole.",
    ),
    click.option(
        "--resume", is_flag=True,
        help="Continue what a killed run left in FILE.partial (needs -o FILE). At most one batch of each process is asked "
        "again.",
    ),
)  # fmt: skip
@headings.under(
    "Scores",
    click.option(
        "--scoring", type=click.Choice(["generate", "likelihood", "cosine"]), default="generate", show_default=True,
        help="generate: read the greedy reply. likelihood: take the likeliest option letter, yes or no, or the likelier of "
        "a pair's two answers; not comparable with generated replies. cosine: as generate, and compare captions over "
        "photographs, which have no exact check, with the reference by a text model.",
    ),
    click.option(
        "--parser", type=click.Choice(PARSERS), default="robust", show_default=True,
        help="How the choice is extracted from a reply: "
        + ", ".join(f"{name} ({version})" for name, version in VERSIONS.items())
        + ".",
    ),
    click.option(
        "--text-model", metavar="NAME",
        help="Text model for --scoring cosine: a Hub id or a local folder.  "
        "[default: sentence-transformers/all-mpnet-base-v2]",
    ),
    click.option("--score", is_flag=True, help="Read and score the predictions in FILEs again, without a model."),
)  # fmt: skip
@headings.under(
    "Comparison",
    click.option(
        "--compare", is_flag=True, help="Compare predictions: the first FILE is before, each other FILE is after.",
    ),
    click.option(
        "--margin", metavar="POINTS", type=click.FloatRange(min=0),
        help="A skill on single images is kept if the interval of its change lies above minus POINTS.  [default: 2]",
    ),
    click.option("--plot", metavar="FILE", help="Draw before and after as PNG."),
    click.option("--gallery", metavar="FILE", help="Write a page of the questions gained and lost."),
)  # fmt: skip
@headings.under(
    "Reports",
    click.option(
        "--report", metavar="FILE", help="Write the table and all metrics: JSON, or Markdown if the name ends in .md.",
    ),
    click.option(
        "--heatmap", metavar="FILE", help="Draw accuracy by number of images and place of the target as PNG.",
    ),
)  # fmt: skip
@common.shared_options(
    "FILE", "-", "Write predictions to FILE instead of standard output. Names in .gz and .zst are compressed."
)
def main(
    files, model, benches, data, split, listing, count, style, place, score, compare, parser, scoring, text_model,
    batch_size, max_new_tokens, limit, shard, processes, resume, image_dir, report, heatmap, margin, plot, gallery,
    output, seed, quiet, on_error,
):  # fmt: skip
    """Ask a model questions and score its replies; or score or compare earlier predictions.

    \b
    s2h-eval --model mini --bench builtin -o before.jsonl
    s2h-eval --model run --bench blink=BLINK/ --bench pope=POPE.tsv -o after.jsonl --report after.json
    s2h-eval --compare before.jsonl after.jsonl --report compare.json --plot compare.png --gallery changed.html
    s2h-eval --score predictions.jsonl --parser vlmevalkit
    """
    if listing:
        from s2h.eval.questions import copies

        with common.session(None, quiet=quiet) as work:
            work.print(copies.listing())
        return
    if (data or split) and not benches:
        raise click.UsageError("--data and --split go with --bench.")
    if text_model and (scoring != "cosine" or compare):
        raise click.UsageError("--text-model goes with --scoring cosine.")
    if score and scoring == "likelihood":
        raise click.UsageError("--scoring likelihood goes with --model: --score has no model.")
    of_compare = {"--margin": margin, "--plot": plot, "--gallery": gallery}
    _check_usage(files, model, benches, score, compare, of_compare, heatmap)
    wishes = _understood(benches)
    asking = not score and not compare
    reads = (model, text_model, data, *(path for _, path in wishes)) if asking else (text_model,)
    places.check(
        [*(files or (() if asking else ("-",))), *filter(None, reads)],
        {
            "-o": None if compare else output, "--report": report, "--heatmap": heatmap, "--plot": plot,
            "--gallery": gallery, "--image-dir": image_dir if asking else None,
        },
        grow=("-o",) if asking else (), ours="response",
    )  # fmt: skip
    asked = {
        "command": "eval", "model": model, "files": files, "benches": benches, "data": data, "split": split,
        "n": count, "seed": seed, "prompt_style": style, "images": place, "scoring": scoring, "parser": parser,
        "batch_size": batch_size, "max_new_tokens": max_new_tokens, "limit": limit, "shard": shard,
        "text_model": text_model,
    }  # fmt: skip
    run = _Asking(asked, output, processes, resume, asking, image_dir)
    if run.asks and processes > 1 and run.of == 1:
        from s2h import accel

        with common.session(None, quiet=quiet) as work:
            if output == "-":
                streams.standard_output()
            status = accel.launch("s2h.cli.eval", sys.argv[1:], processes, work.tell)
        raise click.exceptions.Exit(status)
    outputs = [None if compare else output, report, heatmap, plot, gallery] if run.first else []
    opens = None if compare else run.writer()
    with common.session(opens, quiet=quiet or not run.first, on_error=on_error, locks=outputs) as work:
        from s2h.eval import report as reports

        if compare:
            _compare(work, files, report, plot, gallery, seed, margin)
            return
        from s2h.eval import accuracy, ask, cosine, predictions, reading
        from s2h.record import Record

        if score:
            lines = predictions.checked(_lines(work, files), on_error=work.on_error)
            made = reading.rescore(lines, parser, on_error=work.on_error)
        else:
            from s2h.eval.questions import Settings, request
            from s2h.images.store import Store
            from s2h.models import vlm

            where = request.located(wishes, data, split)
            loaded = vlm.load(model)
            run.tell(work, loaded)
            settings = Settings(
                store=Store(image_dir), style=style, place=place, count=count, seed=seed, on_error=work.on_error,
                tell=work.say,
            )  # fmt: skip
            questions = request.questions_of(where, _lines(work, files) if files else None, settings)
            made = ask.predict(
                ask.part(questions, limit, shard), loaded,
                scoring="likelihood" if scoring == "likelihood" else "generate", batch_size=batch_size,
                max_new_tokens=max_new_tokens, parser=parser, on_error=work.on_error, journal=run.journal,
            )  # fmt: skip
        if scoring == "cosine" and run.first:
            # A line that waits for others would be missing after a kill, so a model's replies are compared one by one.
            made = cosine.scored(made, lambda: cosine.load(text_model, work.say), batch=64 if score else 1)

        def slim(line):
            return accuracy.slim(line) | cosine.kept(line)

        done = run.done(slim)
        for line in run.alive(work.progress(made, unit="question")):
            work.write(line if isinstance(line, Record) else Record(line))
            done.append(slim(line))
        if not run.first:
            return
        if not done:
            nothing = "no prediction came in" if score else "no question was asked"
            wanted = [name for name, path in (("report", report), ("heat map", heatmap)) if path]
            work.say("; ".join([nothing, *(f"no {name} is written" for name in wanted)]))
            return
        told = {"parser": parser} if score else {
            "model": model, "scoring": scoring, "parser": parser, "prompt_style": style, "images": place, **run.told
        }  # fmt: skip
        told = reports.make(done, seed=seed, parser_rules=VERSIONS[parser], **told)
        work.say("\n" + reports.table(told))
        if parser != "robust":
            work.say(f"replies were read as {VERSIONS[parser]} reads them")
        if similar := cosine.rows(done):
            work.say("\n" + cosine.table(similar))
        if report:
            text = reports.markdown(told) + (cosine.markdown(similar) if similar else "")
            reports.save(report, told | ({"cosine": similar} if similar else {}), text)
        if heatmap and told["by_position"]:
            reports.heat_map(told["by_position"], heatmap)
        elif heatmap:
            work.tell("no heat map: no question says which image its answer rests on (target)")


class _Asking:
    """How the questions are asked: by which processes, and into which file, that may have been begun before."""

    def __init__(
        self, asked: dict, output: str, processes: int, resume: bool, asks: bool, image_dir: str
    ) -> None:
        from s2h import accel
        from s2h.streams import can_grow
        from s2h.streams.journal import Journal

        rank, self.of = accel.launched()
        self.output, self.resume, self.asks, self.image_dir = output, resume, asks, image_dir
        self.first = not asks or rank == 0
        self.told: dict[str, str] = {}
        self.grows = asks and can_grow(output)
        if resume and not self.grows:
            raise click.UsageError("--resume needs --model and -o FILE, and no compressed one.")
        if max(processes, self.of) > 1 and asks and "-" in asked["files"]:
            raise click.UsageError("Several processes can't share standard input: name a file.")
        self.journal = Journal()
        if self.grows:
            self.journal = Journal([output], asked, resume=resume, image_dir=image_dir)

    def alive(self, made):
        """The predictions, as long as all processes are there."""
        from s2h import accel

        try:
            yield from made
        except Exception as error:
            if accel.lost(error):
                raise accel.told(error) from error
            raise

    def writer(self):
        """The output for the session: a file that can be gone on with wherever that is possible."""
        if not self.first:
            return self._listen
        return self.journal.open if self.grows else partial(common.writer, self.output, self.image_dir)

    def _listen(self):
        """Of a process that writes nothing, but asks what the first one asks."""
        from s2h.streams.jsonl import Writer

        if self.grows:
            self.journal.read()
        return Writer(os.devnull)

    def tell(self, work, loaded) -> None:
        """Say what a reader of the scores must know: where the images stood, and what was there already."""
        from s2h.models.prompts import images_first

        first = images_first(loaded.processor)
        self.told = {"template": "images first" if first else "images in their places"}
        if first:
            work.say(f"{loaded.name} takes all images before the text of a question")
        if self.resume:
            done, answers = self.journal.position, sum(map(len, self.journal.since))
            work.say(
                f"{counted(done, 'question is', 'questions are')} done, and {answers} "
                f"{plural(answers, 'reply', 'replies')} to the next ones {plural(answers, 'is', 'are')} kept"
            )

    def done(self, slim) -> list[dict]:
        """What a run that goes on needs for its table of the predictions that are there."""
        return [slim(line) for output in self.journal.outputs for line in output.kept()]


def _lines(work, files):
    """The lines of the files, all of which must be there, or of standard input."""
    from s2h.eval import predictions

    names = [name if name == "-" else common.jsonl.find(name) for name in files] or ["-"]
    return predictions.lines(
        names, lambda name: work.read([name], check=None), work.on_error, lambda: sum(work.skipped.values())
    )


def _check_usage(files, model, benches, score, compare, of_compare, heatmap) -> None:
    if score and compare:
        raise click.UsageError("--score and --compare exclude each other.")
    if (score or compare) and (model or benches):
        raise click.UsageError("--score and --compare read predictions: they take no --model and no --bench.")
    if compare and len(files) < 2:
        raise click.UsageError("--compare takes two files of predictions or more, before and after.")
    for name, given in of_compare.items():
        if given != given:  # not a number
            raise click.UsageError(f"{name} must be a number.")
        if given is not None and not compare:
            raise click.UsageError(f"{name} goes with --compare.")
    if heatmap and compare:
        raise click.UsageError("--heatmap goes with one model's answers, not with --compare.")
    if not score and not compare and not model:
        raise click.UsageError("Missing option '--model' (or --score FILE, or --compare A B).")


def _understood(benches) -> list:
    from s2h.eval.questions import request

    try:
        return [request.understood(bench) for bench in benches]
    except common.RecordError as error:
        raise click.UsageError(str(error)) from None


def _compare(work, files, report, plot, gallery, seed, margin) -> None:
    from s2h.eval import comparison, comparison_report
    from s2h.eval import report as reports

    sides = [list(work.read([name], check=None)) for name in files]
    made = comparison.make(sides, files, seed, comparison.MARGIN if margin is None else margin, work.on_error)
    for one, name in zip(made, files[1:], strict=True):
        work.say("\n" + comparison_report.table(one, f"{files[0]} → {name}" if len(made) > 1 else ""))
    if plot and not made[0]["rows"]:
        work.tell("no plot: only cosines were compared")
    elif plot:
        comparison_report.draw(made, plot, sides[0][0].get("scoring"))
    if gallery:
        from s2h.streams.files import Whole
        from s2h.view import gallery as pages

        with Whole(gallery) as out:
            changed = comparison_report.changed(sides, files)
            for piece in pages.page(changed, title="gained and lost", on_error=work.on_error):
                out.write(piece)
    told = comparison_report.report(made, seed)
    if report:
        reports.save(report, told, comparison_report.markdown(made))
    else:
        work.print(json.dumps(told))


if __name__ == "__main__":  # as `accelerate launch -m s2h.cli.eval` starts it
    main(prog_name="s2h-eval")
