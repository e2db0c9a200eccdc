"""Questions about one image, made of pairs of level 1: the target image of a pair, and the question that its prompt asks
about it among other images. `s2h.train.probe` asks them before and after training."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from s2h.eval.benches import Line
from s2h.eval.questions import pairs
from s2h.record import IMAGE, Record, RecordError, base_of, facts_of, interleave, target_of, text_of, where_of

TASK, LEVEL = "vqa", 1
SHORT = ("word", "number", "yes/no", "choice")  # types of answers that are a few words
# What such a question keeps of its pair.
FIELDS = ("id", "level", "task", "chosen", "rejected", "facts", "source")


def questions(records: Iterable[Record]) -> Iterator[tuple[Line, list[dict]]]:
    """Yield a question for each pair that has one (see `alone`), each id and each question about an image once."""
    seen: set[tuple] = set()
    for record in records:
        if (pair := alone(record)) is None:
            continue
        try:
            made = pairs.question_of(pair)
        except RecordError:
            continue  # an answer of another form than its type has
        keys = {("id", made[0]["id"]), ("question", pair["images"][0], text_of(pair["prompt"]))}
        if not keys & seen:
            seen |= keys
            yield made


def alone(pair: Record) -> Record | None:
    """Return the pair with its target image alone, in the form in which s2h-gen writes pairs of one image. None if the pair
    is not of level 1, if its facts have no question with a short answer, or if one image shows all its pictures (grid,
    pip)."""
    facts, target = facts_of(pair), target_of(pair)
    question, choices = facts.get("question"), facts.get("choices", {})
    if (pair.get("task"), pair.get("level"), len(target)) != (TASK, LEVEL, 1) or "layout" in facts:
        return None
    if facts.get("answer_type") not in SHORT or "answer" not in facts:
        return None
    if not (isinstance(question, str) and question and isinstance(choices, dict)):
        return None
    from s2h.sources import Question
    from s2h.sources.lettered_options import lettered
    from s2h.tasks import vqa
    from s2h.tasks.item_pair import Posed, shown

    options = [str(option) for option in choices.values()]
    # The facts lack the sentence that says how to answer: the lines after the question, or after the last option.
    last = lettered(options)[-1] if options else question[1:]
    before, _, after = text_of(pair["prompt"]).rpartition(last)
    if not before:
        return None
    known = Question("", question, "", (), "", options=tuple(options), closing=after.partition("\n")[2])
    ask = vqa.pose(Posed(known), known, options)
    prompt = interleave([*shown(1, indexed=False, image=IMAGE), f"\n{ask}"])
    fields = {name: pair[name] for name in FIELDS if name in pair}
    fields |= {"images": [pair["images"][target[0]]], "target": [0], "prompt": prompt}
    return Record(fields, where=where_of(pair), base=base_of(pair))
