"""The two versions of BLINK's labels. About 90% of the answers of its task Relative_Reflectance (134 of the validation
split's 1,901 questions) were wrong until its authors corrected them on 2025-09-03 (issue 13 of zeyofu/BLINK_Benchmark);
VLMEvalKit's BLINK.tsv followed on 2026-05-11 (its pull request 1539).

The version is told by what is known of a file or of its labels (KNOWN) and never guessed. A report always has the
fingerprint of the labels that were used, so that two runs can be told apart."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b, md5
from typing import Any

from s2h.errors import counted
from s2h.eval.benches import names

TASK = "Relative_Reflectance"
CORRECTED = "2025-09-03"
OLD, NEW = f"before {CORRECTED}", f"corrected {CORRECTED}"
# What tells the version: the MD5 of VLMEvalKit's BLINK.tsv, or `labels:` and the fingerprint of the task's ids and answers.
KNOWN = {
    "md5:3b6649b6a662184ea046908e5506260e": OLD,
    "md5:d5e8af148b10ac69f535ff7b23f3f989": NEW,
}


def concerned(line: dict) -> bool:
    """Whether a prediction is of the task whose labels have two versions."""
    task = "".join(filter(str.isalnum, str(line.get("category")))).lower()
    return names.plain(line.get("bench")) == "blink" and task == TASK.replace("_", "").lower()


def of_file(path: str) -> str | None:
    """The version of the labels of a local file, None where it is not known."""
    status = os.stat(path)
    return KNOWN.get(f"md5:{_md5(path, status.st_mtime_ns, status.st_size)}")


@lru_cache(maxsize=4)
def _md5(path: str, changed: int, size: int) -> str:
    """The MD5 of a file, once for each state of it."""
    total = md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            total.update(block)
    return total.hexdigest()


def fingerprint(lines: Iterable[dict]) -> str:
    """A short digest of the ids and answers of lines, whatever their order."""
    told = sorted(
        f"{str(p['id']).rpartition('/')[2]}\t{str(p['answer']).strip('(). ').upper()}" for p in lines
    )
    return blake2b("\n".join(told).encode("utf-8", "replace"), digest_size=4).hexdigest()


def told(predictions: Iterable[dict]) -> dict[str, Any] | None:
    """Which labels the predictions were scored with: task, questions, fingerprint and version (None where it is not known);
    None where no question of the task has an answer."""
    some = [p for p in predictions if concerned(p) and p.get("answer") is not None]
    if not some:
        return None
    found = fingerprint(some)
    noted = {p.get("label_version") for p in some}
    version = KNOWN.get(f"labels:{found}") or (noted.pop() if len(noted) == 1 else None)
    return {"task": TASK, "questions": len(some), "fingerprint": found, "version": version}


def sentence(labels: dict[str, Any]) -> str:
    """What a report says about the labels."""
    count = labels["questions"]
    which = f"blink: labels of {TASK} ({counted(count, 'question')}): fingerprint {labels['fingerprint']}, "
    if labels["version"] == NEW:
        return f"{which}version {NEW}"
    wrong = f"about 90% of them were wrong until {CORRECTED}; compare scores without this task"
    return f"{which}version {labels['version'] or 'not known'}: {wrong}"
