"""Types of answers: those that s2h-eval reads itself, and those of a single task, which reads them
(`s2h.tasks.Task.answers`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s2h import registry
from s2h.eval.benches import Line
from s2h.record import RecordError

if TYPE_CHECKING:
    from s2h.tasks import Answer

TYPES = ("number", "yes/no", "image", "order", "word", "caption", "choice")  # the types that s2h-eval reads


def of_task(line: Line, kind: str) -> Answer | None:
    """Return the task's definition of a type of answer; None if the question belongs to no task, or if the task does not
    define the type. For a line that has a level, the category is the name of its task."""
    task = line.get("category")
    if "level" not in line or task not in registry.names("task"):
        return None
    return registry.load("task", str(task)).answers.get(kind)


def check(kind: object, field: str = "answer_type", where: str = "") -> None:
    """Raise RecordError for a type that neither s2h-eval nor a task reads."""
    if kind in TYPES:
        return
    tasks = registry.values("task").values()
    own = sorted({name for task in tasks for name, answer in task.answers.items() if answer.read is not None})
    if kind not in own:
        raise RecordError(f"unknown: {kind!r:.60}", field, where, f"one of {', '.join((*TYPES, *own))}")
