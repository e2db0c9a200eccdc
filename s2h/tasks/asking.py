"""Models that help to make pairs: the one whose wrong answers become the rejected ones at level 1, and the one that chooses
distractors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s2h.errors import counted


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
        usable = [at for at, row in enumerate(rows) if _takes(loaded, *row)]
        asked = [rows[at] for at in usable]
        if given.samples == 1:
            said = [[text] for text in vlm.generate(loaded, asked, **how)]
        else:
            chance = seeds.seed_of(given.seed, key) % 2**31
            drawn = {"samples": given.samples, "temperature": temperature, "seed": chance}
            said = list(vlm.sample(loaded, asked, **drawn, **how))
        told = dict(zip(usable, said, strict=True))
        return [told.get(at) for at in range(len(rows))]

    name = f"{model} {given.samples} {temperature:g} {given.max_new_tokens} {given.select or ''}"
    found: dict = {"answer": ask, "answerer": name}
    if source.spec != "builtin":  # whose answers are single values
        found["alike"] = _alike(given, say)
    if given.select:
        from s2h.models.image_attention import share
        from s2h.tasks.attention import selecting

        found["choose"] = selecting(lambda *row: share(loaded, *row))
    return found


def _takes(loaded: Any, messages: list[dict], images: list[Any]) -> bool:
    """Whether the model can be asked this: an image's mark in a question, an image that the processor refuses or a prompt
    beyond the window would end the batch."""
    from s2h.models import prompts, tokens
    from s2h.record import RecordError

    try:
        with tokens.refusals(loaded.name):
            prompt = prompts.prepare(loaded, messages, prompts.prepare_images(loaded, list(images)))
    except RecordError:
        return False
    return len(prompt.ids) < tokens.positions(loaded.model.config)


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
    from s2h.models import clip
    from s2h.tasks.similar import BAND, Similar

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


def with_captions(given: Any, source: Any, say: Callable[[str], None], progress: Callable) -> Any:
    """The source with captions that a model has written for its pictures (--captioner)."""
    from s2h.sources import SourceError
    from s2h.sources.album import Album
    from s2h.sources.captioner import PROMPT, Sidecar, captioned, whole

    if not isinstance(source, Album):
        raise SourceError(
            f"source {source.spec!r}: --captioner captions pictures in files, as of classes:PATH or captions:PATH"
        )
    sidecar = Sidecar(given.captions_file, given.captioner)
    before, loaded = len(sidecar.captions), []

    def write(pictures: list[Any]) -> list[str]:
        from s2h import record
        from s2h.models import vlm

        if not loaded:
            loaded.append(vlm.load(given.captioner))
            say(f"captions are written by {loaded[0].name} and kept in {sidecar.path}")
        ask = record.interleave([record.IMAGE, "\n" + PROMPT])
        rows = [(ask, [picture]) for picture in pictures]
        how = {"batch_size": given.batch_size, "max_new_tokens": given.max_new_tokens}
        texts = list(vlm.generate(loaded[0], rows, **how))
        counted = loaded[0].processor.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return [
            whole(text, len(ids) >= given.max_new_tokens) for text, ids in zip(texts, counted, strict=True)
        ]

    found = captioned(source, sidecar, write, given.batch_size, progress)
    written = len(sidecar.captions) - before
    say(f"{counted(written, 'caption')} written, {counted(before, 'was', 'were')} in {sidecar.path}")
    return found
