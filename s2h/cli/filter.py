"""s2h-filter: judge pairs, keep the good ones, say why the others went."""

from __future__ import annotations

import math

import click

from s2h.cli import common


class Cosine(click.ParamType):
    """A threshold on a cosine or on a difference of two."""

    name = "T"

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def convert(self, value, param, ctx):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not self.low <= number <= self.high:
            self.fail(
                f"{value!r} is no number from {self.low:g} to {self.high:g} (for example 0.25)", param, ctx
            )
        return number


class Band(click.ParamType):
    """'0.3:0.9': the least and the most; either may be left out."""

    name = "LO:HI"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        low, colon, high = value.partition(":")
        try:
            band = (float(low or "-inf"), float(high or "inf")) if colon else None
        except ValueError:
            band = None
        if band is None or not band[0] <= band[1]:
            self.fail(f"{value!r} is no band LO:HI with LO at most HI (for example 0.3:0.9)", param, ctx)
        return band


@click.command(epilog=common.EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--clip", type=Cosine(-1, 1), help="Keep pairs whose chosen answer's CLIP score is at least T.")
@click.option(
    "--clip-margin",
    type=Cosine(-2, 2),
    help="Keep pairs whose chosen answer scores at least T above the rejected.",
)
@click.option(
    "--mpnet", type=Band(), help="Keep pairs whose two answers' texts have a cosine within the band."
)
@click.option(
    "--length-ratio",
    type=Band(),
    help="Keep pairs whose answers' lengths in words, chosen over rejected, lie within the band.",
)
@click.option(
    "--annotate",
    is_flag=True,
    help="Write the scores and drop nothing. Without a threshold: CLIP's and the text model's.",
)
@click.option(
    "--rejects", metavar="FILE", help="Write dropped pairs here, with the reasons in the field dropped."
)
@click.option(
    "--clip-model",
    metavar="NAME",
    help="Instead of mini-clip for built-in images and ViT-B-32:openai for others: NAME:PRETRAINED, hf-hub:ID, a folder.",
)
@click.option(
    "--text-model",
    metavar="NAME",
    help="Instead of mini-text and sentence-transformers/all-mpnet-base-v2: a name, a Hub id or a folder.",
)
@click.option(
    "--batch-size",
    metavar="N",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Pairs judged and written at a time.",
)
@common.stream_options
def main(
    files,
    clip,
    clip_margin,
    mpnet,
    length_ratio,
    annotate,
    rejects,
    clip_model,
    text_model,
    batch_size,
    output,
    seed,
    quiet,
    on_error,
):
    """Judge pairs of FILEs (or standard input) and keep the good ones, in order.

    Scores are written into each record (scores.clip, scores.mpnet) before anything is decided; those of the same model
    that are there already are used again. With no threshold pairs are checked and passed on.

    \b
    s2h-gen kinship | s2h-filter --clip 0.25 > l2.jsonl
    s2h-filter l3.jsonl --clip 0.25 --clip-margin 0.05 --mpnet 0.3:0.95 --rejects l3.rejects.jsonl -o l3.good.jsonl
    """
    with common.session(output, quiet=quiet, on_error=on_error) as work:
        from s2h.filters import judge

        judgements = _judgements(
            work, clip, clip_margin, mpnet, length_ratio, annotate, clip_model, text_model
        )
        dropped = _Writer(rejects)
        tally: dict[tuple[str, str], int] = {}
        try:
            # Only a model gains from batches; without one a pair need not wait for others.
            size = batch_size if any(j.name in ("clip", "mpnet") for j in judgements) else 1
            for record, reasons in judge(
                work.progress(work.read(files)), judgements, batch_size=size, on_error=work.on_error
            ):
                verdict = reasons[0] if reasons and not annotate else "kept"
                key = (record["task"], verdict)
                tally[key] = tally.get(key, 0) + 1
                if verdict == "kept":
                    work.write(record)
                else:
                    dropped.write(record, reasons)
        except BaseException:
            dropped.discard()
            raise
        dropped.close()
        _summary(work, tally, judgements)


def _judgements(work, clip, clip_margin, mpnet, length_ratio, annotate, clip_model, text_model) -> list:
    from s2h.filters import clip as clip_filter
    from s2h.filters import form, similarity

    def said(kind: str, load):
        def loading(name: str):
            work.say(f"{kind} by {name}")
            return load(name)

        return loading

    def load_clip(name: str):
        from s2h.models.clip import load

        return load(name)

    def load_text(name: str):
        from s2h.models.text import load

        return load(name)

    everything = annotate and all(threshold is None for threshold in (clip, clip_margin, mpnet, length_ratio))
    judgements = [form.judgement(length_ratio)] if length_ratio is not None else []
    if everything or clip is not None or clip_margin is not None:
        judgements.append(
            clip_filter.judgement(
                said("CLIP scores", load_clip), least=clip, margin=clip_margin, model=clip_model
            )
        )
    elif clip_model:
        raise click.UsageError("--clip-model is for --clip, --clip-margin or --annotate.")
    if everything or mpnet is not None:
        judgements.append(
            similarity.judgement(said("text similarity", load_text), band=mpnet, model=text_model)
        )
    elif text_model:
        raise click.UsageError("--text-model is for --mpnet or --annotate.")
    return judgements


class _Writer:
    """The rejects, where they are wanted."""

    def __init__(self, path: str | None) -> None:
        from s2h import jsonl

        self.writer = jsonl.Writer(path) if path else None

    def write(self, record, reasons: list[str]) -> None:
        if self.writer is not None:
            marked = record.copy()
            marked["dropped"] = reasons
            self.writer.write(marked)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()

    def discard(self) -> None:
        if self.writer is not None:
            self.writer.discard()


def _summary(work, tally: dict[tuple[str, str], int], judgements: list) -> None:
    total = sum(tally.values())
    if not total:
        work.say("no pairs came in")
        return
    kept = sum(n for (_, verdict), n in tally.items() if verdict == "kept")
    work.say(
        f"kept {kept} of {total} pairs" + ("" if judgements else " (checked only: no threshold was given)")
    )
    verdicts = sorted({verdict for _, verdict in tally if verdict != "kept"})
    if not verdicts:
        return
    wide = max(len(task) for task, _ in tally)
    work.say("  " + "".ljust(wide) + "".join(f"{v:>{max(10, len(v) + 3)}}" for v in ("kept", *verdicts)))
    for task in sorted({task for task, _ in tally}):
        cells = "".join(f"{tally.get((task, v), 0):>{max(10, len(v) + 3)}}" for v in ("kept", *verdicts))
        work.say("  " + task.ljust(wide) + cells)
