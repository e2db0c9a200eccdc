"""Pairs as other tools read them: one file a format, each proved against the reader it is for.

s2h-mix --flat l1 l2 --to llama-factory -o data/pairs.json
"""

from __future__ import annotations

from typing import Any

FORMATS = {
    "trl": "TRL and `datasets`: JSON lines whose columns have one type throughout",
    "llama-factory": "LLaMA-Factory: sharegpt with ranking, and its entry in dataset_info.json beside it",
    "ms-swift": "ms-swift: messages, images, rejected_response",
    "llava": "LLaVA and MIA-DPO: a JSON list of id, image, prompt, chosen, rejected",
    "rlaif-v": "RLAIF-V: parquet with one embedded image, several as a numbered grid",
    "parquet": "`datasets`: parquet with embedded images and every field",
}
INFO = "dataset_info.json"  # LLaMA-Factory's list of data sets, beside its files
ENDINGS = {"llama-factory": (".json", ".jsonl"), "rlaif-v": (".parquet",), "parquet": (".parquet",)}


def refuse_place(to: str, path: str) -> str:
    """Why a format can't be written to this output, "" where it can."""
    endings = ENDINGS.get(to)
    if endings is None:
        return ""
    if path == "-":
        return f"--to {to} needs -o FILE{endings[0]}: it is no stream."
    return "" if path.endswith(endings) else f"--to {to} needs -o FILE that ends in {' or '.join(endings)}."


def open_export(to: str, path: Any, image_dir: str = "s2h-images") -> Any:
    """What writes records in a format: `write(record)`, `close`, `discard`, `count`.

    path: a file, written whole or not at all, or (trl, ms-swift, llava) a binary stream. image_dir: the store for pictures
    that are no files (data URIs, members of tar shards), where the format names files. A record that the format has no room
    for, or whose picture can't be had, is a RecordError from `write`.
    """
    from s2h.formats import chat, parquet
    from s2h.formats.pictures import Pictures
    from s2h.formats.text import Text, llama_factory

    if to in ("parquet", "rlaif-v"):
        return parquet.Parquet(path, parquet.ROWS[to])
    pictures = Pictures(image_dir)
    if to == "llama-factory":
        return llama_factory(path, pictures)
    if to == "llava":
        return Text(path, lambda record: chat.llava(record, pictures), "[\n", ",\n", "\n]\n")
    convert = {"trl": chat.trl, "ms-swift": chat.ms_swift}[to]
    return Text(path, lambda record: convert(record, pictures))
