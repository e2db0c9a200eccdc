"""Sources: data sets and folders, opened by `open_source`, from which tasks make pairs.

- A reader is a module with a `SOURCE` (source.py): captions.py, classes.py, coco.py, ..., and the package builtin/, which
  draws its pictures itself. opening.py finds the one for a `--source`.
- shapes.py has the four shapes of data that a task can ask for; items.py has the values that they return.
- photo_set.py, question_set.py, digit_set.py and kinship_people.py hold the data of a reader in each of these shapes.
"""

from s2h.sources.items import AnswerOdds, Concept, Item, NoPair, Question, SourceError, Trait
from s2h.sources.opening import folder_of, open_source, split_spec
from s2h.sources.source import Request, Source

__all__ = [
    "AnswerOdds",
    "Concept",
    "Item",
    "NoPair",
    "Question",
    "Request",
    "Source",
    "SourceError",
    "Trait",
    "folder_of",
    "open_source",
    "split_spec",
]
