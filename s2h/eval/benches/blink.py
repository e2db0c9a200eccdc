"""BLINK: fourteen tasks that people solve at a glance (Fu et al., ECCV 2024). The answers of its test split are not public.

About 90% of the answers of the task Relative_Reflectance (134 of the validation split's 1,901 questions) were wrong until
the authors corrected them on 2025-09-03 (issue 13 of zeyofu/BLINK_Benchmark). VLMEvalKit corrected its BLINK.tsv on
2026-05-11 (its pull request 1539).
"""

from __future__ import annotations

from s2h.eval import revisions
from s2h.eval.benches import Bench, CheckedQuestion, Like, Line, Metric, Published, Question, Revision
from s2h.eval.bootstrap import accuracy, by_category
from s2h.eval.published import MODEL, S2H_DPO
from s2h.eval.questions.styles import listed
from s2h.eval.questions.tables import first
from s2h.parsers import Rules, lmms
from s2h.record import Record

TASKS = (
    "Art_Style", "Counting", "Forensic_Detection", "Functional_Correspondence", "IQ_Test", "Jigsaw", "Multi-view_Reasoning",
    "Object_Localization", "Relative_Depth", "Relative_Reflectance", "Semantic_Correspondence", "Spatial_Relation",
    "Visual_Correspondence", "Visual_Similarity",
)  # fmt: skip
REVISION = Revision(
    category="Relative_Reflectance",
    date="2025-09-03",
    wrong="about 90% of them were wrong",
    known={
        "md5:3b6649b6a662184ea046908e5506260e": False,  # of VLMEvalKit's BLINK.tsv
        "md5:d5e8af148b10ac69f535ff7b23f3f989": True,
    },
)


def question(row: Record, file: str) -> Question:
    images = [row[name] for name in sorted(row) if name.startswith("image_") and row[name] is not None]
    return Question(
        id=first(row, "idx", "id", "index"),
        category=first(row, "sub_task", "task") or "",
        text=row.get("question"),
        options=first(row, "choices", "options"),
        answer=row.get("answer"),
        images=images or row.get("images"),
        prompt=row.get("prompt"),
    )


def own_prompt(asked: CheckedQuestion) -> str:
    """Return the prompt column; without it (in a TSV) the same words."""
    return asked.prompt or f"{asked.text}\nSelect from the following choices.{listed(asked, '({}) {}')}"


def lmms_prompt(asked: CheckedQuestion) -> str:
    letters = ", ".join(asked.choices)
    note = f"Note: You only need to respond with {letters} without providing any additional information."
    return f"{note}\n{own_prompt(asked)}"


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return a bare letter, or the only '(A)' of the last paragraph, else of the whole reply."""
    whole = text.strip()
    if whole in choices:
        return whole
    marks = {f"({letter})": letter for letter in choices}
    everywhere, last = ({m for m in part.split() if m in marks} for part in (whole, whole.split("\n\n")[-1]))
    for some in (last, everywhere):
        if len(some) == 1:
            return marks[some.pop()]
    return None


def metrics(known: list[Line], seed: int) -> list[Metric]:
    """Return the mean over tasks, as the benchmark's own script and lmms-eval compute it (VLMEvalKit has the accuracy over
    questions), and both numbers without the task whose answers were corrected."""
    found = [by_category("mean of sub-tasks", known, seed)]
    rest = [p for p in known if not revisions.concerns(REVISION, p.get("category"))]
    if rest and len(rest) < len(known):
        task = REVISION.category
        found += [
            Metric(f"without {task}", *accuracy(rest, seed), len(rest)),
            by_category(f"mean of sub-tasks without {task}", rest, seed),
        ]
    return found


BENCH = Bench(
    title="BLINK",
    about="14 tasks of visual perception, 1 to 4 images",
    hub="BLINK-Benchmark/BLINK",
    configs=TASKS,
    splits={"val": ("val", "validation"), "test": ("test",)},
    rows={"val": 1901, "test": 1906},
    layouts="parquet (a folder a task), VLMEvalKit's BLINK.tsv",
    license="Apache-2.0",
    required=("question", ("choices", "options"), "answer", "image_1"),
    aliases=("blinkbenchmark", "blinkval"),
    question=question,
    prompts={"lmms": lmms_prompt, "official": own_prompt},
    rules={"lmms": Rules(choice=lmms.short_line), "official": Rules(choice=official_choice)},
    metrics=metrics,
    revision=REVISION,
    published=(
        Published("base", 37.1, MODEL, S2H_DPO),
        Published("MIA-DPO (level 1 only)", 42.9, MODEL, S2H_DPO),
        Published("S2H-DPO", 43.4, MODEL, S2H_DPO),
    ),
    like={
        "vlmevalkit": Like(differs=("its score is the accuracy over questions, not the mean of sub-tasks",)),
        "lmms": Like(1024),
        "paper": Like(differs=("its score is the mean of sub-tasks",)),
    },
    guess="one over the number of options (2 to 4)",
)
