"""Captions that a vision-language model writes for photos, for sources whose own captions say too little: a folder of
classes has none. They are kept in a file of JSON lines by the content of the picture, the model and the prompt, so that
each picture is captioned once, and an interrupted run continues where it stopped.

    s2h-gen search --source classes:birds --captioner qwen2.5-vl-7b -n 1000
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from s2h.record import RecordError
from s2h.sources.captions import texts_of
from s2h.sources.items import Item
from s2h.sources.photo_set import Photos
from s2h.sources.photo_table import PhotoTable

PROMPT = "Describe this image in one sentence."
_SENTENCE_ENDS = ".!?"
_NUMBERED = re.compile(r"^(?:in )?image (?:\d+|one)(?: shows| depicts| contains| is|,|:) ?", re.IGNORECASE)


class Sidecar:
    """The file of captions. Each line has `image` (digest of the bytes of the picture), `model`, `prompt` and `caption`, ""
    where the model gave none that can be used. Lines of other models and prompts stay and are not used."""

    def __init__(self, path: str, model: str, prompt: str = PROMPT) -> None:
        self.path, self.model, self.prompt = path, model, prompt
        self.captions = dict(self._read())

    def _read(self) -> Iterator[tuple[str, str]]:
        import orjson

        try:
            with open(self.path, "rb") as file:
                for line in file:
                    try:
                        row = orjson.loads(line)
                        if (row["model"], row["prompt"]) == (self.model, self.prompt):
                            yield str(row["image"]), str(row["caption"])
                    except (orjson.JSONDecodeError, KeyError, TypeError):
                        continue  # a line cut short by a kill; its picture is captioned again
        except FileNotFoundError:
            return
        except OSError as error:
            raise RecordError(f"--captions {self.path}: {error.strerror}") from None

    def add(self, captions: dict[str, str]) -> None:
        """Append captions by digest, whole lines in one write."""
        import orjson

        rows = (
            {"image": image, "model": self.model, "prompt": self.prompt, "caption": caption}
            for image, caption in captions.items()
        )
        lines = b"".join(orjson.dumps(row) + b"\n" for row in rows)
        try:
            os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
            with open(self.path, "a+b") as file:
                if file.tell() and self._cut_short(file):
                    lines = b"\n" + lines
                file.write(lines)
        except OSError as error:
            raise RecordError(
                f"--captions {self.path}: {error.strerror}", remedy="name a file that can be written"
            ) from None
        self.captions.update(captions)

    @staticmethod
    def _cut_short(file: Any) -> bool:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def captioned(
    photos: Photos,
    sidecar: Sidecar,
    write: Callable[[list[Any]], list[str]],
    batch_size: int = 32,
    progress: Callable[[Iterable], Iterable] = iter,
) -> Photos:
    """Return the same pictures with captions of the model, from the file or written now.

    write: returns a caption for each of some PIL images, "" where it has none. It is only called for pictures that the file
    lacks.
    """
    from s2h.images.decoding import decode, read_bytes
    from s2h.images.store import digest

    def bytes_of(item: Item) -> bytes:
        return item.data() if item.data else read_bytes(item.reference)

    def fill_up(waiting: dict[str, Any]) -> None:
        if waiting:
            sidecar.add(dict(zip(waiting, write(list(waiting.values())), strict=True)))

    digests: dict[tuple[int, int], str] = {}
    waiting: dict[str, Any] = {}
    for place, item in progress(photos.pictures()):
        data = bytes_of(item)
        digests[place] = image = digest(data)
        if image not in sidecar.captions and image not in waiting:
            waiting[image] = decode(data, item.key)
        if len(waiting) == batch_size:
            fill_up(waiting)
            waiting = {}
    fill_up(waiting)
    excluded = Counter(photos.excluded)
    tables: dict[int, PhotoTable] = {}
    for (part, at), image in digests.items():
        if texts := texts_of(sidecar.captions[image]):
            table = tables.setdefault(part, PhotoTable(photos.table(part).prefix))
            photos.table(part).copy(at, table, texts)
        else:
            excluded["no caption by the model"] += 1
    return photos.recaptioned([table.seal() for table in tables.values()], excluded, sidecar.model)


def whole(text: str, cut: bool) -> str:
    """Return a caption on one line, without a number that the picture will not have in a prompt ("Image 1 shows ..."). cut:
    whether the model was stopped in the middle, so that only its whole sentences stay."""
    text = _NUMBERED.sub("", " ".join(text.split()))
    if not cut or text.endswith(tuple(_SENTENCE_ENDS)):
        return text
    return text[: max(map(text.rfind, _SENTENCE_ENDS)) + 1]
