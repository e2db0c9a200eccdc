"""The four parsers. The labels of the other evaluators were worked out from their rules, case by case."""

from __future__ import annotations

import pytest

from s2h.eval import reading
from s2h.eval.benches import mantis, mirb
from s2h.parsers import lmms, official, robust, vlmevalkit
from s2h.record import RecordError

ANIMALS = {"A": "a cat", "B": "a dog", "C": "None", "D": "red"}
AMOUNTS = {"A": "fewer dogs", "B": "more dogs", "C": "even numbers"}
POINTS = {"A": "Point A", "B": "Point B"}
YES = {"A": "Yes", "B": "No"}


def said(parser: str, bench: str, text: str, choices: dict[str, str]) -> object:
    """What a parser reads in a reply to a question of a benchmark."""
    line = {"bench": bench, "answer": None, "response": text, "choices": choices, "answer_type": "choice"}
    return reading.read(line, parser)[0]


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("b", "B"),
        ("(b)", "B"),
        ("**D**", "D"),
        ("[d]", "D"),
        ("B. a dog", "B"),
        ("B, because it barks", "B"),
        ("B\n\nBecause the image shows a cat", "B"),
        ("The image shows a cat.\n\nB", "B"),
        ("the answer is b because it is", "B"),
        ("The answer is a dog.", "B"),
        ("The answer is A dog.", "B"),
        ("The answer is A because", "A"),
        ("The answer is A. Wait, no. The answer is D.", "D"),
        ("The answer is A, not B.", "A"),
        ("The answer isn't A, it is B", "B"),
        ("I'd go with D", "D"),
        ("I would choose option c.", "C"),
        ("<answer>b</answer>", "B"),
        ("The final answer is $\\boxed{\\text{D}}$.", "D"),
        ("Final answer: B, since A is a cat", "B"),
        ("A and B are both wrong, so D is the correct answer", "D"),
        ("Option B is correct. Option A is not correct.", "B"),
        ("(A) is wrong. So it is (B).", "B"),
        ("<think>the answer is A</think> The answer is B", "B"),
        ("It's not a cat. It's a dog", "B"),
        ("I think it is D", "D"),
        ("I first thought the answer was A, but it's B.", "B"),
        ("The answer is not B but C.", "C"),
        ("答案是B", "B"),
        ("None of these", "C"),
        # Nothing is guessed.
        ("The answer is A or B.", None),
        ("The answer is B (a cat).", None),  # the text of another option
        ("The answer is a dog, or rather a cat.", None),
        ("The answer is A, or rather B", None),
        ("The answer is B - a cat", None),
        ("The answer is B = a cat", None),
        ("The answer is B [a cat]", None),
        ("The answer is B [a dog, not a cat]", "B"),
        ("The answer is B/C", None),
        ("(A) shows one (B) shows two. Neither.", None),
        ("Both A and B", None),
        ("a dog or a cat", None),
        ("It is not a dog.", None),
        ("(E)", None),
        ("dogma", None),
        ("", None),
    ],
)
def test_robust_choices(text, letter):
    assert robust.choice(text, ANIMALS) == letter


@pytest.mark.parametrize(
    ("text", "choices", "letter"),
    [
        ("Yes. There is no dog", YES, "A"),
        ("No, there is no such thing", YES, "B"),
        ("Point B is closer to the camera", POINTS, "B"),
        ("The statement is True.", {"A": "False", "B": "True"}, "B"),
        ("2", {"A": "1", "B": "2"}, "B"),
        ("image(s) (b)", POINTS, "B"),
        ("-3", {"A": "3", "B": "-3"}, "B"),
        ("hot dog", {"A": "dog", "B": "hot dog"}, "B"),
    ],
)
def test_robust_choices_by_their_text(text, choices, letter):
    assert robust.choice(text, choices) == letter


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Although there is no cat, the answer is yes.", "yes"),
        ("<answer>No</answer>, yes would be wrong", "no"),
        ("There is no doubt: yes", "yes"),
        ("I have no idea", None),
        ("Let me look.\nYes, there is", "yes"),
        ("**Yes**", "yes"),
        ("Yes or no", None),
    ],
)
def test_robust_yes_and_no(text, value):
    assert robust.yes_no(text) == value


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("b", None),  # upper case only
        ("**B**", "B"),
        ("The answer: [B]!", "B"),
        ("It is A-shaped", None),  # the hyphen is no mark
        ("B is what I would say", None),  # not among the last four words
        ("I would say B it is what", "B"),  # the fourth from the end
        ("A or B", None),
        ("A or B, but the answer is B", "B"),  # two letters, then 'answer is'
        ("the answer is because", "B"),  # no word boundary after it
        ("the answer is **C", "C"),
        ("the answer is E", None),  # only A to D
        ("Z", "Z"),  # its label of a reply that chooses nothing
        ("a dog", "B"),
        ("A DOG", "A"),  # the letter comes before the text
        ("the dog that I see is a dog", None),  # longer than twice the options
        ("Failed to obtain answer via API. A", None),
        ("Cannot determine the answer B", "Z"),
        ("", None),
    ],
)
def test_vlmevalkit_choices(text, letter):
    assert vlmevalkit.choice(text, {"A": "a cat", "B": "a dog", "C": "x"}) == letter


def test_vlmevalkit_needs_the_option_to_exist():
    assert vlmevalkit.choice("the answer is D", {"A": "x", "B": "y"}) is None
    assert vlmevalkit.choice("E", {"A": "x", "E": "y"}) == "E"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Yes.", "yes"),
        ("yes/no", None),
        ("**Yes**", None),  # asterisks stay
        ("Answer:yes", None),
        ("yes,there", "yes"),  # no space beside the comma: it becomes one
        ("yes, there", "yes"),
        ("yes.No", None),  # the period goes: one word
        ("yesterday", None),
        ("It costs 1,000/no", None),  # a comma in a number: marks go without a space
        (". " * 40 + "yes.", None),  # 32 periods are taken out and no more
        ("No, yes", None),
    ],
)
def test_vlmevalkit_yes_and_no(text, value):
    assert vlmevalkit.yes_no(text) == value


@pytest.mark.parametrize(
    ("bench", "text", "label"),
    [
        ("blink", "(b) a dog", "B"),
        ("blink", " A.", "A"),
        ("blink", "The answer is B", "B"),  # 0.7.3 reads the statement, where it took T before
        ("blink", "The animal is a dog", None),
        ("blink", "**B**", None),
        ("mmstar", "The correct answer is (B).", "B"),
        ("mmstar", "The answer is B because of A here", "A"),  # of the letters after the phrase the last
        ("mmstar", "B is right, not C.", "B"),  # first and last: first is stronger
        ("mmstar", "b", None),
        ("mmstar", "I see (A) and then (C), hm", "C"),
        ("mmstar", "Because", "B"),  # any letter where there is nothing else
        ("mmstar", "E", None),
        ("muirbench", " C. the third", "C"),
        ("muirbench", "c", "C"),
        ("muirbench", "(C)", None),
        ("muirbench", "the answer is C.", None),
    ],
)
def test_lmms_choices(bench, text, label):
    assert said("lmms", bench, text, ANIMALS) == label


def test_lmms_yes_and_no_is_the_whole_reply():
    assert [lmms.yes_no(text) for text in (" Yes\n", "no", "Yes.", "yes, there is", "")] == [
        "yes",
        "no",
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("bench", "text", "label"),
    [
        ("blink", "(B)", "B"),
        ("blink", "It is (A) or (B).\n\nSo (B) it is", "B"),
        ("blink", "I choose B", None),
        ("mantis", "Final Answer: b", "B"),
        ("mantis", "Answer: C", "C"),
        ("mantis", "The answer is C", None),  # T is no option, nor is the reply one's text
        ("mantis", "red", "D"),  # R is no option, but the reply is one's text
        ("mmstar", "the answer is b, yes", "B"),
        ("mmstar", "option c", "C"),
        ("mmstar", "(d", "D"),
        ("mmstar", "it is d", None),
        ("muirbench", "First (A), then (B).", "B"),
        ("muirbench", "I think that this one shows a dog there", "B"),
        ("muirbench", "a dog", None),
        ("mirb", "b.", "B"),
        ("mirb", "b\nno", "B"),
    ],
)
def test_official_choices(bench, text, label):
    assert said("official", bench, text, ANIMALS) == label


def test_official_true_and_false_of_nlvr2():
    choices = {"A": "False", "B": "True"}
    assert said("official", "nlvr2", "It is true", choices) == "B"
    assert said("official", "nlvr2", "It is true, not false", choices) is None


def test_official_pope_reads_everything():
    texts = ("No.", "There is not", "Yes. No.", "cannot say", "nothing")
    assert [official.yes_no(text) for text in texts] == ["no", "no", "yes", "yes", "yes"]


def test_official_short_answers():
    assert mantis.official_word("I see. Final Answer: Two", "two", "") == ("Two", True)
    assert mirb.official_word("There are 12 of them.", "12", "count") == ("12", True)
    assert mirb.official_word("Seven", "7", "visual_chain") == ("7", True)
    assert mirb.official_word("It is Paris. Or not", "paris", "sightseeing")[1] is True
    assert mirb.official_word("Certainly not", "no", "analogy") == ("no", True)


def test_an_answer_may_stand_as_letter_bracket_or_text():
    for answer in ("B", "(B)", "b", "B.", "a dog", "The dog"):
        line = {"bench": "x", "choices": ANIMALS, "answer": answer, "response": "b"}
        assert reading.read(line) == ("B", True)
    assert reading.read({"bench": "x", "choices": ["a cat", "a dog"], "answer": "B", "response": "dog"}) == (
        "B",
        True,
    )
    with pytest.raises(RecordError, match="none of the choices"):
        reading.read({"bench": "x", "choices": ANIMALS, "answer": "G", "response": "b"})


def test_short_answers_are_read_from_their_conclusion():
    line = {"bench": "mantis", "answer": "2", "answer_type": "word"}
    assert reading.read({**line, "response": "One is red, one is blue. Final Answer: two"}) == ("2", True)
    assert reading.read({**line, "response": "2 are red. Final answer: 3"}) == ("3", False)
    assert reading.read({**line, "answer": ["2", "a pair"], "response": "A pair."})[1] is True
    assert reading.read({**line, "response": "I can not say " * 10}) == (None, False)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is fewer dogs or more dogs", None),
        ("The answer is fewer dogs, or perhaps more dogs", None),
        ("The answer is fewer dogs or even numbers", None),
        ("The answer is more dogs", "B"),
    ],
)
def test_the_words_of_an_option_are_no_hedges(text, letter):
    assert said("robust", "blink", text, AMOUNTS) == letter
