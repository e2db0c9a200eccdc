"""Exports that are text: JSON lines or a JSON list, and LLaMA-Factory's list of data sets beside its file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from s2h.formats import INFO, chat
from s2h.formats.pictures import Pictures
from s2h.record import Record, RecordError
from s2h.streams import files, jsonl


class Text:
    """Writes what `convert` makes of each record as JSON, with `between` between two and `head` and `tail` around all. A
    file is written whole or not at all; then `finished` is called."""

    def __init__(
        self,
        path: Any,
        convert: Callable[[Record], dict],
        head: str = "",
        between: str = "\n",
        tail: str = "\n",
        finished: Callable[[], None] = bool,
    ) -> None:
        self._out, self._convert, self._finished = jsonl.Writer(path), convert, finished
        self._next, self._between, self._tail = head.encode(), between.encode(), tail.encode()
        self._empty = (head + tail if head else "").encode()

    @property
    def count(self) -> int:
        return self._out.count

    def write(self, record: Record) -> None:
        """Writes one record. Raises RecordError where the format has no room for it."""
        line = jsonl.dump(self._convert(record))[:-1]
        self._out.put(self._next + line)
        self._next = self._between

    def close(self) -> None:
        self._out.put(self._tail if self.count else self._empty, 0)
        self._out.close()
        self._finished()

    def discard(self) -> None:
        self._out.discard()

    def __enter__(self) -> Text:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.close() if kind is None else self.discard()


def llama_factory(path: str, pictures: Pictures) -> Text:
    """LLaMA-Factory's file, and its entry in the dataset_info.json of the folder, which keeps its other entries. Raises
    RecordError where there is one that can't be read."""
    info = os.path.join(os.path.dirname(path), INFO)
    entries(info)  # before anything is written

    def list_it() -> None:
        name = os.path.splitext(os.path.basename(path))[0]
        entry = {
            "file_name": os.path.basename(path),
            "formatting": "sharegpt",
            "ranking": True,
            "columns": {
                "messages": "conversations", "chosen": "chosen", "rejected": "rejected", "images": "images",
            },
        }  # fmt: skip
        text = json.dumps({**entries(info), name: entry}, indent=2, ensure_ascii=False)
        with files.Whole(info) as out:
            out.write(text.encode() + b"\n")

    list_lines = path.endswith(".jsonl")
    frame = ("", "\n", "\n") if list_lines else ("[\n", ",\n", "\n]\n")
    return Text(path, lambda record: chat.llama_factory(record, pictures), *frame, list_it)


def entries(info: str) -> dict:
    """The data sets that are listed already."""
    try:
        with open(info, "rb") as file:
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RecordError(f"is no JSON: {error}", where=info, remedy="mend it, or write elsewhere") from None
    if not isinstance(found, dict):
        raise RecordError("is no JSON object of data sets", where=info, remedy="mend it, or write elsewhere")
    return found
