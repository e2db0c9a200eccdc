"""s2h-eval: answers of a model, their scores, and comparisons."""

from __future__ import annotations

import click

from s2h.cli import common

BENCHES = (
    "builtin",
    "blink",
    "mantis",
    "nlvr2",
    "mmstar",
    "pope",
    "muirbench",
    "mirb",
)  # eval.benches.names.NAMES
PARSERS = ("robust", "vlmevalkit", "lmms", "official")  # eval.parsers.NAMES
STYLES = ("llava", "vlmevalkit", "lmms", "official")  # eval.benches.prompts.STYLES
LINES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


@click.command(epilog=common.EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--model", metavar="NAME|RUN", help="Whom to ask: a name, a Hub id, a folder, or a run of s2h-train."
)
@click.option(
    "--bench",
    "benches",
    metavar="NAME[=PATH]",
    multiple=True,
    help=f"Questions to ask: {', '.join(BENCHES)}, from a local copy where PATH names one; or a FILE of questions or "
    "pairs. Without it and without FILE, builtin.",
)
@click.option(
    "--data", metavar="DIR", help="The folder that local copies of benchmarks lie in, by their names."
)
@click.option("--split", metavar="NAME", help="The split to ask, where a benchmark has several (see --list).")
@click.option(
    "--list",
    "listing",
    is_flag=True,
    help="List the benchmarks: what they are, whence, in which layouts; and end.",
)
@click.option(
    "-n",
    "count",
    metavar="N",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Questions of each kind, for builtin.",
)
@click.option(
    "--prompt-style",
    "style",
    type=click.Choice(STYLES),
    default="llava",
    show_default=True,
    help="The words in which a benchmark's questions are put.",
)
@click.option(
    "--images",
    "place",
    type=click.Choice(["interleaved", "first"]),
    default="interleaved",
    show_default=True,
    help="Where a benchmark's images stand: where it puts them, or all before the words.",
)
@click.option("--score", is_flag=True, help="Read and score the predictions of FILEs again, without a model.")
@click.option(
    "--compare", is_flag=True, help="Compare the predictions of FILEs: the first is before, each other after."
)
@click.option(
    "--parser",
    type=click.Choice(PARSERS),
    default="robust",
    show_default=True,
    help="Who reads the choice out of an answer: our rules, those of another evaluator, or the benchmark's own.",
)
@click.option(
    "--scoring",
    type=click.Choice(["generate", "likelihood"]),
    default="generate",
    show_default=True,
    help="Greedy answers, or whether the chosen answer is likelier than the rejected one.",
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
@click.option(
    "--image-dir",
    metavar="DIR",
    type=click.Path(file_okay=False),
    default="s2h-images",
    show_default=True,
    help="Where images go that are drawn or that lie inside a benchmark's files.",
)
@click.option(
    "--report",
    metavar="FILE",
    help="Write the table and all metrics here: JSON, or Markdown if the name ends in .md.",
)
@click.option(
    "--heatmap", metavar="FILE", help="Draw accuracy by number of images and place of the target as PNG here."
)
@click.option("--plot", metavar="FILE", help="With --compare: draw before and after as PNG here.")
@click.option(
    "--gallery", metavar="FILE", help="With --compare: write a page of the questions gained and lost here."
)
@common.shared_options(
    "FILE", "-", "Write predictions here instead of standard output; .gz and .zst are compressed."
)
def main(
    files, model, benches, data, split, listing, count, style, place, score, compare, parser, scoring, batch_size,
    max_new_tokens, image_dir, report, heatmap, plot, gallery, output, seed, quiet, on_error,
):  # fmt: skip
    """Ask a model and score its answers; or score or compare predictions made before.

    \b
    s2h-eval --model mini --bench builtin -o before.jsonl
    s2h-eval --model run --bench blink=BLINK/ --bench pope=POPE.tsv -o after.jsonl --report after.json
    s2h-eval --compare before.jsonl after.jsonl --report compare.json --plot compare.png --gallery changed.html
    s2h-eval --score predictions.jsonl --parser vlmevalkit
    """
    if listing:
        from s2h.eval.benches import listing as told

        click.echo(told())
        return
    if (data or split) and not benches:
        raise click.UsageError("--data and --split go with --bench.")
    _check_usage(files, model, benches, score, compare, plot, gallery, heatmap)
    wanted = [_parsed(bench) for bench in benches]
    with common.session(None if compare else output, quiet=quiet, on_error=on_error) as work:
        _check_places(report, heatmap, plot, gallery)
        if compare:
            _compare(work, files, report, plot, gallery, seed)
            return
        from s2h.eval import answers, ask, scores
        from s2h.eval import report as reports
        from s2h.record import Record

        if score:
            made = answers.rescore(work.read(files, check=None), parser, on_error=work.on_error)
        else:
            from s2h.models import vlm

            wanted = _located(wanted, data, split)
            loaded = vlm.load(model)
            questions = _questions(work, files, wanted, style, place, count, seed, image_dir)
            made = ask.predict(
                questions, loaded, scoring=scoring, batch_size=batch_size, max_new_tokens=max_new_tokens,
                parser=parser, on_error=work.on_error,
            )  # fmt: skip
        predictions = []
        for line in work.progress(made, unit="question"):
            # A question's images are named from the working directory, those of predictions read from their file.
            work.write(line if isinstance(line, Record) else Record(line))
            predictions.append(scores.slim(line))
        if not predictions:
            work.say("no questions")
        run = {"parser": parser} if score else {
            "model": model, "scoring": scoring, "parser": parser, "prompt_style": style, "images": place
        }  # fmt: skip
        told = reports.make(predictions, seed=seed, **run)
        if predictions:
            work.say("\n" + reports.table(told))
        if report:
            _write(report, reports.markdown(told) if report.endswith(".md") else told)
        if heatmap:
            if told["by_position"]:
                reports.heat_map(told["by_position"], heatmap)
            else:
                work.tell("no heat map: no question says which image its answer rests on (target)")


def _check_usage(files, model, benches, score, compare, plot, gallery, heatmap) -> None:
    if score and compare:
        raise click.UsageError("--score and --compare exclude each other.")
    if (score or compare) and (model or benches):
        raise click.UsageError("--score and --compare read predictions: they take no --model and no --bench.")
    if compare and len(files) < 2:
        raise click.UsageError("--compare takes two files of predictions or more, before and after.")
    for name, given in (("--plot", plot), ("--gallery", gallery)):
        if given and not compare:
            raise click.UsageError(f"{name} goes with --compare.")
    if heatmap and compare:
        raise click.UsageError("--heatmap goes with one model's answers, not with --compare.")
    if not score and not compare and not model:
        raise click.UsageError("Missing option '--model' (or --score FILE, or --compare A B).")


def _check_places(*paths) -> None:
    """Says at once, not after hours of answers, that a report can't be written."""
    import os

    for path in filter(None, paths):
        if os.path.isdir(path) or not os.path.isdir(os.path.dirname(path) or "."):
            raise common.RecordError(
                f"cannot be written: {path}", remedy="name a file in a folder that exists"
            )


def _parsed(bench: str) -> tuple[str, str | None]:
    """(name, path) of --bench; the name is "" for a file of questions or pairs."""
    from s2h.eval.benches import names

    name, sign, path = bench.partition("=")
    if not sign and bench.endswith(LINES):
        return "", bench
    plain = names.plain(name)
    if plain in BENCHES:
        if plain == "builtin" and path:
            raise click.UsageError("builtin is drawn, it has no path.")
        return plain, path or None
    if sign and path.endswith(LINES):
        return name, path
    close = names.closest(name)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(BENCHES)}."
    raise click.UsageError(f"unknown benchmark {common.printable(name)!r}: {hint} --list tells more.")


def _questions(work, files, wanted, style, place, count, seed, image_dir):
    from s2h.eval import benches
    from s2h.eval.benches import builtin, questions
    from s2h.images import Store

    store = Store(image_dir)
    how = {"store": store, "style": style, "place": place, "on_error": work.on_error}
    if files:
        yield from questions.read(work.read(files, check=None), **how)
    for name, path, located in wanted or (() if files else (("builtin", None, None),)):
        if located is not None:
            yield from benches.read(name, located, **how)
        elif name == "builtin":
            yield from builtin.questions(n=count, seed=seed, store=store)
        else:
            yield from questions.read(work.read([path], check=None), bench=name, **how)


def _located(wanted, data, split) -> list:
    """(name, path, where it lies) of what is asked for, so that what can't be had is told before a model is loaded."""
    from s2h import jsonl
    from s2h.eval import benches

    made = []
    for name, path in wanted:
        if name == "builtin":
            made.append((name, None, None))
        elif name in BENCHES:
            made.append((name, path, benches.locate(name, path, data, split)))
        else:
            made.append((name, jsonl.find(path), None))
    return made


def _compare(work, files, report, plot, gallery, seed) -> None:
    from s2h.eval import compare

    sides = [list(work.read([name], check=None)) for name in files]
    for name, side in zip(files, sides, strict=True):
        if not side:
            raise common.RecordError("no predictions", where=name, remedy="make them with --model")
    models = [side[0].get("model", name) for side, name in zip(sides, files, strict=True)]
    compared, texts, lines = [], [], []
    for at in range(1, len(files)):
        pair = (files[0], files[at])
        rows = compare.compare(sides[0], sides[at], pair, seed, work.on_error)
        work.say(
            f"\n{files[0]} → {files[at]}\n" * (len(files) > 2)
            + "\n" * (len(files) == 2)
            + compare.table(rows)
        )
        compared.append({"before": models[0], "after": models[at], "rows": rows})
        texts.append(compare.markdown(rows, (models[0], models[at])))
        if gallery:
            lines += compare.changed(sides[0], sides[at], pair)
    if plot:
        scoring = sides[0][0].get("scoring")
        shown = compared[0]["rows"] if len(compared) == 1 else compare.side_by_side(compared)
        compare.draw(shown, plot, (f"before: {models[0]}", f"after: {', '.join(models[1:])}"), scoring)
    if gallery:
        from s2h.files import Whole
        from s2h.view import gallery as pages

        with Whole(gallery) as out:
            for piece in pages.page(lines, title="gained and lost", on_error=work.on_error):
                out.write(piece)
    told = (
        {**compared[0], "seed": seed, "compared": compared}
        if len(compared) > 1
        else {**compared[0], "seed": seed}
    )
    if report:
        _write(report, "\n".join(texts) if report.endswith(".md") else told)
    else:
        import json

        click.echo(json.dumps(told))


def _write(path: str, told: dict | str) -> None:
    """A report whole or not at all: JSON, or a text as it is."""
    import json

    from s2h.files import Whole

    with Whole(path) as out:
        out.write((told if isinstance(told, str) else json.dumps(told, indent=1) + "\n").encode())
