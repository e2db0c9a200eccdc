"""The blind test: how well words alone, without any image, separate the chosen from the rejected answer. A linear
classifier sees the question, the answer, and each word of one beside each word of the other; cross-validation keeps a
pair and its twin in one fold. An AUC of 0.5 is chance. A model can learn whatever the classifier finds
instead of looking.

The same test on form alone (`form_of`) sees no word, only how an answer begins and ends, its length and its signs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from s2h.seeds import within

FOLDS = 5
FEATURES = 1 << 20
MOST_ASKED = 40  # words of the question that are combined with those of the answer
RESAMPLES = 200
_WORD = re.compile(r"\w+|[^\w\s]")
_STOP = re.compile(r"[.!?](?=\s|$)")
_SIGNS = tuple(
    (name, re.compile(sign))
    for name, sign in (
        ("digit", r"\d"), ("comma", ","), ("colon", "[:;]"), ("quote", "[\"'`“”‘’]"), ("bracket", r"[()\[\]{}<>]"),
        ("dash", "[-–—]"), ("article", r"(?i)^(?:an?|the)\b"), ("space at an end", r"^\s|\s$"), ("two spaces", "  "),
        ("markdown", r"[*_#]"), ("bare letter", r"^\W*[A-Za-z]\W*$"), ("inner period", r"\.(?=\S)"),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Texts:
    """The texts of one pair. asked: the prompt. group: pairs of one group (twins) are always in one fold."""

    asked: str
    chosen: str
    rejected: str
    group: str


@dataclass(frozen=True)
class Blind:
    """The result of a test. auc: of chosen against rejected answers. low, high: its 95% interval, by a bootstrap over
    pairs. answered: the share of pairs whose chosen answer scores higher; a tie counts half."""

    auc: float
    low: float
    high: float
    answered: float
    pairs: int


def test(
    pairs: Sequence[Texts], seed: int = 0, features: Callable[[str, str], Iterator[str]] | None = None
) -> Blind | None:
    """Test some pairs; None if they are too few for the folds. features: a function (prompt, answer) -> names of
    features; by default the words."""
    groups = [pair.group for pair in pairs]
    if len(set(groups)) < 2 * FOLDS:
        return None
    import numpy as np
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold

    seed = within(seed, 32)
    hasher = FeatureHasher(FEATURES, input_type="string", alternate_sign=False)
    rows = hasher.transform(
        feature
        for pair in pairs
        for answer in (pair.chosen, pair.rejected)
        for feature in [(features or _features)(pair.asked, answer)]
    )
    rows.data = np.minimum(rows.data, 3)
    right = np.tile([1, 0], len(pairs))
    scores = np.zeros(len(right))
    twice: np.ndarray = np.repeat(np.arange(len(pairs)), 2)
    folds = GroupKFold(FOLDS, shuffle=True, random_state=seed)
    for learn, judge in folds.split(np.arange(len(pairs)), groups=groups):
        inside = np.isin(twice, learn)
        model = SGDClassifier(
            loss="log_loss", alpha=1e-5, average=True, random_state=seed, max_iter=8, tol=None
        )
        model.fit(rows[inside], right[inside])
        scores[~inside] = model.decision_function(rows[~inside])
        assert len(learn) + len(judge) == len(pairs)
    chosen, rejected = scores[0::2], scores[1::2]
    aucs, rng = [], np.random.default_rng(seed)
    for _ in range(RESAMPLES):
        some = rng.integers(0, len(pairs), len(pairs))
        aucs.append(
            roc_auc_score(np.tile([1, 0], len(some)), np.stack([chosen[some], rejected[some]], 1).ravel())
        )
    low, high = np.quantile(aucs, [0.025, 0.975])
    answered = float(np.mean((chosen > rejected) + 0.5 * (chosen == rejected)))
    return Blind(float(roc_auc_score(right, scores)), float(low), float(high), answered, len(pairs))


def _features(asked: str, answer: str) -> Iterator[str]:
    """Yield words and word pairs of the answer, its length, what it repeats of the question, and every word of the question
    beside every word of the answer's end."""
    question, words = _WORD.findall(asked.lower())[-MOST_ASKED:], _WORD.findall(answer.lower())
    for one, two in zip(["<", *words], [*words, ">"], strict=True):
        yield two
        yield f"{one} {two}"
    yield f"# {min(len(words), 40)}"
    yield f"## {min(len(answer) // 8, 40)}"
    asked_words = set(question)
    yield f"= {round(10 * sum(word in asked_words for word in words) / max(1, len(words)))}"
    yield f"/= {round(10 * sum(word in words for word in asked_words) / max(1, len(asked_words)))}"
    last = set(words[-8:])
    for word in asked_words:
        for other in last:
            yield f"{word}|{other}"


def form_of(asked: str, answer: str) -> Iterator[str]:
    """Yield the form of an answer without its words: its end, the case of its letters, its lengths in classes and its
    signs. The prompt is not used."""
    text = answer.strip()
    words = text.split()
    yield f"ends {text[-1:] if not text[-1:].isalnum() else 'bare'}"
    yield f"begins {_kind_of(text[:1])}"
    yield f"second {_kind_of(words[1][:1]) if len(words) > 1 else 'none'}"
    yield f"words {min(len(words), 3) if len(words) < 4 else 3 + min(len(words) // 4, 9)}"
    yield f"characters {min(len(text) // 6, 20)}"
    yield f"sentences {min(len(_STOP.findall(text)), 5)}"
    yield f"lines {min(text.count(chr(10)), 5)}"
    if text.isupper():
        yield "all capitals"
    for name, sign in _SIGNS:
        if sign.search(text):
            yield name


def _kind_of(sign: str) -> str:
    return "upper" if sign.isupper() else "lower" if sign.islower() else "digit" if sign.isdigit() else "sign"


def texts_of(record: dict) -> Texts:
    """Return the texts of a record."""
    from s2h.record import facts_of, text_of

    return Texts(
        text_of(record["prompt"]),
        text_of(record["chosen"]),
        text_of(record["rejected"]),
        str(facts_of(record).get("twin") or record["id"]),
    )
