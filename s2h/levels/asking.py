"""Models that help to make pairs: the one whose wrong answers become the rejected ones at level 1, and the one that chooses
distractors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def answers_of(given: Any, model: str, source: Any, say: Callable[[str], None]) -> dict:
    """The arguments of `generate` that come from a model: its answers, and what is made of them. given: the options of
    s2h-gen."""
    from s2h import seeds
    from s2h.models import vlm

    loaded = vlm.load(model)
    say(f"rejected answers are the wrong generations of {loaded.name}")
    how = {"batch_size": given.batch_size, "max_new_tokens": given.max_new_tokens}
    temperature = given.temperature or 1.0

    def ask(rows, key):
        if given.samples == 1:
            return [[text] for text in vlm.generate(loaded, rows, **how)]
        chance = seeds.seed_of(given.seed, key) % 2**31
        return list(
            vlm.sample(loaded, rows, samples=given.samples, temperature=temperature, seed=chance, **how)
        )

    name = f"{model} {given.samples} {temperature:g} {given.max_new_tokens} {given.select or ''}"
    found: dict = {"answer": ask, "answerer": name}
    if source.spec != "builtin":  # whose answers are single values
        found["alike"] = _alike(given, say)
    if given.select:
        from s2h.levels.attention import selecting
        from s2h.models.attention import share

        found["choose"] = selecting(lambda *row: share(loaded, *row))
    return found


def _alike(given: Any, say: Callable[[str], None]) -> Callable[[str, str], bool]:
    """Whether two long answers say the same; the text model is loaded when there are two."""
    loaded = []

    def judge(one: str, other: str) -> bool:
        from s2h.models import text

        if not loaded:
            loaded.append(text.load(given.text_model or text.DEFAULT))
            say(f"answers of many words are compared by {loaded[0].name}")
        a, b = loaded[0].encode([one, other])
        return float(a @ b) >= given.alike

    return judge


def similar_distractors(given: Any, source: Any, say: Callable[[str], None]) -> Callable | None:
    """What chooses distractors by CLIP, if that is asked for: those that resemble the target, and for search none that
    seems to show the concept."""
    near = given.distractors == "similar"
    if not near and not given.clip_model:
        return None
    from s2h.levels.similar import BAND, Similar
    from s2h.models import clip

    name = given.clip_model or (clip.BUNDLED if source.spec == "builtin" else clip.DEFAULT)
    model = clip.load(name)
    if near:
        say(f"distractors are like the target by {model.name}")
    if given.task == "search" and not source.exhaustive:
        say(f"distractors don't show what is searched for by {model.name} and the captions")
    return Similar(
        lambda image: model.images([model.prepare(image)])[0],
        given.size,
        (given.similar or BAND) if near else None,
        lambda text: model.texts([text])[0],
    )
