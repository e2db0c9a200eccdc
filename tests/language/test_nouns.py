"""Articles, plurals and verbs of names."""

from __future__ import annotations

import pytest

from s2h.language import nouns, word_forms, word_tables
from s2h.language.nouns import indefinite, is_mass, is_plural, plural, with_article
from s2h.language.one_word_names import general_of

ARTICLES = {
    "8": "an 8", "11": "an 11", "18": "an 18", "80": "an 80", "3": "a 3", "110": "a 110", "UK flag": "a UK flag",
    "SUV": "an SUV", "LED lamp": "an LED lamp", "NASA shuttle": "a NASA shuttle", "X-ray": "an X-ray", "hour": "an hour",
    "unicorn": "a unicorn", "orange flower": "an orange flower", "old man": "an old man",
    "one-way street": "a one-way street",
    "Umbrella": "an umbrella", "broccoli": "broccoli", "green grass": "green grass", "wet sand": "wet sand",
    "trousers": "trousers", "scissors": "scissors", "police": "police", "nature": "nature", "water bottle": "a water bottle",
    "police car": "a police car", "bus": "a bus", "sheep": "a sheep", "leaves": "leaves", "children": "children",
    "cat's whiskers": "a cat's whiskers", "men's shoes": "men's shoes", "elephant's trunk": "an elephant's trunk",
    "slice of pizza": "a slice of pizza", "slices of pizza": "slices of pizza", "herd of sheep": "a herd of sheep",
}  # fmt: skip
PLURALS = {
    "tomato": "tomatoes", "calf": "calves", "knife": "knives", "wine glass": "wine glasses", "person": "people",
    "bus": "buses",
    "snowman": "snowmen", "potato": "potatoes", "broccoli": "broccoli", "trousers": "trousers", "sheep": "sheep",
    "police officer": "police officers", "stop sign": "stop signs", "TV": "TVs", "8": "8s", "skis": "skis", "ski": "skis",
    "passerby": "passersby", "teddy bear": "teddy bears", "sand": "sand",
}  # fmt: skip


@pytest.mark.parametrize("name", ARTICLES)
def test_a_name_gets_the_article_that_is_spoken(name):
    assert indefinite(name) == ARTICLES[name]


@pytest.mark.parametrize(
    ("concept", "word"),
    [
        ("race car", "car"), ("old boat", "boat"), ("clock tower", "tower"), ("delivery driver", "driver"),
        ("hand drawn flowers", "flowers"), ("bus stop", ""), ("parking meter", ""), ("license plate", ""),
        ("power lines", ""), ("subway car", ""), ("table leg", ""), ("sewing machine", ""), ("pumpkin patch", ""),
        ("slice of pizza", ""), ("pitcher's mound", ""), ("landing gear", ""), ("cable car", ""), ("parking lot", ""),
    ],
)  # fmt: skip
def test_the_last_word_stands_for_a_thing_only_where_it_says_what_it_is(concept, word):
    assert general_of(concept) == word


@pytest.mark.parametrize("name", PLURALS)
def test_plurals(name):
    assert plural(name) == PLURALS[name]


def test_a_verb_agrees_with_its_name():
    many = (
        "trousers",
        "scissors",
        "leaves",
        "remote controls",
        "children",
        "glasses",
        "police",
        "teeth",
        "people",
        "jeans",
    )
    one = ("dog", "bus", "glass", "grass", "broccoli", "police car", "lens", "dress", "snow", "TV", "sheep")
    assert all(map(is_plural, many)) and not any(map(is_plural, one))
    assert is_plural("wine glasses") and not is_plural("wine glass")
    assert is_mass("fresh broccoli") and not is_mass("grass skirt")


def test_an_adjective_decides_the_article():
    assert with_article("old man") == "an old man" and with_article("young man") == "a young man"


@pytest.mark.parametrize(
    "word",
    [
        "barista", "shirtless", "arafed", "ewok", "onesie", "unboxing", "mths", "hygge", "skijorer", "vloggers",
        "hmong", "hourish", "heirless", "honorable", "mpegs", "sthenic",
    ],
)  # fmt: skip
def test_articles_of_words_beyond_the_tables_are_those_of_inflect(word):
    import inflect

    assert nouns.with_article(word) == inflect.engine().a(word)


def test_a_word_that_begins_with_consonants_does_not_need_inflect(monkeypatch):
    monkeypatch.setattr(nouns, "_engine", None)  # its import takes longer than a hundred pairs
    assert [with_article(word) for word in ("smartphone", "snowskater", "hashtagger")] == [
        "a smartphone",
        "a snowskater",
        "a hashtagger",
    ]


def test_articles_and_plurals_of_the_tables_words_are_those_of_inflect():
    import inflect

    engine, words = inflect.engine(), sorted(word_tables.named())
    for word in words[::37]:
        assert nouns.with_article(word) == engine.a(word)
        if nouns.plural(word) != word:
            assert nouns.plural(word) == engine.plural_noun(word)
    for word in word_tables.inflected():
        assert word in word_tables.named()


@pytest.mark.parametrize(
    ("word", "noun"),
    [
        ("saris", "sari"),
        ("taxis", "taxi"),
        ("menus", "menu"),
        ("iris", "iris"),
        ("cactus", "cactus"),
        ("bus", "bus"),
    ],
)
def test_words_in_is_and_us_are_plurals_only_of_nouns_that_the_tables_have(word, noun):
    assert word_forms.singular(word) == noun
