"""NLVR2: whether a sentence is true of two photographs (Suhr et al., ACL 2019). A sentence is asked about up to four pairs.
Consistency is the share of sentences that are answered right every time. `official` is Mantis's script."""

from __future__ import annotations

import re

from s2h.eval.benches import Bench, Like, Line, Metric, Published, Question, by_group
from s2h.eval.benches.mantis import first_letter, official_prompt
from s2h.eval.bootstrap import all_right
from s2h.eval.published import MODEL, S2H_DPO
from s2h.eval.questions.tables import beside, first
from s2h.parsers import Rules
from s2h.record import Record, RecordError
from s2h.seeds import seed_of

_IDENTIFIER = re.compile(r"([A-Za-z]+\d*)-(\d+)-(\d+)-(\d+)$")  # split, set, pair, sentence


def question(row: Record, file: str) -> Question:
    if "identifier" in row:
        return _released(row)
    return Question(
        id=first(row, "id", "idx"),
        text=row.get("question"),
        options=first(row, "options", "choices"),
        answer=row.get("answer"),
        images=row.get("images"),
    )


def _released(row: Record) -> Question:
    """Make a question of a line of the release. The order of the options is drawn from the line's name, so that neither
    letter is favoured."""
    name, label = str(row["identifier"]), row.get("label")
    return Question(
        id=name,
        text=f"<image> <image> Here is a statement describing 2 images: {row.get('sentence')} Is it true or false?",
        options=["True", "False"] if seed_of("nlvr2", name) % 2 else ["False", "True"],
        answer=None if label is None else str(label).capitalize(),
        images=[_image(row, name, which) for which in (0, 1)],
    )


def _image(row: Record, name: str, which: int) -> str:
    found = _IDENTIFIER.search(name)
    if not found:
        raise RecordError(f"is not split-set-pair-sentence: {name}", "identifier", row.where)
    split, number, pair, _ = found.groups()
    file = f"{split}-{number}-{pair}-img{which}.png"
    folders = ["", split, "images", f"images/{split}", f"../images/{split}", f"../{split}"]
    if str(row.get("directory", "")).isdigit():
        folders += [f"{split}/{row['directory']}", f"images/{split}/{row['directory']}"]
    return beside(row, file, folders, f"images[{which}]", f"beside the JSON, in {split}/ or images/{split}/")


def official_choice(text: str, choices: dict[str, str]) -> str | None:
    """Return the letter that Mantis's script reads. If no option's letter comes first, return the option that says 'true'
    or 'false', if the reply has exactly one of the two words."""
    if (letter := first_letter(text)) in choices:
        return letter
    verdicts = [word for word in ("true", "false") if word in text.lower()]
    if len(verdicts) != 1:
        return None
    return next((letter for letter, option in choices.items() if verdicts[0] in option.lower()), None)


def sentence(line: Line) -> str:
    """Return the name that all questions about one sentence share: the split, set and sentence of the identifier, or the
    sentence itself."""
    if line.get("sentence"):
        return str(line["sentence"])
    found = _IDENTIFIER.search(str(line.get("id", "")))
    if found:
        split, number, _, last = found.groups()
        return f"{split}-{number}-{last}"
    words = re.sub(
        r"<image[^>]*>|^\s*\(?[A-Z][.:)].*$", " ", str(line.get("question", "")), flags=re.MULTILINE
    )
    return " ".join(words.split()) or str(line.get("id"))


def keep(line: Line) -> Line:
    return {"sentence": sentence(line)}


def related(line: Line) -> list[str]:
    return [*by_group(line), sentence(line)]


def metrics(known: list[Line], seed: int) -> list[Metric]:
    return all_right("consistency", [(sentence(p), p) for p in known], seed)


BENCH = Bench(
    title="NLVR2",
    about="is a sentence true of two photographs; accuracy and consistency",
    hub="TIGER-Lab/NLVR2",
    splits={"test": ("test", "test1"), "dev": ("dev", "val", "validation"), "test2": ("test2",)},
    rows={"test": 6967, "dev": 6982},
    layouts="parquet (Mantis's form), the release's test1.json or dev.json beside its images, TSV",
    license="CC-BY-4.0 (the sentences)",
    required=("question", "images", "answer", ("options", "choices")),
    aliases=("nlvr2mantis", "nlvr"),
    question=question,
    prompts={"official": official_prompt},
    rules={"official": Rules(choice=official_choice)},
    keep=keep,
    related=related,
    metrics=metrics,
    published=(
        Published("base", 52.1, MODEL, S2H_DPO),
        Published("MIA-DPO (level 1 only)", 54.2, MODEL, S2H_DPO),
        Published("S2H-DPO", 55.6, MODEL, S2H_DPO),
    ),
    like={"paper": Like(differs=("Mantis's script is its script",))},
    clusters="the pairs that one sentence is asked of; questions that share an image",
    guess="50%",
)
