"""The texts of the task search: questions, the working of answers, and the form of captions. All captions get one form, so
that chosen and rejected answers differ in content and not in punctuation."""

from __future__ import annotations

from functools import lru_cache
from random import Random

# {}: the concept. {is} and {it} agree with it in number.
ASKS = {
    "caption": (
        "Caption the image containing {}.",
        "Describe the image that shows {}.",
        "One of these images shows {}. Write a caption for it.",
        "Find the image with {} and say what it shows.",
        "Look for {} and describe that image.",
        "Which of the images contains {}? Describe it.",
        "Give a caption for the picture in which you see {}.",
        "There {is} {} in one of the pictures. What does that picture show?",
        "Search the images for {} and caption the image that you find.",
        "Describe only the picture with {}.",
        "What can be seen in the image with {}?",
        "Write one sentence about the image that contains {}.",
    ),
    "locate": (
        "Which image shows {}?",
        "In which image do you see {}?",
        "Find the image with {}.",
        "Where {is} {}? Name the image.",
        "Look for {}. Which image shows {it}?",
        "Which of the images contains {}?",
        "Search the images for {} and name the image that you find.",
        "Tell me which image contains {}, if any.",
        "Does one of the images show {}? Which?",
        "Point out the image in which there {is} {}.",
    ),
    "count": (
        "How many of the images show {}?",
        "In how many images do you see {}?",
        "Count the images that show {}.",
        "How many images contain {}?",
        "How many of these pictures show {}?",
        "In how many of the pictures {is} there {}?",
        "Of all the images, how many show {}?",
        "What is the number of images with {}?",
        "Look for {}: how many images show {it}?",
        "Check every image. How many contain {}?",
    ),
    "absent": (
        "Caption the image containing {}, if there is one.",
        "Is there an image that shows {}? Describe it.",
        "If one of these images shows {}, write a caption for it.",
        "Look for {} and describe that image, or say that there is none.",
        "Does any of the images contain {}? What does it show?",
        "Give a caption for the picture with {}, in case you find one.",
        "There may be {} in one of the pictures. What does that picture show?",
        "Search the images for {} and caption the image that you find, if any.",
        "Describe the picture with {}, unless no picture shows {it}.",
        "What can be seen in the image with {}, provided there is one?",
    ),
}
SHOW = (
    " Go through the images one by one until you find it.",
    " Say of each image whether it is the one before you answer.",
    " Search image by image, then answer.",
)
COUNT_SHOW = (
    " Go through the images one by one.",
    " Say of each image whether it is one of them, then answer.",
    " Look at image after image before you answer.",
)
# For sources that do not know what an image does not show.
NAME = (
    " Say first which image it is.",
    " Name the image before you answer.",
    " Begin with the number of that image.",
)
ABOUT_ABSENCE = ("locate", "count", "absent")  # forms of question
_ENDS = " \t.!?…,;:"


def ask(rng: Random, form: str, concept: str, shows: bool, named_only: bool = False) -> str:
    """Draw the prompt's question about a concept. shows: whether it asks for the working. named_only: whether the working
    names only the image that was found."""
    asked = rng.choice(ASKS[form]).format(concept, **_agreeing(concept))
    working = NAME if named_only else COUNT_SHOW if form == "count" else SHOW
    return asked + rng.choice(working) if shows else asked


@lru_cache(maxsize=1 << 14)
def _agreeing(concept: str) -> dict[str, str]:
    """Return verb and pronoun of a concept. A person is not 'it'."""
    from s2h.language import related_names
    from s2h.language.noun_categories import is_person

    if is_many(concept):
        return {"is": "are", "it": "them"}
    return {"is": "is", "it": "such a person" if is_person(related_names.head(concept)) else "it"}


def is_many(concept: str) -> bool:
    """Tell whether a concept is plural: 'dogs', but neither 'a dog' nor 'snow'."""
    from s2h.language import nouns

    return not concept.startswith(("a ", "an ")) and nouns.is_plural(concept)


def absent(concept: str) -> str:
    """Return 'no fish' for 'a fish', 'no dogs' for 'dogs'."""
    article, _, name = concept.partition(" ")
    return f"no {name if article in ('a', 'an') and name else concept}"


def scan(concept: str, reading: list[bool], whole: bool = False) -> str:
    """Return the line in which an answer goes through the images. It stops at the first that shows the concept, unless
    `whole` is set. reading: whether each image shows the concept."""
    last = len(reading) if whole or True not in reading else reading.index(True) + 1
    seen = (concept if there else absent(concept) for there in reading[:last])
    return " ".join(f"Image {i + 1} shows {what}." for i, what in enumerate(seen)) + "\n"


def scan_found(concept: str, reading: list[bool]) -> str:
    """Return the line in which an answer names the image that shows the concept."""
    return f"Image {reading.index(True) + 1} shows {concept}.\n"


def none_shows(concept: str) -> str:
    return f"None of the images shows {concept}."


@lru_cache(maxsize=1 << 14)
def one_form(caption: str) -> str:
    """Return a caption as a sentence that begins with a capital and ends with one period. A caption in capitals becomes
    lower case."""
    text = " ".join(caption.split()).rstrip(_ENDS)
    if text.isupper() and len(text.split()) > 1:
        text = text.lower()
    return text[:1].upper() + text[1:] + "."


@lru_cache(maxsize=1 << 14)
def form_of(caption: str) -> tuple[bool, bool]:
    """Return two features of a caption's form: whether it has an opening such as "In this image, ", and whether Most Words
    Begin With a Capital."""
    from s2h.language.caption_openings import without_openings

    words = [word for word in caption.split()[1:] if len(word) > 3 and word[0].isalpha()]
    titled = len(words) > 1 and sum(word[0].isupper() for word in words) > len(words) / 2
    return without_openings(caption) != caption, titled


def notes(exhaustive: bool, tells: bool, asked: set[str]) -> list[str]:
    """Return messages for the user about the forms of question: a default that the source imposes, absence that is assumed,
    and captions that give themselves away. exhaustive: whether the source knows what its pictures don't show. tells:
    whether its captions say more than the concept. asked: the forms that were asked for."""
    lines = []
    if not exhaustive and not asked:
        lines.append(
            "captions don't prove what a picture does not show: caption questions only, as with --form caption=1 (locate, "
            "count and absent are made if you ask for them)"
        )
    elif not exhaustive and asked & set(ABOUT_ABSENCE):
        lines.append(
            'what the captions don\'t mention is assumed to be absent (facts.absence is "assumed"): '
            f"{', '.join(form for form in ABOUT_ABSENCE if form in asked)}"
        )
    if not tells and not asked and exhaustive:
        lines.append(
            "the captions say no more than what is searched for: locate and count questions instead of captions (full "
            "captions: --captioner MODEL)"
        )
    elif not tells and (not asked or asked & {"caption", "absent"}):
        lines.append(
            "the captions say no more than what is searched for, so that wrong ones can be told from the words alone (full "
            "captions: --captioner MODEL)"
        )
    return lines
