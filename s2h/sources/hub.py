"""A dataset of the Hub, by its name. dataset_columns.py finds the columns.

s2h-gen vqa --source hub:HuggingFaceM4/A-OKVQA:validation -n 1000
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from s2h.sources.dataset_columns import of_split, open_table
from s2h.sources.photo_set import Photos
from s2h.sources.question_set import Questions
from s2h.sources.shapes import COMPARABLE, PHOTOS, QUESTIONS, SHARED_QUESTIONS
from s2h.sources.source import Request, Source


def read(request: Request) -> Photos | Questions:
    """Open NAME or NAME:SPLIT. Raises SourceError if it can't be loaded or used."""
    import datasets
    from huggingface_hub import constants

    name, _, part = request.path.partition(":")

    def load() -> tuple[Any, bool]:
        if part:
            return datasets.load_dataset(name, split=part), False
        return of_split(datasets.load_dataset(name), request.split)

    roots = [
        constants.HF_HUB_CACHE,
        datasets.config.HF_DATASETS_CACHE,
        datasets.config.EXTRACTED_DATASETS_PATH,
    ]
    return open_table(request, load, list(map(str, roots)), Counter())


SOURCE = Source(
    title="A dataset of the Hub: hub:NAME or hub:NAME:SPLIT",
    read=read,
    serves=(PHOTOS, COMPARABLE, QUESTIONS, SHARED_QUESTIONS),
    place="name",
)
