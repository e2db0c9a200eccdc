"""Sources: data sets and folders from which tasks make pairs. `open_source` opens one.

- A reader is a module that defines a `SOURCE` (source.py): captions.py, classes.py, coco.py, ..., and the package builtin/,
  which draws its pictures itself. opening.py finds the reader for a `--source`.
- shapes.py defines the four shapes of data that a task can ask for; items.py defines the values that they return.
- photo_set.py, question_set.py, digit_set.py and kinship_people.py implement the shapes; a reader fills one of them.
"""

from s2h.errors import NoPair
from s2h.sources.items import AnswerOdds, Concept, Item, Question, SourceError, Trait
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
