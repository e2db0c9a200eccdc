"""Put pairs from standard input in the order of their levels, with the field `stage` (1, 2, ...) by which s2h-train trains
stage after stage. Pairs of one level keep their order. For levels in their own order, `s2h-mix --curriculum` does this.

    s2h-mix --flat l1 l2 l3 | python examples/study/order.py 3 2 1 -o reversed.jsonl
"""

from __future__ import annotations

import click

from s2h.cli import common, headings
from s2h.errors import RecordError


@headings.command()
@click.argument("levels", nargs=-1, type=int, required=True)
@common.stream_options
def main(levels, output, seed, quiet, on_error):
    """Put pairs from standard input in the order of LEVELS, and number the stages."""
    with common.session(output, quiet=quiet, on_error=on_error) as work:
        staged: dict[int, list] = {level: [] for level in levels}
        for pair in work.read():
            if pair.get("level") in staged:
                staged[pair["level"]].append(pair)
            else:
                work.on_error(
                    RecordError(
                        f"not in the order: {pair['id']} has level {pair.get('level')}",
                        field="level",
                        remedy="name all levels",
                    )
                )
        for stage, level in enumerate(levels, 1):
            for pair in staged[level]:
                pair["stage"] = stage
                work.write(pair)


if __name__ == "__main__":
    main()
