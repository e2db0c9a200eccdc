"""Wrong answers that a model gives: which of its replies are taken, and which are no negatives."""

from __future__ import annotations

import re
from collections import Counter

from s2h import record, tasks
from s2h.images.store import Store
from s2h.record import text_of
from s2h.tasks import hallucinations
from s2h.tasks.hallucinations import Answerer
from s2h.tasks.item_pair import Pair, Posed
from tests.support.undrawn import undrawn


def test_of_several_samples_the_most_frequent_wrong_one_is_taken(tmp_path):
    def answer(rows, key):
        return [["", "Purple.", "It is red.", "Red!"] for _ in rows]

    made = list(
        tasks.generate(
            "vqa", n=12, images=Store(tmp_path), size=32, answerer=Answerer(answer), per_prompt=(2, 3)
        )
    )
    assert len(made) > 8
    for pair in made:  # what the model said is rejected, or right on a picture that it would take for another
        where = "rejected" if pair["negative"] == "hallucination" else "chosen"
        assert (
            text_of(pair[where]) == "Red."
            or "Red." == text_of(pair["chosen"]) != text_of(pair["rejected"]) == "Purple."
        )


def test_a_models_right_answers_are_no_negatives(tmp_path):
    """The answering function is a stranger's: right on every second question, silent on some."""
    asked: list[str] = []

    def answer(rows, key):
        assert key
        replies = []
        for messages, pictures in rows:
            assert all(picture.size == (32, 32) for picture in pictures)
            asked.append(text_of(messages))
            replies.append(
                [("", "That would be purple.", "Two", "a small one", "I'm not sure.")[len(asked) % 5]]
            )
        return replies

    tally: Counter = Counter()
    made = list(
        tasks.generate(
            "vqa",
            n=40,
            images=Store(tmp_path),
            size=32,
            answerer=Answerer(answer),
            tally=tally,
            per_prompt=(2, 3),
        )
    )
    assert len(made) > 30 and {pair["negative"] for pair in made} == {"hallucination", "confusion"}
    assert tally["the model said nothing"] > 5 and tally["the model refused"] > 5
    assert tally["no value of this kind of question"] > 5
    for pair in made:
        record.check(pair)
        assert text_of(pair["rejected"]).lower() != text_of(pair["chosen"]).lower()
        assert pair["grounding"]["rejected"]


def test_questions_about_images_that_are_not_there(tmp_path):
    with undrawn():
        made = list(tasks.generate("vqa", n=200, nonexistent=1.0, images=Store(tmp_path)))
    kinds = Counter(pair["negative"] for pair in made)
    assert set(kinds) == {"nonexistent", "false-denial"} and abs(kinds["nonexistent"] - 100) < 35
    for pair in made:
        record.check(pair)
        named = int(re.findall(r"Image (\d+)", text_of(pair["prompt"]).rsplit("\n", 1)[-1])[0])
        denial, other = (
            ("chosen", "rejected") if pair["negative"] == "nonexistent" else ("rejected", "chosen")
        )
        assert text_of(pair[denial]) == f"There is no Image {named}." != text_of(pair[other])
        assert (named > len(pair["images"])) == (pair["negative"] == "nonexistent")


def test_a_model_that_denies_what_is_not_there_is_right(tmp_path):
    said = iter(["There are only three images.", "Red.", "A star."] * 1000)

    def answer(rows, key):
        return [[next(said)] for _ in rows]

    made = list(
        tasks.generate(
            "vqa", n=40, nonexistent=1.0, images=Store(tmp_path), size=32, answerer=Answerer(answer)
        )
    )
    wrong = {text_of(pair["rejected"]) for pair in made if pair["negative"] == "nonexistent"}
    assert wrong and wrong <= {"Red.", "Star."}


def test_an_answer_of_many_words_is_judged_by_its_sense():
    from s2h.sources import Question

    right = "The man in the red jacket rides a brown horse."
    question = Question("q", "?", right, (), "{}")
    pair = Pair([], "", "", "", "hallucination", [0], {}, posed=Posed(question))

    def kind(reply: str, alike=None) -> str:
        return hallucinations.judged(pair, reply, alike).kind

    assert kind("I see the man in the red jacket; he rides a brown horse.") == "right"
    assert kind("A woman in a long blue dress walks a dog.") == "wrong"
    assert kind("A rider on horseback wears a red jacket.", lambda one, other: True) == "right"
    assert kind("A rider on horseback wears a red jacket.", lambda one, other: False) == "wrong"
    assert kind("A woman.") == "undecided", "its length would tell"


def test_similar_distractors(tmp_path):
    import numpy as np

    from s2h.tasks.similar import Similar

    def embed(picture):
        vector = np.asarray(picture.resize((4, 4)), dtype=float).ravel() - 128
        return vector / np.linalg.norm(vector)

    def cosines(**more) -> list[float]:
        found = []
        for pair in tasks.generate("vqa", n=40, images=Store(tmp_path), size=32, **more):
            from s2h.images.decoding import open_images

            vectors = [embed(picture) for picture in open_images(pair)]
            (at,) = pair["target"]
            found += [float(vectors[at] @ v) for i, v in enumerate(vectors) if i != at]
        return found

    near = cosines(similar=Similar(embed, 32, (0.6, 0.95)))
    assert all(0.55 < value < 0.96 for value in near) and min(cosines()) < 0.5
