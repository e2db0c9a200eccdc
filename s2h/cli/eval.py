"""s2h-eval: answers of a model, their scores, and comparisons."""

from __future__ import annotations

import os

import click

from s2h.cli import common
from s2h.cli.params import Shard

BENCHES = ("builtin",)  # the same as eval.benches.BENCHES, which is not imported for --help


@click.command(epilog=common.EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--model", metavar="NAME|RUN", help="Whom to ask: a name, a Hub id, a folder, or a run of s2h-train."
)
@click.option(
    "--bench",
    "benches",
    type=click.Choice(BENCHES),
    multiple=True,
    help="Questions to ask; without it and without FILE, builtin. Files of pairs are questions too.",
)
@click.option("--list", "listing", is_flag=True, help="List the benchmarks and end.")
@click.option(
    "-n",
    "count",
    metavar="N",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Questions of each kind, for builtin.",
)
@click.option("--score", is_flag=True, help="Read and score the predictions of FILEs again, without a model.")
@click.option("--compare", is_flag=True, help="Compare the predictions of two FILEs, before and after.")
@click.option(
    "--scoring",
    type=click.Choice(["generate", "likelihood"]),
    default="generate",
    show_default=True,
    help="Greedy answers; or what is likelier after the prompt, not comparable with them: an option's letter, yes or "
    "no, of a pair the chosen or the rejected answer.",
)
@click.option(
    "--batch-size",
    metavar="N",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Prompts at a time.",
)
@click.option(
    "--max-new-tokens",
    metavar="N",
    type=click.IntRange(min=1),
    default=192,
    show_default=True,
    help="The longest answer.",
)
@click.option("--limit", metavar="N", type=click.IntRange(min=1), help="Only the first N questions of all.")
@click.option(
    "--shard",
    type=Shard(),
    default="1/1",
    show_default=True,
    help="Only this part of the questions; all parts in order are the whole.",
)
@click.option(
    "--processes",
    metavar="N",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that answer, each on a GPU of its own where there are some; `accelerate launch` works as well.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Go on with what a killed run left in FILE.partial, where -o FILE was given; at most a batch of each process is "
    "asked again.",
)
@click.option(
    "--image-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    default="s2h-images",
    show_default=True,
    help="Where the images of built-in questions are drawn to.",
)
@click.option("--report", metavar="FILE", help="Write the table as JSON here.")
@click.option("--plot", metavar="FILE", help="With --compare: draw before and after as PNG here.")
@common.shared_options(
    "FILE", "-", "Write predictions here instead of standard output; .gz and .zst are compressed."
)
def main(
    files, model, benches, listing, count, score, compare, scoring, batch_size, max_new_tokens, limit, shard,
    processes, resume, image_dir, report, plot, output, seed, quiet, on_error,
):  # fmt: skip
    """Ask a model and score its answers; or score or compare predictions made before.

    \b
    s2h-eval --model mini --bench builtin -o before.jsonl
    s2h-eval --model run --bench builtin -o after.jsonl
    s2h-eval --compare before.jsonl after.jsonl --report compare.json --plot compare.png
    s2h-eval --score predictions.jsonl
    """
    if listing:
        click.echo("\n".join(BENCHES))
        return
    _check_usage(files, model, benches, score, compare, plot)
    asked = {
        "model": model, "files": files, "benches": benches, "n": count, "seed": seed, "scoring": scoring,
        "batch_size": batch_size, "max_new_tokens": max_new_tokens, "limit": limit, "shard": shard,
    }  # fmt: skip
    run = _Asking(asked, output, processes, resume, not score and not compare)
    with (
        run.processes(),
        common.session(
            None if compare else run.writer(), quiet=quiet or not run.first, on_error=on_error
        ) as work,
    ):
        if compare:
            _compare(work, files, report, plot, seed)
            return
        from s2h.eval import ask, scores

        if score:
            made = ask.rescore(work.read(files, check=None), on_error=work.on_error)
        else:
            from s2h.models import vlm

            loaded = vlm.load(model)
            run.tell(work, loaded)
            questions = _questions(work, files, benches, count, seed, image_dir)
            made = ask.predict(
                ask.part(questions, limit, shard), loaded, scoring=scoring, batch_size=batch_size,
                max_new_tokens=max_new_tokens, on_error=work.on_error, progress=run.progress,
            )  # fmt: skip
        predictions = run.done(_slim)
        for line in work.progress(made, unit="question"):
            work.write(line)
            predictions.append(_slim(line))
        rows = scores.summarise(predictions)
        work.say("no questions" if not rows else "\n" + scores.table(rows))
        if run.first:
            told = {"model": model, "scoring": scoring, "seed": seed, **run.told, "rows": rows}
            _write(report, told)


class _Asking:
    """How the questions are asked: by which processes, and into which file, that may have been begun before."""

    def __init__(self, asked: dict, output: str, processes: int, resume: bool, asks: bool) -> None:
        from s2h.eval import launch
        from s2h.eval import resume as resuming

        self.asked, self.output, self.count, self.resume, self.asks = asked, output, processes, resume, asks
        self.first, self.progress, self.told = not asks or launch.is_first(), None, {}
        self.grows = asks and resuming.can_grow(output)
        if resume and not self.grows:
            raise click.UsageError("--resume needs --model and -o FILE, and no compressed one.")
        if (processes > 1 or launch.is_one_of_several()) and asks and "-" in asked["files"]:
            raise click.UsageError("Several processes can't share standard input: name a file.")

    def processes(self):
        """The other processes, for as long as the work takes."""
        from s2h.eval import launch

        return launch.processes(
            self.count if self.asks else 1, lambda words: click.echo(f"s2h-eval: {words}", err=True)
        )

    def writer(self):
        """The output for the session: a file that can be gone on with wherever that is possible."""
        return self._open if self.grows or not self.first else self.output

    def _open(self):
        from s2h.eval.resume import Growing, Progress
        from s2h.jsonl import Writer

        if self.grows:
            self.progress = Progress(self.output, self.asked, self.resume)
        return Growing(self.output, self.progress) if self.first else Writer(os.devnull)

    def tell(self, work, loaded) -> None:
        """Say what a reader of the scores must know: where the images stood, and what was there already."""
        from s2h.models.prompts import images_first

        first = images_first(loaded.processor)
        self.told = {"template": "images first" if first else "images in their places"}
        if first:
            work.say(f"{loaded.name} takes all images before the text of a question")
        if self.resume:
            there = self.progress.questions, len(self.progress.known)
            work.say(f"{there[0]} questions are through, and {there[1]} answers to the next are there")

    def done(self, slim) -> list[dict]:
        """What a run that goes on needs for its table of the predictions that are there."""
        return [slim(line) for line in self.progress.done()] if self.progress else []


def _check_usage(files, model, benches, score, compare, plot) -> None:
    if score and compare:
        raise click.UsageError("--score and --compare exclude each other.")
    if (score or compare) and (model or benches):
        raise click.UsageError("--score and --compare read predictions: they take no --model and no --bench.")
    if compare and len(files) != 2:
        raise click.UsageError("--compare takes two files of predictions, before and after.")
    if plot and not compare:
        raise click.UsageError("--plot goes with --compare.")
    if not score and not compare and not model:
        raise click.UsageError("Missing option '--model' (or --score FILE, or --compare A B).")


def _questions(work, files, benches, count, seed, image_dir):
    from s2h.eval.benches import BENCHES, builtin
    from s2h.images import Store

    if files:
        yield from builtin.from_pairs(work.read(files), on_error=work.on_error)
    for bench in benches or (() if files else ("builtin",)):
        yield from BENCHES[bench](n=count, seed=seed, store=Store(image_dir))


def _slim(line: dict) -> dict:
    """What the score needs of a prediction, so that memory does not grow with prompts."""
    kept = (
        "bench",
        "category",
        "level",
        "about",
        "answer",
        "answer_type",
        "choices",
        "candidates",
        "parsed",
        "correct",
        "scoring",
    )
    return {**{key: line[key] for key in kept if key in line}, "images": [0] * len(line.get("images") or ())}


def _compare(work, files, report, plot, seed) -> None:
    import json

    from s2h.eval import compare

    sides = [list(work.read([name], check=None)) for name in files]
    if not all(sides):
        raise common.RecordError(
            "no predictions", where=files[0] if not sides[0] else files[1], remedy="make them with --model"
        )
    rows = compare.compare(*sides, names=files, seed=seed)
    work.say("\n" + compare.table(rows))
    models = [side[0].get("model", name) for side, name in zip(sides, files, strict=True)]
    told = {"before": models[0], "after": models[1], "seed": seed, "rows": rows}
    if plot:
        scoring = sides[0][0].get("scoring")
        compare.draw(rows, plot, (f"before: {models[0]}", f"after: {models[1]}"), scoring)
    if report:
        _write(report, told)
    else:
        click.echo(json.dumps(told))


def _write(report: str | None, value: dict) -> None:
    if report:
        import json

        from s2h.files import Whole

        with Whole(report) as out:
            out.write((json.dumps(value, indent=1) + "\n").encode())
