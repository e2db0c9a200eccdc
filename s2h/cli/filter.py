"""s2h-filter: judge pairs, keep the good ones, say why the others went."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterable

import click

from s2h.cli import common
from s2h.cli.params import Band, Cosine

SHOWN_TASKS = 20  # in the table; the rest are one row


@click.command(epilog=common.EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option(
    "--clip",
    type=Cosine("T", 1),
    help="Keep pairs whose chosen answer has a CLIP score of at least T: the mean cosine of what it claims and the images "
    "that it claims it of (the field grounding; without it, its text and the target images).",
)
@click.option(
    "--clip-margin",
    type=Cosine("M", 2),
    help="Keep pairs whose chosen answer's CLIP score is at least M above the rejected one's.",
)
@click.option(
    "--mpnet",
    type=Band(-1, 1),
    help="Keep pairs whose two answers' texts have a cosine within the band, ends included; LO or HI may be left out.",
)
@click.option(
    "--length-ratio",
    type=Band(0),
    help="Keep pairs with chosen over rejected length, in characters, within the band.",
)
@click.option(
    "--edit-distance",
    type=Band(0, 1),
    help="Keep pairs whose answers' Levenshtein distance, over the longer one's length, is within the band.",
)
@click.option(
    "--against",
    metavar="PATH",
    multiple=True,
    help="Drop pairs that show an image of a benchmark, by its bytes or a perceptual hash: a folder of its images, a "
    "parquet file, or a list of hashes or file names. May be repeated.",
)
@click.option(
    "--against-clip",
    metavar="T",
    type=Cosine("T", 1),
    help="With --against also drop pairs with an image whose CLIP cosine to one of the benchmark's is at least T (0.95, "
    "say).",
)
@click.option(
    "--audit",
    metavar="FILE",
    help="Of the pairs that are kept: write to FILE, as JSON, how far words alone tell chosen from rejected, and how even "
    "places, lengths and answers are; and beside it a page of plots (.png).",
)
@click.option(
    "--audit-fail",
    metavar="AUC",
    type=click.FloatRange(0.5, 1),
    help="End with status 1 where in some task words alone tell chosen from rejected with an AUC above this (0.6, say).",
)
@click.option(
    "--annotate",
    is_flag=True,
    help="Drop nothing: write the scores that the options above ask for, or with none of them CLIP's and the text model's.",
)
@click.option(
    "--rejects",
    metavar="FILE",
    help="Write dropped pairs here: the whole record, with the reasons in the field dropped.",
)
@click.option(
    "--clip-model",
    metavar="NAME",
    help="Score all pairs by this: NAME or NAME:PRETRAINED of open_clip, hf-hub:ID, or a folder. Otherwise built-in pairs "
    "go to mini-clip and all others to ViT-B-32:openai.",
)
@click.option(
    "--text-model",
    metavar="NAME",
    help="Compare all answers by this: a Hub id or a folder of sentence-transformers. Otherwise built-in pairs go to "
    "mini-text and all others to sentence-transformers/all-mpnet-base-v2.",
)
@click.option(
    "--batch-size",
    metavar="N",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="Pairs that a model judges, and that are written, at a time.",
)
@common.stream_options
def main(
    files, clip, clip_margin, mpnet, length_ratio, edit_distance, against, against_clip, audit, audit_fail, annotate,
    rejects, clip_model, text_model, batch_size, output, seed, quiet, on_error,
):  # fmt: skip
    """Judge the pairs of FILEs (or standard input) and pass the good ones on, in order.

    Every score is written into the record (scores.clip, scores.mpnet, scores.length_ratio, scores.edit_distance) before
    anything is decided, so another threshold needs no model: jq -c 'select(.scores.clip.chosen > 0.3)'. A score that a
    record brings from the same model is used again; one of another model is an error, as no stage rewrites what an earlier
    one said (jq -c 'del(.scores.clip)' forgets it). With no judgement asked for, pairs are checked and passed on.

    \b
    s2h-gen kinship | s2h-filter --clip 0.25 > l2.jsonl
    s2h-gen search --source photos/ | s2h-filter --against blink/ --audit audit.json --audit-fail 0.6 > l3.jsonl
    s2h-filter l3 --clip 0.25 --clip-margin 0.05 --mpnet 0.3:0.95 --rejects l3.rejects.jsonl -o l3.good.jsonl
    """
    asked = [clip, clip_margin, mpnet, length_ratio, edit_distance]
    everything = annotate and all(threshold is None for threshold in asked)
    by_clip = everything or clip is not None or clip_margin is not None
    by_text = everything or mpnet is not None
    if clip_model and not by_clip and against_clip is None:
        raise click.UsageError("--clip-model is for --clip, --clip-margin, --against-clip or --annotate.")
    if text_model and not by_text:
        raise click.UsageError("--text-model is for --mpnet or --annotate.")
    if audit and (audit.endswith(".png") or not os.path.isdir(os.path.dirname(audit) or ".")):
        raise click.UsageError(
            "--audit needs a FILE for JSON, in a folder that exists; the plots go beside it."
        )
    if against_clip is not None and not against:
        raise click.UsageError("--against-clip is for --against.")
    if rejects and annotate:
        raise click.UsageError("--annotate drops nothing, so nothing would go to --rejects.")
    if rejects and common.same(rejects, output):
        raise click.UsageError("--rejects and --output name the same file.")
    with common.session(output, quiet=quiet, on_error=on_error) as work, contextlib.ExitStack() as stack:
        from s2h import jsonl
        from s2h.filters import judge

        records = work.read(files)
        judgements = []
        if length_ratio is not None or edit_distance is not None:
            from s2h.filters import form

            judgements += [form.judge_length(length_ratio)] if length_ratio is not None else []
            judgements += [form.judge_distance(edit_distance)] if edit_distance is not None else []
        if by_clip:
            judgements.append(_clip(work, clip, clip_margin, clip_model))
        if by_text:
            judgements.append(_text(work, mpnet, text_model))
        if against:
            judgements.append(_against(work, against, against_clip, clip_model))
        watching = None
        if audit or audit_fail is not None:
            from s2h.filters.audit import Audit

            watching = Audit(seed)
        out = stack.enter_context(jsonl.Writer(rejects)) if rejects else None
        tally = _Tally(annotate)
        for record, reasons in judge(
            work.progress(records), judgements, batch_size=batch_size, on_error=work.on_error
        ):
            tally.add(record["task"], reasons)
            if not reasons or annotate:
                if watching is not None:
                    watching.add(record)
                work.write(record)
            elif out is not None:
                earlier = record.get("dropped", [])
                record["dropped"] = (earlier if isinstance(earlier, list) else [earlier]) + reasons
                out.write(record)
        tally.tell(work, judged=bool(judgements))
        failed = _audited(work, watching, audit, audit_fail) if watching is not None else []
    if failed:
        for failure in failed:
            work.tell(f"{failure}, above {audit_fail:g}")
        sys.exit(common.FAILED)


def _audited(work: common.Session, watching, path: str | None, most: float | None) -> list[str]:
    """Report on the pairs that were kept; the tasks that fail."""
    from s2h.filters import audit

    report = watching.report()
    for line in audit.summary(report):
        work.say(f"audit: {line}")
    if path:
        import json

        from s2h.files import Whole
        from s2h.view.audit import draw

        with Whole(path) as out:
            out.write((json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
        plots = os.path.splitext(path)[0] + ".png"
        draw(report, plots, most)
        work.say(f"audit: {path} and {plots}")
    return audit.failures(report, most) if most is not None else []


def _against(work: common.Session, paths: tuple[str, ...], alike: float | None, name: str | None):
    from s2h.filters import against

    embed = None
    if alike is not None:
        from s2h.models import clip

        model = clip.load(clip.identify(name) if name else "ViT-B-32:openai")
        work.say(f"images of benchmarks are also compared by {model.name}")

        def embed(image):
            return model.images([model.prepare(image)])[0]

    known = against.known_images(paths, embed)
    unread = f"; {known.unread} could not be opened" if known.unread else ""
    work.say(
        f"against {len(known.exact):,} images, {len(known.near):,} hashes and {len(known.names):,} names{unread}"
    )
    return against.judgement(known, embed=embed, alike=alike or 1.0)


def _clip(work: common.Session, least: float | None, margin: float | None, name: str | None):
    from s2h.filters import clip as judging
    from s2h.models import clip as models

    def load(name: str):
        work.say(f"CLIP scores by {name}")
        return models.load(name)

    return judging.judgement(load, least=least, margin=margin, model=models.identify(name) if name else None)


def _text(work: common.Session, band: tuple[float, float] | None, name: str | None):
    from s2h.filters import similarity as judging
    from s2h.models import text as models

    def load(name: str):
        work.say(f"text similarity by {name}")
        return models.load(name)

    return judging.judgement(load, band=band, model=models.identify(name) if name else None)


class _Tally:
    """What was kept and dropped, by task and first reason."""

    def __init__(self, annotate: bool) -> None:
        self.annotate = annotate
        self.counts: Counter[tuple[str, str]] = Counter()
        self.tasks: Counter[str] = Counter()

    def add(self, task: str, reasons: list[str]) -> None:
        task = common.printable(task)
        self.counts[task, reasons[0] if reasons else ""] += 1
        self.tasks[task] += 1

    def _sum(self, reason: str, tasks: Iterable[str]) -> int:
        return sum(self.counts[task, reason] for task in tasks)

    def tell(self, work: common.Session, judged: bool) -> None:
        """One line, and where pairs were dropped a table under it."""
        total = sum(self.counts.values())
        kept = sum(n for (_, reason), n in self.counts.items() if not reason)
        pairs = "1 pair" if total == 1 else f"{total:,} pairs"
        if not total:
            work.say("no pairs came out" if work.skipped else "no pairs came in")
        elif not judged:
            work.say(f"{pairs} checked and passed on (no judgement was asked for: see --help)")
        elif self.annotate:
            would = f"; the thresholds would keep {kept:,}" if kept < total else ""
            work.say(f"{pairs} annotated, none dropped{would}")
        else:
            work.say(f"kept {kept:,} of {pairs} ({kept / total:.0%})")
        reasons = sorted({reason for _, reason in self.counts if reason})
        if not reasons:
            return
        tasks = [task for task, _ in self.tasks.most_common(SHOWN_TASKS)]
        heads = ["task", "would stay" if self.annotate else "kept", *reasons]
        rows = [[task, *(f"{self.counts[task, r]:,}" for r in ("", *reasons))] for task in sorted(tasks)]
        if len(self.tasks) > SHOWN_TASKS:
            others = set(self.tasks).difference(tasks)
            rows.append(
                [f"{len(others)} other tasks", *(f"{self._sum(r, others):,}" for r in ("", *reasons))]
            )
        if len(tasks) > 1:
            sums = [self._sum(reason, self.tasks) for reason in ("", *reasons)]
            rows.append(["all", *(f"{n:,}" for n in sums)])
        widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
        for row in [heads, *rows]:
            cells = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            work.say("  " + "   ".join([row[0].ljust(widths[0]), *cells]).rstrip())
