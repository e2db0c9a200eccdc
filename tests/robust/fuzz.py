"""Coverage-guided fuzzing of what reads bytes that an attacker chooses: records, tar files, tables and replies. It needs the
package `atheris`, which is no dependency of s2h; the suite runs the targets over the corpus without it.

    pip install atheris
    bash examples/robust.sh --fuzz records --minutes 10
"""

from __future__ import annotations

import argparse
import io
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
LARGEST = 1 << 14  # bytes of an input


def records(data: bytes) -> None:
    """Whatever is read as records is written, and read again as the same; a prediction has its types or a fault."""
    from s2h.eval import predictions
    from s2h.streams import jsonl

    faults: list[Exception] = []
    read = list(jsonl.read(io.BytesIO(data), on_error=faults.append))
    written = io.BytesIO()
    with jsonl.Writer(written, None) as out:
        for one in read:
            out.write(one)
    again = list(jsonl.read(io.BytesIO(written.getvalue())))
    assert [list(one.items()) for one in again] == [list(one.items()) for one in read]
    list(
        predictions.checked(
            jsonl.read(io.BytesIO(data), check=None, on_error=faults.append), on_error=faults.append
        )
    )
    _foreseen(faults)


def tars(data: bytes) -> None:
    """Every member that an archive lists can be read, or is refused in words."""
    from s2h.images import decoding, tars

    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        file.write(data)
        file.flush()
        try:
            names = [name for name, _, _ in tars.members(file.name)]
        except (tarfile.TarError, OSError, EOFError, ValueError):
            names = []
        for name in [*names[:20], "a.png"]:
            try:
                decoding.read_bytes(f"tar:{file.name}!{name}")
            except decoding.ImageError:
                continue


def tables(data: bytes) -> None:
    """A table gives rows and faults."""
    from s2h.errors import RecordError
    from s2h.eval.questions import tsv

    with tempfile.NamedTemporaryFile(suffix=".tsv") as file:
        file.write(data)
        file.flush()
        try:
            rows = [row for _, row in tsv.table(file.name)]
        except RecordError:
            return
        assert len({len(row) for row in rows if isinstance(row, dict)}) <= 1
        _foreseen([row for row in rows if not isinstance(row, dict)])


def replies(data: bytes) -> None:
    """A reply is read as something or as nothing, and an option that is read is one of the options."""
    from s2h.eval import answer_types, reading

    line = {
        "bench": "m",
        "answer": None,
        "response": data.decode("utf-8", "replace"),
        "choices": {"A": "a cat", "B": "2"},
    }
    for kind in answer_types.TYPES:
        parsed, _ = reading.read({**line, "answer_type": kind})
        assert kind != "choice" or parsed in (None, "A", "B")


TARGETS: dict[str, Callable[[bytes], None]] = {
    "records": records, "tars": tars, "tables": tables, "replies": replies,
}  # fmt: skip


def _foreseen(faults: list[Exception]) -> None:
    from s2h.errors import RecordError

    assert all(isinstance(fault, RecordError) for fault in faults), faults


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--fuzz", choices=list(TARGETS), default="records", help="what to fuzz (default: records)"
    )
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="another seed tries other inputs (default: 1)")
    parser.add_argument("--keep", type=Path, default=Path("robust-failures"), help="folder for what failed")
    given = parser.parse_args()
    try:
        import atheris
    except ImportError:
        sys.exit("robust.sh: --fuzz needs the package atheris: pip install atheris")
    with atheris.instrument_imports(include=["s2h"]):
        TARGETS[given.fuzz](b"\n")  # imports what it needs
    given.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as found:  # the corpus that is committed does not grow by itself
        atheris.Setup(
            [
                sys.argv[0], f"-max_total_time={round(60 * given.minutes)}", f"-seed={given.seed}", f"-max_len={LARGEST}",
                "-timeout=20", "-rss_limit_mb=3000", f"-artifact_prefix={given.keep}/{given.fuzz}-", "-print_final_stats=1",
                found, str(CORPUS / given.fuzz),
            ],
            TARGETS[given.fuzz],
        )  # fmt: skip
        atheris.Fuzz()


if __name__ == "__main__":
    main()
