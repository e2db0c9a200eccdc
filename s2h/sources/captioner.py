"""Caption photos with a vision-language model, for sources without captions (folders of classes) or with short ones. The
captions are stored as JSON lines with the digest of the picture, the model and the prompt, so that each picture is captioned
once, and an interrupted run continues where it stopped.

    s2h-gen search --source classes:birds --captioner qwen2.5-vl-7b -n 1000
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from s2h.record import RecordError, fail
from s2h.sources.captions import texts_of
from s2h.sources.items import Item
from s2h.sources.photo_set import Photos
from s2h.sources.photo_table import PhotoTable

if TYPE_CHECKING:
    from PIL.Image import Image

PROMPT = "Describe this image in one sentence."
_SENTENCE_ENDS = ".!?"
_NUMBERED = re.compile(r"^(?:in )?image (?:\d+|one)(?: shows| depicts| contains| is|,|:) ?", re.IGNORECASE)


class Sidecar:
    """The file of captions. Each line has `image` (digest of the picture's bytes), `model`, `prompt`, `caption` ("" if the
    model gave no usable one) and, if the size of the image was bounded for the model, `pixels`. Lines of other models,
    prompts and sizes are kept and ignored."""

    def __init__(self, path: str, model: str, prompt: str = PROMPT, pixels: str = "") -> None:
        self.path, self.how = (
            path,
            {"model": model, "prompt": prompt, **({"pixels": pixels} if pixels else {})},
        )
        self.captions = dict(self._read())

    def _read(self) -> Iterator[tuple[str, str]]:
        import orjson

        try:
            with open(self.path, "rb") as file:
                for line in file:
                    try:
                        row = orjson.loads(line)
                        if {key: row[key] for key in ("model", "prompt", "pixels") if key in row} == self.how:
                            yield str(row["image"]), str(row["caption"])
                    except (orjson.JSONDecodeError, KeyError, TypeError):
                        continue  # a killed run may leave an incomplete line; its picture is captioned again
        except FileNotFoundError:
            return
        except OSError as error:
            raise RecordError(f"--captions {self.path}: {error.strerror}") from None

    def add(self, captions: dict[str, str]) -> None:
        """Append captions by the digests of their pictures, in one write."""
        import orjson

        rows = ({"image": image, **self.how, "caption": caption} for image, caption in captions.items())
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
    def _cut_short(file: BinaryIO) -> bool:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def captioned(
    photos: Photos,
    sidecar: Sidecar,
    write: Callable[[list[Image]], Iterable[tuple[int, str | RecordError]]],
    batch_size: int = 32,
    progress: Callable[[Iterable], Iterable] = iter,
    on_error: Callable[[RecordError], None] = fail,
) -> Photos:
    """Return the same pictures with the model's captions, from the file or newly written.

    write: yields (position, caption) for PIL images that the file lacks, "" for one without a caption. An error in place of
    a caption goes to on_error; its picture is left out, and a later run asks for it again.
    """
    from s2h.images.decoding import decode, read_bytes
    from s2h.images.store import digest

    def bytes_of(item: Item) -> bytes:
        return item.data() if item.data else read_bytes(item.reference)

    def fill_up(waiting: dict[str, Image]) -> None:
        if not waiting:
            return
        images, faults = list(waiting), []
        for at, caption in write(list(waiting.values())):
            if isinstance(caption, RecordError):
                caption.where = caption.where or names[images[at]]
                faults.append(caption)
            else:
                sidecar.add({images[at]: caption})
        for fault in faults:
            on_error(fault)

    digests: dict[tuple[int, int], str] = {}
    waiting: dict[str, Image] = {}
    names: dict[str, str] = {}  # of the pictures that wait, for errors
    for place, item in progress(photos.pictures()):
        data = bytes_of(item)
        digests[place] = image = digest(data)
        if image not in sidecar.captions and image not in waiting:
            waiting[image], names[image] = decode(data, item.key), item.reference or item.key
        if len(waiting) == batch_size:
            fill_up(waiting)
            waiting, names = {}, {}
    fill_up(waiting)
    excluded = Counter(photos.excluded)
    tables: dict[int, PhotoTable] = {}
    for (part, at), image in digests.items():
        if texts := texts_of(sidecar.captions.get(image, "")):
            table = tables.setdefault(part, PhotoTable(photos.table(part).prefix))
            photos.table(part).copy(at, table, texts)
        else:
            excluded["no caption by the model"] += 1
    return photos.recaptioned([table.seal() for table in tables.values()], excluded, sidecar.how["model"])


def whole(text: str, cut: bool) -> str:
    """Return a caption on one line, without the number in "Image 1 shows ...", which a prompt would contradict. cut:
    whether the model was stopped at its token limit, so that only complete sentences are kept."""
    text = _NUMBERED.sub("", " ".join(text.split()))
    if not cut or text.endswith(tuple(_SENTENCE_ENDS)):
        return text
    return text[: max(map(text.rfind, _SENTENCE_ENDS)) + 1]
