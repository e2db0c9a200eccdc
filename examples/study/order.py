"""Put pairs from standard input in the order of their levels, with the field `stage` (1, 2, ...) by which s2h-train trains
stage after stage. Pairs of one level keep their order.

    s2h-mix --flat l1 l2 l3 | python examples/study/order.py 3 2 1 -o reversed.jsonl
"""

from __future__ import annotations

import json
import os
import sys

import click


@click.command(help=__doc__)
@click.argument("levels", nargs=-1, type=int, required=True)
@click.option("-o", "--output", required=True, help="File to write.")
def main(levels: tuple[int, ...], output: str) -> None:
    staged: list[list[str]] = [[] for _ in levels]
    for line in sys.stdin:
        pair = json.loads(line)
        if pair["level"] not in levels:
            raise click.UsageError(f"pair {pair['id']} has level {pair['level']}, which is not in the order")
        stage = levels.index(pair["level"])
        staged[stage].append(json.dumps({**pair, "stage": stage + 1}, ensure_ascii=False) + "\n")
    with open(output + ".new", "w", encoding="utf-8") as file:
        file.writelines(line for lines in staged for line in lines)
    os.replace(output + ".new", output)


if __name__ == "__main__":
    main()
