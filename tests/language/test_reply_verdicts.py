"""What a model's reply is worth: right replies in other words are never wrong, and what can't be decided isn't used."""

from __future__ import annotations

import pytest

from s2h.language import short_answers
from s2h.language.reply_verdicts import judge

COLOURS = ("red", "blue", "gray", "white", "black and white", "white and blue", "brown", "silver", "yellow")
THINGS = (
    "dog",
    "sofa",
    "cat",
    "horse",
    "television",
    "old woman",
    "man",
    "frisbee",
    "kitchen",
    "skateboard",
    "truck",
)
NUMBERS = tuple(map(str, range(0, 25)))


def known(group: tuple[str, ...]) -> dict[str, str]:
    return {short_answers.key(value): value for value in group}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("grey", "gray"), ("sofa", "couch"), ("TV", "television"), ("T.V.", "tv"), ("11", "eleven"), ("21", "twenty-one"),
        ("blonde", "blond"), ("an elderly woman", "old woman"), ("white and blue", "blue and white"), ("colour", "color"),
        ("yes", "yes it is"), ("Yes.", "yes"), ("no", "No, it isn't"), ("a dog", "dogs"), ("skate board", "skateboard"),
        ("0", "none"), ("bathroom", "restroom"), ("donut", "doughnut"), ("T-shirt", "tshirt"), ("centre", "center"),
        ("fishes", "fish"), ("potatoes", "potato"), ("shoes", "shoe"),
        ("red, white", "white & red"), ("100", "one hundred"), ("bike", "bicycle"), ("The Kitchen.", "kitchen"),
        # British words, short forms, units, signs, ordinals, openings
        ("trousers", "pants"), ("lift", "elevator"), ("film", "movie"), ("autumn", "fall"), ("car park", "parking lot"),
        ("postbox", "mailbox"), ("litre", "liter"), ("travelling", "traveling"), ("offence", "offense"),
        ("ageing", "aging"), ("UK", "United Kingdom"), ("U.S.A.", "United States"), ("NYC", "New York City"),
        ("dr", "doctor"), ("mic", "microphone"), ("Mt Fuji", "Mount Fuji"), ("Coke", "Coca-Cola"), ("5 feet", "5 ft"),
        ("10 km", "10 kilometres"), ("50%", "50 percent"), ("$5", "5 dollars"), ("3:00", "3 o'clock"), ("1st", "first"),
        ("2nd floor", "second floor"), ("café", "cafe"), ("it's a cat", "cat"), ("on the left side", "left"),
        ("nothing", "none"),
    ],
)  # fmt: skip
def test_values_that_mean_the_same(one, other):
    assert short_answers.same(one, other) and short_answers.same(other, one)
    assert not short_answers.differ(one, other) and not short_answers.differ(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("dog", "collie"), ("man", "person"), ("gray", "silver"), ("tan", "brown"), ("black and white", "black"),
        ("stop sign", "sign"), ("tennis racket", "racket"), ("on table", "under table"), ("ski", "skiing"),
        ("yes", "red"), ("2", "several"), ("fire truck", "truck"), ("animals", "fish"),
        ("Fishes", "Animals"), ("butterflies", "insects"), ("knives", "tool"),
        ("Palais des papes", "monument"),
        ("square", "rectangle"), ("circle", "round"), ("turquoise", "blue"), ("sitting", "eating"), ("large", "medium"),
        ("sunset", "evening"), ("metal", "steel"),
        ("crimson", "red"), ("olive", "green"), ("lavender", "purple"), ("charcoal", "gray"), ("coral", "pink"),
        ("Toyota", "car"), ("Pepsi", "soda"), ("MacBook", "laptop"), ("Canon", "camera"), ("juice", "drink"),
        ("soccer", "sport"), ("soccer", "football"), ("Italian", "Italy"), ("living room", "lounge"), ("fair", "sunny"),
        ("5 feet", "6 feet"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_told_apart_are_neither_the_same_nor_different(one, other):
    assert not short_answers.same(one, other)
    assert not short_answers.differ(one, other) and not short_answers.differ(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("red", "blue"), ("cat", "dog"), ("yes", "no"), ("2", "3"), ("two", "11"), ("kitchen", "bathroom"), ("man", "woman"),
        ("left", "right"), ("wood", "metal"), ("pizza", "frisbee"), ("stop", "one way"), ("circle", "triangle"),
        ("eating", "cooking"), ("teal", "red"), ("night", "morning"),
        ("crimson", "navy"), ("lavender", "olive"), ("pepsi", "milk"), ("soccer", "tennis"), ("left side", "right side"),
    ],
)  # fmt: skip
def test_values_that_differ(one, other):
    assert short_answers.differ(one, other) and short_answers.differ(other, one)


@pytest.mark.parametrize(
    ("reply", "question", "right", "group", "kind", "value"),
    [
        ("Grey", "What color is the bus?", "gray", COLOURS, "right", ""),
        ("The bus is grey.", "What color is the bus?", "gray", COLOURS, "right", ""),
        ("Blue and white.", "What color is the bus?", "white and blue", COLOURS, "right", ""),
        ("It is red.", "What color is the bus?", "gray", COLOURS, "wrong", "red"),
        ("red bus", "What color is the bus?", "gray", COLOURS, "wrong", "red"),
        ("**Red**", "What color is the bus?", "gray", COLOURS, "wrong", "red"),
        ("The answer is red.", "What color is the bus?", "gray", COLOURS, "wrong", "red"),
        ("silver", "What color is the bus?", "gray", COLOURS, "undecided", ""),
        ("Red or blue", "What color is the bus?", "gray", COLOURS, "undecided", ""),
        ("It might be red", "What color is the bus?", "gray", COLOURS, "undecided", ""),
        ("not gray", "What color is the bus?", "red", COLOURS, "undecided", ""),
        ("white", "What color is the bus?", "white and blue", COLOURS, "undecided", ""),
        ("red, blue", "What color is the bus?", "brown", COLOURS, "undecided", ""),
        ("I cannot tell from the image.", "What color is the bus?", "red", COLOURS, "undecided", ""),
        ("", "What color is the bus?", "red", COLOURS, "undecided", ""),
        ("Sorry, I can't help.", "What color is the bus?", "red", COLOURS, "undecided", ""),
        ("purple elephants", "What color is the bus?", "red", COLOURS, "undecided", ""),
        ("eleven", "How many birds are there?", "11", NUMBERS, "right", ""),
        ("There are eleven birds.", "How many birds are there?", "11", NUMBERS, "right", ""),
        ("Twenty-one.", "How many birds are there?", "21", NUMBERS, "right", ""),
        ("3", "How many birds are there?", "11", NUMBERS, "wrong", "3"),
        ("There are three.", "How many birds are there?", "11", NUMBERS, "wrong", "3"),
        ("2 or 3", "How many birds are there?", "11", NUMBERS, "undecided", ""),
        ("about 5", "How many birds are there?", "11", NUMBERS, "undecided", ""),
        ("10:25", "How many birds are there?", "11", NUMBERS, "undecided", ""),
        ("A couch", "What is this?", "sofa", THINGS, "right", ""),
        ("The TV.", "What is on?", "television", THINGS, "right", ""),
        ("An elderly woman", "Who is it?", "old woman", THINGS, "right", ""),
        ("A collie.", "What is this?", "dog", THINGS, "undecided", ""),
        ("a cat", "What is this?", "dog", THINGS, "wrong", "cat"),
        ("Yes, it is.", "Is it red?", "yes", ("yes", "no"), "right", ""),
        ("No, it isn't.", "Is it red?", "yes", ("yes", "no"), "wrong", "no"),
        ("Yes and no", "Is it red?", "yes", ("yes", "no"), "undecided", ""),
        ("It is a bus", "Is it red?", "yes", ("yes", "no"), "undecided", ""),
    ],
)  # fmt: skip
def test_what_a_reply_says(reply, question, right, group, kind, value):
    verdict = judge(reply, question, (right,), known(group))
    assert (verdict.kind, verdict.value) == (kind, value)
    assert bool(verdict.reason) == (kind == "undecided")


def test_what_another_annotator_said_is_right():
    accepted = ("gray", "silver", "white")
    assert judge("silver", "What color?", accepted, known(COLOURS)).kind == "right"
    assert judge("White.", "What color?", accepted, known(COLOURS)).kind == "right"
    assert judge("red", "What color?", accepted, known(COLOURS)).kind == "wrong"
    assert judge("black", "What color?", accepted, known((*COLOURS, "black"))).kind == "undecided"
