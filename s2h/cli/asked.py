"""The options of s2h-gen: whether they go together, and what standard error says about those of search."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import click

from s2h.cli import places


@dataclass(frozen=True)
class Options:
    """What was asked for, checked as far as that needs no data."""

    task: str
    count: int
    spec: str
    seed: int
    per_prompt: tuple[int, int] | None
    layout: str
    distractors: str
    similar: tuple[float, float] | None
    clip_model: str | None
    nonexistent: float
    negatives: tuple[tuple[str, float], ...]
    forms: tuple[tuple[str, float], ...]
    relations: tuple[tuple[str, float], ...]
    twins: bool
    working: float | None
    model: str | None
    samples: int
    temperature: float | None
    select: str | None
    alike: float
    text_model: str | None
    batch_size: int
    max_new_tokens: int
    split: str
    shard: tuple[int, int]
    workers: int
    resume: bool
    no_follow: bool
    size: int | tuple[int, int]
    image_dir: str
    captioner: str | None
    captions: str | None

    def images(self) -> tuple[int, int]:
        return self.per_prompt or (
            (2, 9) if self.layout == "grid" else (2, 2) if self.layout == "pip" else (2, 5)
        )

    @property
    def captions_file(self) -> str | None:
        """Where the captions of --captioner are kept."""
        return (self.captions or os.path.join(self.image_dir, "captions.jsonl")) if self.captioner else None

    @property
    def asked_model(self) -> str | None:
        """Whose wrong answers become the rejected ones, if any model's: for built-in images the miniature's, unless the
        negatives come from elsewhere."""
        by_design = self.task != "vqa" or self.spec != "builtin" or self.negatives or self.twins
        return self.model or (None if by_design else "mini")

    def of_result(self) -> dict[str, Any]:
        """The options that the pairs depend on."""
        other = ("resume", "workers", "batch_size")
        return {"command": "gen"} | {name: one for name, one in vars(self).items() if name not in other}

    def check(self) -> None:
        """Refuse what doesn't go together."""
        task, model = self.task, self.model
        near = self.distractors == "similar"
        for option, wanted in {"--model": model, "--nonexistent": self.nonexistent}.items():
            if wanted and task != "vqa":
                raise click.UsageError(f"{option} is for vqa: {task} has its images and negatives by design.")
        if near and task not in ("vqa", "search"):
            raise click.UsageError(
                f"--distractors similar is for vqa and search: {task} has its images by design."
            )
        its_own = (
            ("--form", self.forms, "search"),
            ("--relation", self.relations, "kinship"),
            ("--captioner", self.captioner, "search"),
        )
        for option, wanted, its in its_own:
            if wanted and task != its:
                raise click.UsageError(f"{option} is for {its}.")
        if model and self.negatives:
            raise click.UsageError(
                "--model and --negative exclude each other: a model's own mistakes are the negatives."
            )
        if self.twins and task == "vqa" and model:
            raise click.UsageError(
                "--twins and --model exclude each other: a mistake has no images of its own."
            )
        if self.working is not None and task == "vqa":
            raise click.UsageError(
                "--working is for levels 2 and 3: an answer of vqa looks at one image only."
            )
        if self.temperature and self.samples == 1:
            raise click.UsageError("--temperature needs --samples 2 or more: one answer is the greedy one.")
        if (self.similar or (self.clip_model and task != "search")) and not near:
            raise click.UsageError("--similar and --clip-model are for --distractors similar.")
        if self.captions and not self.captioner:
            raise click.UsageError("--captions is for --captioner.")
        if self.select and self.layout != "sequence":
            raise click.UsageError("--select attention needs the images one by one (--layout sequence).")
        if self.workers > 1 and self.asked_model:
            raise click.UsageError("--workers is for pairs without a --model (use --shard).")
        if self.workers > 1 and (near or self.clip_model):
            raise click.UsageError("--workers is for pairs without a CLIP model (use --shard).")

    def check_places(self, output: str) -> None:
        """Refuse an output that is an input."""
        models = [self.model, self.captioner, self.clip_model, self.text_model]
        places.check(
            [*places.in_spec(self.spec), *filter(None, models)],
            {"-o": output, "--captions": self.captions_file, "--image-dir": self.image_dir},
            grow=("-o",),
        )

    def check_source(self, source) -> None:
        from s2h.tasks import possible_negatives

        possible = possible_negatives(self.task, source)
        for kind, _ in self.negatives:
            if kind not in possible:
                raise click.BadParameter(f"{kind!r}: no such kind for {self.task} here (choose from {', '.join(possible)})",
                                         param_hint="--negative")  # fmt: skip
        if self.negatives and not sum(weight for _, weight in self.negatives) > 0:
            raise click.BadParameter("the weights add up to nothing", param_hint="--negative")
        if self.clip_model and self.distractors == "random" and source.photos and source.photos.exhaustive:
            raise click.UsageError(
                f"--clip-model is for --distractors similar here: {source.spec} notes what its pictures don't show."
            )
        for option, wanted in (("--samples", self.samples > 1), ("--select", self.select)):
            if wanted and not self.asked_model:
                raise click.UsageError(f"{option} needs vqa and a --model whose answers they are.")


def search_messages(given: Options, source) -> list[str]:
    """What to say about the forms of question of search: which default applies, what is assumed, and what is too easy."""
    from s2h.tasks.search import ABOUT_ABSENCE

    photos = source.photos
    if photos is None:
        return []
    said, asked = [], {form for form, weight in given.forms if weight}
    tells = photos.captions_say_more
    if not photos.exhaustive and not asked:
        said.append(
            "captions don't prove what a picture does not show: caption questions only, as with --form caption=1 (locate, "
            "count and absent are made if you ask for them)"
        )
    elif not photos.exhaustive and asked & set(ABOUT_ABSENCE):
        said.append(
            'what the captions don\'t mention is assumed to be absent (facts.absence is "assumed"): '
            f"{', '.join(form for form in ABOUT_ABSENCE if form in asked)}"
        )
    if not tells and not asked and photos.exhaustive:
        said.append(
            "the captions say no more than what is searched for: locate and count questions instead of captions (full "
            "captions: --captioner MODEL)"
        )
    elif not tells and (not asked or asked & {"caption", "absent"}):
        said.append(
            "the captions carry no more than the name of what is searched for, so that wrong ones can be told from the "
            "words alone (full captions: --captioner MODEL)"
        )
    return said
