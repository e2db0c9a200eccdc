"""Read a reply's yes or no: after 'the answer is', at the start of a sentence, or as the only one of the two words. 'No'
before a noun does not answer, except in 'there is no dog'."""

from __future__ import annotations

import re

from s2h.parsers import plain

_SAID = {
    "yes": "yes", "yeah": "yes", "yep": "yes", "yup": "yes", "no": "no", "nope": "no", "nah": "no", "y": "yes", "n": "no",
    "true": "yes", "false": "no", "correct": "yes", "incorrect": "no", "是": "yes", "是的": "yes", "对": "yes",
    "否": "no", "不是": "no", "不": "no", "没有": "no", "예": "yes", "네": "yes", "아니요": "no",
    "はい": "yes", "いいえ": "no", "正确": "yes", "對": "yes", "不对": "no", "不對": "no", "错误": "no", "沒有": "no",
    "absolutely": "yes", "certainly": "yes", "definitely": "yes", "absolutely not": "no", "certainly not": "no",
    "definitely not": "no", "of course not": "no", "not true": "no", "not correct": "no",
    "i think so": "yes", "i believe so": "yes", "of course": "yes", "i don t think so": "no", "i do not think so": "no",
    "i don t believe so": "no", "not really": "no", "that s correct": "yes", "that s right": "yes", "that s true": "yes",
    "that is correct": "yes", "that is right": "yes", "that is true": "yes", "that s incorrect": "no", "that s wrong": "no",
    "that s false": "no", "that is incorrect": "no", "that is wrong": "no", "that is false": "no",
    "sí": "yes", "oui": "yes", "ja": "yes", "sim": "yes", "да": "yes", "nein": "no", "non": "no", "não": "no", "нет": "no",
    "that s not true": "no", "that s not correct": "no", "that is not true": "no", "that is not correct": "no",
}  # fmt: skip
# At the start of a sentence these words answer only before a pause.
_BEFORE_PAUSE = re.compile(
    r"\W*(true|false|sí|oui|ja|sim|да|nein|non|não|нет|是的|是|对|不是|不对|不|否|没有|はい|いいえ|네|예|아니요)\s*[,.!;:]",
    re.IGNORECASE,
)
_VERDICT = re.compile(
    r"\b(?:statement|claim|sentence|caption|description|assertion)\s+is\s*:?\s+(?:(?:therefore|thus|clearly|indeed|actually)\s+)?"
    r"(?P<no>not\s+)?(?:(?P<right>true|correct|right|accurate)|false|incorrect|wrong|inaccurate)\b(?!\s+that\b)",
    re.IGNORECASE,
)
# These answer only as the whole reply: before other words they are courtesies.
_WHOLE = {"sure": "yes", "right": "yes", "wrong": "no", "no way": "no"}
_WORD = r"(?:yes|yeah|yep|yup|no|nope|nah)(?![\w-]|'\w)"
_ADVERB = r"(?:(?:clearly|definitely|certainly|obviously|most\s+likely|likely|probably|simply|a|an|in\s+fact)[\s,]+)*"
_LEAD = (
    r"(?:(?:so|well|oh|ok|okay|and|but|then|therefore|thus|hence|in\s+short|i\s+(?:think|believe|say)|i(?:'d|\s+would)\s+say"
    rf"|assistant|sure)[\s,]*)*{_ADVERB}"
)
# The words that may follow a 'no' that answers. Before any other word it is a determiner.
_GOES_ON = (
    r"(?:there|it|its|it's|they|they're|the|this|that|these|those|he|she|he's|she's|i|we|you|image|images|because|since|as|none|neither"
    r"|both|all|in|at|on|not|sir|please|yes|no|and|or|a|an|his|her|their|only|nothing|nobody|both|each)\b"
)
_ANSWER = re.compile(rf"^\W*{_LEAD}(?P<word>{_WORD})(?P<rest>.*)$", re.IGNORECASE | re.DOTALL)
_NEXT = re.compile(
    rf"^[\s,/&]*(?:(?:and|or|but)\b[\s,]*)?(?P<word>{_WORD})(?P<rest>\W.*|)$", re.IGNORECASE | re.DOTALL
)
_LISTED = re.compile(rf"\W*$|\s*[,/]|\s+(?:(?:and|or)\s+)?{_WORD}|\s+(?!images?\b){_GOES_ON}", re.IGNORECASE)
_LAST = re.compile(
    rf"(?:,|\b(?:so|then|therefore|thus|hence|say|think|believe|is|be)\b)[\s,:\"'(]*(?P<word>{_WORD})\W*$",
    re.IGNORECASE,
)
_DETERMINER = re.compile(
    r"\b(?:no\s+(?:doubt|difference|differences|idea|way|problem|question|reason|need|mistake|change|changes|longer|matter"
    r"|contradiction|evidence|information|indication|clear|such\s+thing\s+as|answer|exception|other|more|fewer|less)|no\.?\s*\d+)\b",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"\b(?:there\s*(?:is|are|was|were|'s)|see|sees|find|has|have|shows?|contains?|with)\s+(?:clearly\s+|absolutely\s+)?no\s+\w"
    r"|(?:^|[.\n])\W*no\s+\w+(?:\s+\w+)?(?:\W*$|\s+(?:is|are|was|were|can|could|appears?|visible|present|seen|found|in|here|there)\b)",
    re.IGNORECASE,
)
# 'There is no cat, but there is a dog' answers one of two questions.
_OTHERWISE = re.compile(
    r"\b(?:but|however|although|though|instead)\b[\s,]*(?:there\s+(?:is|are|was|were)|(?:i|we)\s+(?:can\s+)?see"
    r"|(?:it|they|(?:the|this)\s+(?:image|picture|photo|scene))\s+(?:has|have|shows?|contains?))\b(?!\s*(?:no|not|never)\b)",
    re.IGNORECASE,
)
_NOT_THAT = re.compile(r"(?:\bnot|n't)\s+(?:the\s+case|true|correct|right)\s+that\b", re.IGNORECASE)
_NOT = re.compile(r"(?:\b(?:not|never|cannot|neither)|n't)\s+(?:\w+\s+){0,2}[\"']?$", re.IGNORECASE)
# A statement about one image is part of the working, not the conclusion, if another yes or no follows.
_OF_ONE = re.compile(
    r"\b(?:the\s+)?answers?\s+(?:for|to|in|of)\s+(?:the\s+)?(?:image|picture|photo)\s+\w+\s+is\s+[^.\n]*(?:[.\n]|$)",
    re.IGNORECASE,
)
# 'If it is red, yes' leaves open whether it is; 'if we look at the images, yes' doesn't.
_CONDITION = re.compile(
    r"\W*if\b(?!\s+(?:we|you|one|i)\s+(?:\w+\s+)?(?:look|compare|count|consider|examine|check|observe|see|zoom)\b)",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[.!?;:\n()]+|\s[-–—]+\s|[–—]|</?answer>")


def yes_no(text: str) -> str | None:
    """Return 'yes' or 'no'; None if the reply says neither or both."""
    text = _DETERMINER.sub(" ", plain.corrected(text))
    rest = _OF_ONE.sub(" ", text)
    if re.search(rf"\b{_WORD}", rest, re.IGNORECASE):
        text = rest
    bare = re.sub(r"[^\w]+", " ", text).strip().lower()
    if bare in _SAID or bare in _WHOLE:
        return _SAID.get(bare) or _WHOLE[bare]
    declared = plain.declared(text, _stated)
    if declared is not None:
        first = re.sub(r"[^\w]+", " ", text.split("\n")[0]).strip().lower()
        return None if declared is plain.AMBIGUOUS or _SAID.get(first, declared) != declared else declared
    if _CONDITION.match(text):
        return None
    answers: set[str] = set()
    for sentence in re.split(r"[.!?\n]+", text):
        some = {word for clause in _CLAUSE.split(sentence) for word in _claimed(clause)}
        if verdicts := {bool(one["no"]) == bool(one["right"]) for one in _VERDICT.finditer(sentence)}:
            both = re.search(
                r"\b(?:true|correct|right)\b.*\b(?:false|incorrect|wrong)\b", sentence, re.IGNORECASE
            )
            some |= {"yes", "no"} if both or len(verdicts) > 1 else {"no" if verdicts.pop() else "yes"}
        if paused := _BEFORE_PAUSE.match(f"{sentence}."):
            some.add(_SAID[paused[1].lower()])
        if idiom := _SAID.get(re.sub(r"[^\w]+", " ", sentence).strip().lower()):
            some.add(idiom)
        if some and plain.UNSURE.search(sentence) and not _ANSWER.match(sentence):
            return None
        answers |= some
    if answers:
        return answers.pop() if len(answers) == 1 else None
    if plain.UNSURE.search(text) or _OTHERWISE.search(text):
        return None
    found: set[str] = set()
    loose = False
    for match in re.finditer(rf"\b{_WORD}", text, re.IGNORECASE):
        word = _SAID[match[0].lower()]
        if _NOT.search(plain.before(text, match.start())) or _NOT_THAT.search(text):
            return None
        if match[0].lower() == "no" and not _ABSENT.search(text):
            loose = True
            continue
        found.add(word)
    return found.pop() if len(found) == 1 and not (loose and "yes" in found) else None


def _claimed(clause: str) -> set[str]:
    """Return the answers that a clause begins or ends with."""
    answers: set[str] = set()
    if (match := _ANSWER.match(clause)) and _answers(match["word"], match["rest"]):
        answers.add(_SAID[match["word"].lower()])
        answers |= _more(match["rest"])
    words = {_SAID[word.lower()] for word in re.findall(rf"\b{_WORD}", clause, re.IGNORECASE)}
    if not answers and len(words) > 1:
        return answers
    if (match := _LAST.search(clause)) and not _NOT.search(clause[: match.start("word")]):
        answers.add(_SAID[match["word"].lower()])
    return answers


def _answers(word: str, rest: str) -> bool:
    """Return whether a yes or no before `rest` is an answer."""
    return (
        _SAID[word.lower()] == "yes"
        or re.match(rf"\W*$|\s*[^\w\s]|\s+{_GOES_ON}", rest, re.IGNORECASE) is not None
    )


def _more(rest: str) -> set[str]:
    """Return the answers listed right after the first one ('yes no', 'yes and no')."""
    found: set[str] = set()
    while (match := _NEXT.match(rest)) and _LISTED.match(match["rest"]):
        found.add(_SAID[match["word"].lower()])
        rest = match["rest"]
    return found


def _stated(rest: str) -> str | plain.Ambiguous | None:
    """Return the yes or no right after a declaration; AMBIGUOUS if both or neither are declared."""
    if re.match(r"[\s\"'(\[:]*(?:not|neither|either|both)\b", rest, re.IGNORECASE):
        return plain.AMBIGUOUS
    if found := re.match(r"[\s\"'(\[:]*(true|false|y|n|是|否)(?=\W*(?:$|\n))", rest, re.IGNORECASE):
        return _SAID[found[1].lower()]
    clause = _CLAUSE.split(rest.lstrip(" \t\n:\"'([*"))[0]
    match = _ANSWER.match(clause)
    if match is None or not _answers(match["word"], match["rest"]):
        return None
    verdicts = {_SAID[match["word"].lower()]} | _more(match["rest"])
    return verdicts.pop() if len(verdicts) == 1 else plain.AMBIGUOUS
