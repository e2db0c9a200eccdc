"""s2h-eval: answers of a model, their scores, and comparisons."""

from __future__ import annotations

import click

from s2h.cli import common

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
    help="Where the images of built-in questions are drawn to.",
)
@click.option("--report", metavar="FILE", help="Write the table as JSON here.")
@click.option("--plot", metavar="FILE", help="With --compare: draw before and after as PNG here.")
@common.shared_options(
    "FILE", "-", "Write predictions here instead of standard output; .gz and .zst are compressed."
)
def main(
    files, model, benches, listing, count, score, compare, scoring, batch_size, max_new_tokens, image_dir, report, plot,
    output, seed, quiet, on_error,
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
    with common.session(None if compare else output, quiet=quiet, on_error=on_error) as work:
        if compare:
            _compare(work, files, report, plot, seed)
            return
        from s2h.eval import ask, scores

        if score:
            made = ask.rescore(work.read(files, check=None), on_error=work.on_error)
        else:
            from s2h.models import vlm

            loaded = vlm.load(model)
            questions = _questions(work, files, benches, count, seed, image_dir)
            made = ask.predict(
                questions, loaded, scoring=scoring, batch_size=batch_size, max_new_tokens=max_new_tokens,
                on_error=work.on_error,
            )  # fmt: skip
        predictions = []
        for line in work.progress(made, unit="question"):
            work.write(line)
            predictions.append(_slim(line))
        rows = scores.summarise(predictions)
        work.say("no questions" if not rows else "\n" + scores.table(rows))
        _write(report, {"model": model, "scoring": scoring, "seed": seed, "rows": rows})


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
