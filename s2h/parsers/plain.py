"""Turn a reply into plain text before our own rules read it: remove thoughts, further turns of a base model, Markdown and
LaTeX, and normalise Unicode. This module also has what all readers share: sentences, declarations ('the answer is …'), and
the words of hedges and refusals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeVar

REACH = 80  # characters before a word that decide whether it is denied, compared with, or an option
FAR = 800  # characters after a declaring phrase that are searched for its value
SHORT = 120  # characters of the longest line that can be just an answer


class Ambiguous(Enum):
    """The value of a declaration that names several answers, or denies one."""

    SEVERAL = "several"


AMBIGUOUS: Final = Ambiguous.SEVERAL
Value = TypeVar("Value")
_THOUGHT_TAGS = r"think(?:ing)?|thoughts?|reasoning|reflection|scratchpad"
_THOUGHT = re.compile(rf"<({_THOUGHT_TAGS})>.*?</\1>", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(rf"^.*</(?:{_THOUGHT_TAGS})>|^.*◁/think▷", re.DOTALL | re.IGNORECASE)
_THOUGHT_START = re.compile(rf"<(?:{_THOUGHT_TAGS})>|◁think▷", re.IGNORECASE)
_END_OF_TURN = re.compile(
    r"<\|(?:im_end|endoftext|eot_id|end|end_of_text|im_start|start_header_id)\|>|</s>|<eos>|<pad>|<end_of_turn>"
    r"|<end_of_utterance>|\[/?INST\]"
)
_SPEAKER = r"assistant|gpt|model|bot|answer|response|output"
_OTHER_TURN = re.compile(
    r"(?:^|\n)[ \t#*>-]*(?:(?:next\s+|new\s+|follow-?up\s+)?question|user|human|instruction|input|q)\s*\d*\s*[*]*:",
    re.IGNORECASE,
)
_OWN_TURN = re.compile(rf"(?:^|\n)[ \t#*>-]*(?:{_SPEAKER}|a)\s*\d*\s*[*]*:", re.IGNORECASE)
_SIGNS = str.maketrans(
    {
        "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‘": "'", "’": "'", "‛": "'", "´": "'", "`": "'",
        "−": "-", "➖": "-", "…": "...", "‐": "-", "‑": "-", "﹣": "-", "⁄": "/", "。": ".", "、": ",", "【": "[", "】": "]",
        "「": "[", "」": "]", "『": "[", "』": "]", "〈": "[", "〉": "]", "《": "[", "》": "]", "\u20e3": "",
    }
)  # fmt: skip
_SUPERSCRIPTS = re.compile(r"(?<=[\w)])[⁰¹²³⁴-⁹₀-₉]+")  # a power or an index is not part of the number
_VULGAR_FRACTION = re.compile(r"(?<=\d)(?=[¼½¾⅐-⅞])")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LATEX_TEXT = re.compile(
    r"\\(?:text|textbf|textit|mathrm|mathbf|mathit|mathsf|operatorname|emph)\s*\{([^{}]*)\}"
)
_BOXED = re.compile(r"\\f?boxed\s*(?:\{([^{}]*)\}|\s+(\w+))")
_BOLD_LETTER = re.compile(r"(?<!\w)(\*{1,3}|_{1,3})\s*\(?([A-Za-z])\s*[.):]*\s*\1(?!\w)")
_STARS = re.compile(r"(?<![\d\s])\*+|\*+(?![\d\s*])|\*{2,}")
_UNDERSCORES = re.compile(r"(?<![A-Za-z0-9])_+(?=[A-Za-z0-9])|(?<=[A-Za-z0-9])_+(?![A-Za-z0-9])")
_HTML = re.compile(
    r"</?(?:em|strong|br|div|span|code|h\d|ul|ol|li|final|final_answer|result)\s*/?>", re.IGNORECASE
)
_JSON = re.compile(
    r"[{\[]?\s*\"(?:final_?)?(answer|choice|option|result|prediction)\"\s*:\s*\"?([^\"{}]*)\"?\s*\}?",
    re.IGNORECASE,
)

DECLARING = re.compile(
    r"<answer>|\b(?:answers?|solution|conclusion|response|result)\b"
    r"(?:\s+(?:to|for|of)\s+(?:the|this|that|your)\s+\w+)?(?:\s+(?:here|then))?"
    r"(?:\s+(?:is|was|are|would\s+be|should\s+be|must\s+be|has\s+to\s+be|will\s+be)\b(?:\s*:)?|\s*[:=→]+|\s+-+>?(?=\s))"
    r"|\b(?:la\s+respuesta|la\s+réponse|la\s+risposta|a\s+resposta|die\s+(?:\w+\s+)?antwort)(?:\s+(?:correcta|finale?|correcte|giusta|corretta"
    r"|correta))?(?:\s+(?:es|est|è|é|ist|lautet)\b(?:\s*:)?|\s*:+)|答案\s*(?:应该是|应为|应是|是|为|:|:)|(?:^|(?<=\s))答\s*[::]|정답은|정답\s*[::]|답은|답\s*[::]|答えは|正解は",
    re.IGNORECASE,
)
CORRECTION = re.compile(
    r"\b(?:no,|wait|actually|correction|hmm|on second thought|let me re\w*|re-?(?:check|examin|consider|evaluat)\w*|instead"
    r"|but|however|so|therefore|thus|hence|finally?|in conclusion|overall|first thought|sorry|scratch that|rather)"
    r"(?:\b|(?<=,))"
    r"|^\s*[-=_*]{3,}\s*$",
    re.IGNORECASE | re.MULTILINE,
)
ALTERNATIVE = re.compile(r"\b(?:or|either)\b[^.!?\n]{0,40}$", re.IGNORECASE)
UNSURE = re.compile(
    r"\b(?:not\s+(?:\w+\s+)?(?:sure|certain|clear|possible|able)|unsure|uncertain|unclear|unable|no\s+idea|maybe|perhaps|possibly"
    r"|might|may\s+be|could\s+(?:also\s+)?be|could\s+go|either|neither|impossible|depends|also\s+possible|ambiguous|undecided|hard\s+to\s+(?:say|tell)"
    r"|(?:can't|(?:can|could|do|does|did|will|would)(?:not|\s+not|n't))\s+(?:\w+\s+)?(?:know|tell|see|say|determine|decide|answer|help|view|"
    r"identify|provide|assist|choose|be\s+(?:sure|determined|certain))|sorry|as\s+an\s+ai|guess(?:ing)?|no\s+way\s+to)\b",
    re.IGNORECASE,
)
# At the start of a clause these phrases take back everything before them. Words with other meanings ("wait for the bus")
# count only before a pause.
_TAKEN_BACK = re.compile(
    r"(?:^|[.!?,;:\n(-]\s*|\b(?:no|oh|but|ah|hmm|and),?\s+)(?:wait(?=\s*[,.!:-]|\s+(?:no|actually|that)\b)|hold on"
    r"|actually(?=,?\s+(?:no|yes|the\s+(?:answer|correct)|(?:image|picture|photo)\s*\d|\(?[A-Z]\)?(?=\W*$)|\d+(?=\W*$))\b)"
    r"|scratch that|strike that|on second thoughts?|correction(?=\s*[,.!:-])|oops|whoops|my (?:mistake|bad|apologies)"
    r"|I (?:made a mistake|misread|miscounted|misspoke|was wrong)"
    r"|let me (?:re(?!a)\w+|correct|(?:look|check|try|count) again))"
    r"\b",
    re.IGNORECASE,
)
_SELF_ANSWERED = re.compile(
    r"(?:^|(?<=[.!?\n]))[^.!?\n]*\?\s*(?:no|nope|not quite)\b[,.!:;]*(?=\s+\w)", re.IGNORECASE
)


_TAG_QUESTION = re.compile(r",\s*(?:right|correct|isn't\s+it|is\s+it\s+not)\?$", re.IGNORECASE)
# A 'no' after a pause takes back too, in a reply that is not itself a yes or no ("Image 1 ... no, image 2.").
_NO = re.compile(
    r"(?:\.\.\.|[,;]|\s-+|[–—])\s*(?:oh\s+|ah\s+)?no\s*(?:,|\.\.\.)(?=\s+\w)"
    r"|[.!]\s+no,(?=\s+(?:(?:it's|it\s+is|i\s+mean)\s+)?(?:in\s+)?(?:(?:image|picture|photo|option)\s*)?[(\[]?(?:\d+|[A-Z])[)\]]?\s*(?:[.,!]|$))",
    re.IGNORECASE,
)


def corrected(reply: str, by_no: bool = False) -> str:
    """Return a reply as plain text from the last point at which it takes back what it said ("6. Wait, let me recount: 7."),
    without questions that it denies itself ("Image 2? No, Image 1."). Return "" for a reply that only asks ("B?").
    by_no: whether a 'no' after a pause takes back what was said, too."""
    text = plain(reply)
    if all(part.endswith("?") and not _TAG_QUESTION.search(part) for part in sentences(text)):
        return ""
    ends = [match.end() for match in _TAKEN_BACK.finditer(text) if re.search(r"\w", text[match.end() :])]
    text = text[max(ends, default=0) :]
    if by_no and (denials := list(_NO.finditer(text))):
        text = text[denials[-1].end() :]
    return _SELF_ANSWERED.sub(" ", text).strip()


def plain(reply: str) -> str:
    """Return a reply as plain text, or "" if it ends within a thought, since the answer is then missing."""
    text = _THOUGHT_END.sub("", _THOUGHT.sub("", reply))
    if _THOUGHT_START.search(text):
        return ""
    text = _VULGAR_FRACTION.sub(" ", _SUPERSCRIPTS.sub("^", text))
    text = unicodedata.normalize("NFKC", text).translate(_SIGNS)
    text = "".join(
        sign for sign in text if unicodedata.category(sign) != "Cf" and not "\ufe00" <= sign <= "\ufe0f"
    )
    return _without_questions(_unmarked(_own_turn(text))).strip()


def _own_turn(text: str) -> str:
    """Return the reply's own turn: the text before another question, or after 'Answer:' if the question is repeated."""
    text = next((part for part in _END_OF_TURN.split(text) if part.strip()), "").strip()
    other = _OTHER_TURN.search(text)
    if other and not text[: other.start()].strip():
        own = _OWN_TURN.search(text, other.end())
        if own is None:
            return text
        text = text[own.end() :]
        other = _OTHER_TURN.search(text)
    return text[: other.start()] if other else text


def _without_questions(text: str) -> str:
    """Return a reply without the questions that it asks, if anything else is left."""
    asked = [part for part in sentences(text) if part.endswith("?") and len(part.split()) > 2]
    rest = text
    for part in asked:
        rest = rest.replace(part, " ", 1)
    return rest if re.search(r"\w", rest) else text


def _unmarked(text: str) -> str:
    """Remove the marks of Markdown, LaTeX, HTML and JSON. A boxed answer becomes a declared one."""
    text = re.sub(
        r"\\[(\[\])]|\$|\\(?:displaystyle|left|right|!|,|;|quad|qquad)|\\ ",
        lambda m: " " if m[0] in ("\\ ", "\\,") else "",
        text,
    )
    text = text.replace("{,}", ",").replace("\\%", "%").replace("\\times", "×")
    text = _FRACTION.sub(r" \1/\2", text)
    for _ in range(3):
        text = _LATEX_TEXT.sub(r"\1", text)
    text = _BOXED.sub(lambda m: f"<answer>{m[1] if m[1] is not None else m[2]}</answer>", text)
    text = _HTML.sub(" ", re.sub(r"<([biups])>(.*?)</\1>", r"\2", text, flags=re.IGNORECASE | re.DOTALL))
    text = _JSON.sub(r"answer: \2", text)
    text = re.sub(r"<(?:final[_ ]?)?answer>", "<answer>", text, flags=re.IGNORECASE)
    text = _BOLD_LETTER.sub(r"(\2)", text)
    text = re.sub(r"(?<=\d)\*\*(?=\d)", "^", text)
    text = _UNDERSCORES.sub("", _STARS.sub("", text))
    text = re.sub(r"```\w*|^[ \t]*(?:#{1,6}|>)[ \t]+", "", text, flags=re.MULTILINE)
    numbered = re.findall(r"^[ \t]*(\d{1,2})[.)][ \t]+\S", text, re.MULTILINE)
    if len(numbered) > 1 and [int(n) for n in numbered] == list(range(1, len(numbered) + 1)):
        text = re.sub(r"^[ \t]*\d{1,2}[.)][ \t]+(?=\S)", "", text, flags=re.MULTILINE)
    return text


def before(text: str, at: int) -> str:
    """Return the text before a place as far as any rule looks back, so that long replies take linear time."""
    return text[max(0, at - REACH) : at]


def sentences(text: str) -> list[str]:
    """Return the sentences of a text; a new line ends one too."""
    parts = re.split(r"(?<=[.!?])[\"')\]]*\s+(?!(?:\d|[a-z])*[.)]?\s*[a-z])|\n+", text)
    return [part.strip() for part in parts if part and part.strip()]


def declared(
    text: str, read: Callable[[str], Value | Ambiguous | None], pattern: re.Pattern = DECLARING
) -> Value | Ambiguous | None:
    """Return the value that a text declares, None if it declares nothing. `settled` decides between several declarations.
    read: returns the value at the start of a text, AMBIGUOUS, or None if there is none. pattern: the declaring phrases."""
    found = []
    for match in pattern.finditer(text):
        rest = text[match.end() : match.end() + FAR]
        if match[0].lower() == "<answer>":
            rest = rest.split("</answer>")[0]
        if not doubted(text, match) and (value := read(rest)) is not None:
            found.append((match.start(), match.end(), value))
    return settled(text, found)


def doubted(text: str, match: re.Match) -> bool:
    """Return whether the words before a declaration in its sentence take it back ('I can't tell whether it is …')."""
    lead = re.split(r"[.!?;:\n]|\bbut\b|\bhowever\b", before(text, match.start()), flags=re.IGNORECASE)[-1]
    return match[0].lower() != "<answer>" and UNSURE.search(lead) is not None


def settled(text: str, found: list[tuple[int, int, Value | Ambiguous]]) -> Value | Ambiguous | None:
    """Return the value of the last declaration (start, end, value) if all agree with it, or if a word of correction or
    conclusion stands between it and the last one that differs; else AMBIGUOUS. None if there are no declarations."""
    if not found:
        return None
    start, end, last = max(found, key=lambda one: one[0])
    differing = [one for one in found if one[2] != last]
    if not differing:
        return last
    previous = max(one[1] for one in differing)  # where the last of them ends
    correction = CORRECTION.search(text, previous, end)
    return last if correction and not ALTERNATIVE.search(text[previous:start]) else AMBIGUOUS
