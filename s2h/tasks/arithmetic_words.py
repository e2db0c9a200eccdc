"""The texts of the task arithmetic: questions for each operation, and prompt endings that say how to answer."""

from __future__ import annotations


def _superlatives(word: str) -> tuple[str, ...]:
    """Return the phrasings of a question for the image with the larger, largest, smaller or smallest digit."""
    other = {"larger": "bigger", "largest": "biggest", "smaller": "lower", "smallest": "lowest"}[word]
    return (
        f"Which of {{}} shows the {word} digit?",
        f"One of {{}} shows the {word} number. Which one?",
        f"Compare {{}}: which one shows the {word} digit?",
        f"In which of {{}} is the number {'the ' * word.endswith('est')}{word}?",
        f"Of {{}}, which has the {word} digit?",
        f"Look at {{}}. Which one has the {word} digit in it?",
        f"Which digit is {'the ' * word.endswith('est')}{word} in {{}}? Name the image.",
        f"Tell me which of {{}} shows the {word} number.",
        f"Take {{}} and name the one with the {word} digit.",
        f"Which one of {{}} has the {other} digit?",
    )


ASKS = {
    "sum": (
        "What is the sum of the digits in {}?",
        "Add up the digits in {}.",
        "What do the digits in {} add up to?",
        "Add the numbers shown in {}. What do you get?",
        "How much do the digits in {} make together?",
        "What is the total of the digits in {}?",
        "Calculate the sum of the numbers in {}.",
        "If you add the digits in {}, what is the result?",
        "Find the total of the numbers shown in {}.",
        "Take the digits in {} together: what is their sum?",
    ),
    "difference": (
        "What is the difference between the digits in {}?",
        "How far apart are the digits in {}?",
        "By how much do the digits in {} differ?",
        "Subtract the smaller from the larger of the digits in {}.",
        "What is the distance between the numbers in {}?",
        "How large is the difference between the numbers in {}?",
        "Find the difference between the numbers shown in {}.",
        "By how much is one of the digits in {} larger than the other?",
        "Calculate the difference between the digits in {}.",
        "If you subtract the smaller digit in {} from the larger one, what is the result?",
    ),
    # The difference over three images or more.
    "range": (
        "What is the difference between the largest and the smallest of the digits in {}?",
        "How far apart are the largest and the smallest digit in {}?",
        "By how much do the largest and the smallest digit in {} differ?",
        "Subtract the smallest from the largest of the digits in {}.",
        "Of the digits in {}, how much larger is the largest than the smallest?",
        "How large is the difference between the largest and the smallest number in {}?",
        "Take the smallest digit in {} away from the largest. What do you get?",
        "By how much is the largest of the digits in {} larger than the smallest?",
        "Calculate the difference between the highest and the lowest digit in {}.",
        "If you subtract the smallest digit in {} from the largest, what is the result?",
    ),
    **{word: _superlatives(word) for word in ("larger", "largest", "smaller", "smallest")},
    "count-equal": (
        "How many of the images show the digit {}?",
        "In how many images do you see the digit {}?",
        "Count the images that show the digit {}.",
        "How often does the digit {} occur in these images?",
        "How many times is the number {} shown?",
        "How many images have the digit {} in them?",
        "What is the number of images with the digit {}?",
        "Count how many of the pictures show the number {}.",
        "In how many of the pictures is the digit {} to be seen?",
        "Of all the images, how many show the number {}?",
    ),
}
RESULT_ONLY, SHORT = " Answer with the result only.", " Give a short answer."
BRIEF = ("", "", RESULT_ONLY, SHORT)
SHOW = (
    " Say what you see in each image first.",
    " Read the digits aloud, then answer.",
    " Show how you got there.",
)
