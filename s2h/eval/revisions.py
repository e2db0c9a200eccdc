"""Find the version of a benchmark's answers, if its authors corrected them after the release (`Bench.revision`). Two runs
may have been scored with different versions.

The version follows from the file's MD5 or from the answers themselves, and is never guessed. A report always has a
fingerprint of the answers, by which two runs can be compared.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b, md5
from typing import Any

from s2h.errors import counted
from s2h.eval import benches
from s2h.eval.benches import Line, Revision


def concerns(revision: Revision, category: object) -> bool:
    """Return whether a category is the corrected one, however it is spelled."""
    return benches.letters_of(str(category)) == benches.letters_of(revision.category)


def of(line: Line) -> Revision | None:
    """Return the revision that affects a question's answer; None if there is none."""
    bench = benches.named(line.get("bench"))
    revision = bench.revision if bench else None
    return revision if revision and concerns(revision, line.get("category")) else None


def of_file(revision: Revision, path: str) -> str | None:
    """Return the version of the answers in a local file; None if it is unknown."""
    status = os.stat(path)
    known = revision.known.get(f"md5:{_md5(path, status.st_mtime_ns, status.st_size)}")
    return None if known is None else revision.version(known)


@lru_cache(maxsize=4)
def _md5(path: str, changed: int, size: int) -> str:
    """Return the MD5 of a file. It is computed again only if the file's time or size has changed."""
    digest = md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(lines: Iterable[Line]) -> str:
    """Return a digest (8 hexadecimal digits) of the ids and answers of lines. It does not depend on their order."""
    labels = sorted(
        f"{str(p['id']).rpartition('/')[2]}\t{str(p['answer']).strip('(). ').upper()}" for p in lines
    )
    return blake2b("\n".join(labels).encode("utf-8", "replace"), digest_size=4).hexdigest()


def used(bench: str, predictions: Iterable[Line]) -> dict[str, Any] | None:
    """Return the version of the answers by which a benchmark's predictions in the corrected category were scored: task,
    questions, fingerprint and version (None if it is unknown). None if no question of the category has an answer."""
    known = benches.exact(bench)
    if known is None or known.revision is None:
        return None
    revision = known.revision
    some = [p for p in predictions if concerns(revision, p.get("category")) and p.get("answer") is not None]
    if not some:
        return None
    labels = fingerprint(some)
    corrected = revision.known.get(f"labels:{labels}")
    noted = {p.get("label_version") for p in some}
    version = noted.pop() if len(noted) == 1 else None
    if corrected is not None:
        version = revision.version(corrected)
    return {"task": revision.category, "questions": len(some), "fingerprint": labels, "version": version}


def sentence(bench: str, labels: dict[str, Any]) -> str:
    """Return a sentence for a report about the version that `used` returned."""
    known = benches.exact(bench)
    assert known is not None and known.revision is not None
    revision, version = known.revision, labels["version"]
    count = counted(labels["questions"], "question")
    text = f"{bench}: labels of {revision.category} ({count}): fingerprint {labels['fingerprint']}"
    if version == revision.version(True):
        return f"{text}, version {version}"
    warning = f"{revision.wrong} until {revision.date}; compare scores without this task"
    return f"{text}, version {version or 'not known'}: {warning}"
