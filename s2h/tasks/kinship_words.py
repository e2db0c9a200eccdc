"""The texts of the task kinship: names of relatives, questions about them, and prompt endings that say how to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

P = TypeVar("P")

# Relation -> name of the first and of the second relative; the same two with both sexes named.
RELATIONS = {
    "parent": ("parent", "child", "mother or father", "son or daughter"),
    "grandparent": ("grandparent", "grandchild", "grandmother or grandfather", "granddaughter or grandson"),
    "sibling": ("sibling", "sibling", "brother or sister", "brother or sister"),
}
ASKS = {
    "is-elder": (
        "Is the person in Image {a} the {elder} of the person in Image {b}?",
        "Is the person in Image {b} the {younger} of the person in Image {a}?",
        "Could the person in Image {a} be the {elders} of the person in Image {b}?",
        "Image {a} and Image {b}: is the first person the {elder} of the second?",
        "Does Image {b} show a {younger} of the person in Image {a}?",
        "Does Image {a} show the {elder} of the person in Image {b}?",
        "Is the person in Image {a} a {elder} of the one in Image {b}?",
        "Look at Image {a} and Image {b}. Is the person in Image {a} the {elder} of the other?",
        "Is it true that the person in Image {a} is the {elder} of the person in Image {b}?",
        "Would you say that the person in Image {b} is a {younger} of the person in Image {a}?",
    ),
    "are-kin": (
        "Are the people in Image {a} and Image {b} {elder} and {younger}?",
        "Do Images {a} and {b} show a {elder} and a {younger} of one family?",
        "Is one of the people in Images {a} and {b} the {elder} of the other?",
        "Are the people in Image {a} and Image {b} related as {elder} and {younger}?",
        "Do the people in Images {a} and {b} belong together as {elder} and {younger}?",
        "Look at Images {a} and {b}: are these people {elder} and {younger}?",
        "Could the people in Images {a} and {b} be {elder} and {younger}?",
        "Judging by their looks, are the people in Images {a} and {b} {elder} and {younger}?",
        "Is one of the people in Image {a} and Image {b} a {younger} of the other?",
        "Image {a} and Image {b}: do they show {elder} and {younger}, or not?",
    ),
    "which-elder": (
        "Images {a} and {b} show a {elder} and a {younger}. Which image shows the {elder}?",
        "The people in Images {a} and {b} are {elder} and {younger}. Who is the {elder}?",
        "Of the relatives in Images {a} and {b}, which one is the {elder}?",
        "Images {a} and {b} show two members of one family. In which one do you see the {elder}?",
        "In Images {a} and {b}, who is the {elder} of the other? Name the image.",
        "Which of Images {a} and {b} shows the {elder} of the other person?",
        "A {elder} and a {younger} are in Images {a} and {b}. Name the image with the {elder}.",
        "One of Images {a} and {b} shows the other's {elder}. Which one?",
        "In Images {a} and {b} you see a {elder} and a {younger}. Which image shows the {elder}?",
        "Tell the {elder} from the {younger} in Images {a} and {b}: which image shows the {elder}?",
    ),
    "find-younger": (
        "Which image shows the {younger} of the person in Image {a}?",
        "Find the {younger} of the person in Image {a}.",
        "Who is the {younger} of the person in Image {a}?",
        "One of the other images shows a {younger} of the person in Image {a}. Which one?",
        "The person in Image {a} has a {younger} in one of the other images. Which image is it?",
        "In which image do you see the {youngers} of the person in Image {a}?",
        "Name the image with the {younger} of the person in Image {a}.",
        "Whose {elder} is the person in Image {a}? Name the image.",
        "Search for the {younger} of the person in Image {a}. Which image is it?",
        "Which of the other people is a {younger} of the person in Image {a}?",
    ),
    "find-elder": (
        "Which image shows a {elder} of the person in Image {a}?",
        "Find the {elder} of the person in Image {a}.",
        "Who is the {elder} of the person in Image {a}?",
        "One of the other images shows a {elder} of the person in Image {a}. Which one?",
        "The person in Image {a} has a {elder} in one of the other images. Which image is it?",
        "In which image do you see the {elders} of the person in Image {a}?",
        "Name the image with the {elder} of the person in Image {a}.",
        "Whose {younger} is the person in Image {a}? Name the image.",
        "Search for the {elder} of the person in Image {a}. Which image is it?",
        "Which of the other people is a {elder} of the person in Image {a}?",
    ),
    "are-siblings": (
        "Are the people in Image {a} and Image {b} siblings?",
        "Do Images {a} and {b} show two siblings?",
        "Do the people in Images {a} and {b} have the same parents?",
        "Are the people in Image {a} and Image {b} brothers or sisters?",
        "Do the people in Images {a} and {b} belong together as siblings?",
        "Look at Images {a} and {b}: are these people siblings?",
        "Could the people in Images {a} and {b} be siblings?",
        "Judging by their looks, are the people in Images {a} and {b} siblings?",
        "Is the person in Image {a} a brother or a sister of the person in Image {b}?",
        "Image {a} and Image {b}: do they show siblings, or not?",
    ),
    "find-sibling": (
        "Which image shows a sibling of the person in Image {a}?",
        "Find the brother or sister of the person in Image {a}.",
        "Who is a sibling of the person in Image {a}?",
        "One of the other images shows a sibling of the person in Image {a}. Which one?",
        "The person in Image {a} has a sibling in one of the other images. Which image is it?",
        "In which image do you see a brother or sister of the person in Image {a}?",
        "Name the image with the sibling of the person in Image {a}.",
        "Who has the same parents as the person in Image {a}? Name the image.",
        "Search for a sibling of the person in Image {a}. Which image is it?",
        "Which of the other people is a brother or sister of the person in Image {a}?",
    ),
}
BRIEF = ("", "", " Answer briefly.", " Give a short answer.")
SHOW = (" Say what you see first.", " Describe the people, then answer.", " Explain by their looks.")


def tell_looks(
    seen: dict[int, P],
    describe: Callable[[P], str],
    likeness: Callable[[P, P], str],
    known: int | None = None,
) -> str:
    """Return the working of an answer: the looks of the person at each position and, with `known`, what each of the others
    has in common with the person there. describe, likeness: as `KinshipPeople` has them."""
    told = []
    for at, person in seen.items():
        told.append(f"Image {at + 1} shows {describe(person)}.")
        if known is not None and at != known:
            both = f"Images {min(known, at) + 1} and {max(known, at) + 1}"
            same = likeness(seen[known], person)
            told.append(f"{both} both have {same}." if same else f"{both} have none of this in common.")
    return " ".join(told) + " "
