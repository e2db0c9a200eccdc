"""s2h-mix: files of pairs into one order for training."""

from __future__ import annotations

import math

import click

from s2h.cli import common


class Weights(click.ParamType):
    """'1,2,0.5': one weight for each file."""

    name = "W,W,…"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        try:
            weights = tuple(float(part) for part in value.split(","))
        except ValueError:
            weights = ()
        if not weights or not all(0 <= w < math.inf for w in weights) or not max(weights) > 0:
            self.fail(f"{value!r} are no weights (for example 1,2,0.5: one for each FILE)", param, ctx)
        return weights


@click.command(epilog=common.EPILOG)
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--flat", is_flag=True, help="All levels shuffled together (what the paper found best).")
@click.option(
    "--curriculum", is_flag=True, help="Level 1, then 2, then 3, each shuffled; records get their stage."
)
@click.option(
    "--weights",
    type=Weights(),
    help="Shares of the files: the largest weight keeps all of its file, one half as large a random half.",
)
@click.option(
    "--per-level", metavar="N", type=click.IntRange(min=1), help="At most N random pairs of each level."
)
@click.option(
    "--val",
    "fraction",
    metavar="FRACTION",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Hold out this share; what shares an image, a family or a twin stays on one side.",
)
@click.option(
    "--val-output",
    metavar="FILE",
    help="Where the held-out share goes; beside -o MIX.jsonl it is MIX.val.jsonl.",
)
@common.stream_options
def main(files, flat, curriculum, weights, per_level, fraction, val_output, output, seed, quiet, on_error):
    """Mix FILEs of pairs (or standard input) into one order for training; a bare name finds l1.jsonl, l1.jsonl.gz, ….

    The order follows from --seed and the records' ids, not from the order of the files.

    \b
    s2h-mix --flat l1 l2 l3 | s2h-train --model llava-1.5-7b
    s2h-mix --curriculum l1 l2 l3 --per-level 20000 --val 0.02 -o mix.jsonl
    """
    if flat == curriculum:
        raise click.UsageError("Choose one of --flat and --curriculum.")
    if weights and len(weights) != max(1, len(files)):
        raise click.UsageError(f"--weights has {len(weights)} weights for {max(1, len(files))} files.")
    if val_output and fraction is None:
        raise click.UsageError("--val-output is for --val FRACTION.")
    if fraction is not None and not val_output:
        if output == "-":
            raise click.UsageError("--val with standard output needs --val-output FILE.")
        val_output = beside(output)
    with common.session(output, quiet=quiet, on_error=on_error) as work:
        from collections import Counter

        from s2h import jsonl, mix

        with mix.Spool(seed) as spool:
            for source, name in enumerate(files or ["-"]):
                spool.add(
                    work.progress(work.read([name])),
                    source,
                    split=fraction is not None,
                    on_error=work.on_error,
                )
            rows = mix.choose(spool, weights=list(weights) if weights else None, per_level=per_level)
            _say_short(work, spool, rows, per_level)
            held: list[int] = []
            if fraction is not None:
                rows, held = mix.split(spool, rows, fraction)
                with jsonl.Writer(val_output) as writer:
                    for record in mix.arrange(spool, held, curriculum=curriculum):
                        writer.write(record)
            counts: Counter = Counter()
            for record in mix.tally(mix.arrange(spool, rows, curriculum=curriculum), counts):
                work.write(record)
        listed = ", ".join(f"{n} {task} (level {level})" for (level, task), n in sorted(counts.items()))
        work.say(f"{sum(counts.values())} pairs: {listed}" if counts else "no pairs came in")
        if fraction is not None:
            work.say(f"{len(held)} held out in {val_output}")


def beside(output: str) -> str:
    """mix.jsonl.gz -> mix.val.jsonl.gz"""
    for ending in (".jsonl.gz", ".jsonl.zst", ".jsonl", ".gz", ".zst"):
        if output.endswith(ending):
            return output[: -len(ending)] + ".val" + ending
    return output + ".val"


def _say_short(work, spool, rows, per_level) -> None:
    if per_level is None:
        return
    from collections import Counter

    counts = Counter(spool.levels[row] for row in rows)
    for level, n in sorted(counts.items()):
        if n < per_level:
            work.say(f"level {level} has {n} pairs, fewer than {per_level}")
