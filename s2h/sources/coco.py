"""COCO: `annotations/captions_{split}.json` and `instances_{split}.json` with the pictures of each split in a folder of its
name, `images/{split}/`, or beside. Concepts are object categories, which are annotated exhaustively, so that their
absence is known; counts are those of the instances, crowds left out. Without instances the captions say what is shown.

    s2h-gen search --source coco/ -n 1000
    s2h-gen compare --source coco:coco/annotations/instances_val2017.json -n 1000
"""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter, defaultdict

from s2h.sources import SourceError, files, in_split
from s2h.sources.album import Album
from s2h.sources.captions import fill, texts_of
from s2h.sources.page import MANY, Page

_FILE = re.compile(r"(captions|instances)_(.+)\.json$")

NO_BOX = (0.0, 0.0, 0.0)


def looks_like(root: str) -> bool:
    return bool(_annotations(root))


def _annotations(root: str) -> dict[str, dict[str, str]]:
    """split -> kind -> file."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for folder in (os.path.join(root, "annotations"), root):
        if os.path.isdir(folder):
            for name in sorted(os.listdir(folder)):
                if match := _FILE.fullmatch(name):
                    found[match[2]].setdefault(match[1], os.path.join(folder, name))
    return found


def read(path: str, *, spec: str, split: str = "train") -> Album:
    """The album of a COCO folder or annotation file. Where there are several splits, `heldout` is the one whose name begins
    with val, and `train` the one with train. Raises SourceError where nothing can be used."""
    wanted = None
    if os.path.isfile(path):
        match = _FILE.fullmatch(os.path.basename(path))
        if not match:
            raise SourceError(f"source {spec!r}: not captions_SPLIT.json or instances_SPLIT.json")
        wanted, path = match[2], os.path.dirname(os.path.abspath(path))
        path = os.path.dirname(path) if os.path.basename(path) == "annotations" else path
    root = os.path.abspath(path)
    found = _annotations(root)
    if not found:
        raise SourceError(
            f"source {spec!r}: no annotations/captions_SPLIT.json or instances_SPLIT.json there"
        )
    starts = {"train": "train", "heldout": "val"}
    by_start = {
        which: next((s for s in sorted(found, reverse=True) if s.startswith(start)), None)
        for which, start in starts.items()
    }
    apart = wanted is None and all(by_start.values())
    name = wanted or (
        by_start[split] if apart else by_start["train"] or by_start["heldout"] or sorted(found)[0]
    )
    pictures, unused = _folder(root, name), Counter()
    told = _contents(found[name], unused)
    page = _page(told, pictures, None if apart else split, unused)
    return Album(spec, pictures, [(1, lambda _: page)], unused, one_each="instances" not in told)


def _contents(annotations: dict[str, str], unused: Counter) -> dict[str, tuple[str, dict]]:
    """kind -> (path, content). A file that can't be read is counted where the other kind's can. Raises SourceError."""
    told, faults = {}, []
    for kind, path in annotations.items():
        try:
            content = files.load_json(path)
            if not isinstance(content, dict) or not isinstance(content.get("images"), list):
                raise SourceError(f"{path}: images: missing (this is no COCO file)")
            told[kind] = path, content
        except SourceError as fault:
            faults.append(fault)
    if not told:
        raise faults[0]
    unused.update(f"a file of annotations that can't be used ({fault.message})" for fault in faults)
    return told


def _folder(root: str, split: str) -> str:
    """Where the pictures of a split lie."""
    for name in (split, os.path.join("images", split), "images"):
        if os.path.isdir(os.path.join(root, name)):
            return os.path.join(root, name)
    return root


def _is_size(value: object) -> bool:
    """Whether a value is a number that can be a place or an area in a picture."""
    return type(value) in (int, float) and abs(value) < 1e12


def _box(annotation: dict) -> tuple[float, float, float]:
    """Area, left and right side of an instance in pixels; NO_BOX where that isn't told."""
    box = annotation.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_size, box))):
        return NO_BOX
    left, _, width, height = box
    area = annotation.get("area")
    return (
        float(area if _is_size(area) and area > 0 else width * height),
        float(left),
        left + width,
    )


def _page(
    annotations: dict[str, tuple[str, dict]], pictures: str, split: str | None, unused: Counter
) -> Page:
    names: dict[int, str] = {}
    captions: dict[int, list[str]] = defaultdict(list)
    counts: dict[int, Counter] = defaultdict(Counter)
    crowds: dict[int, set[str]] = defaultdict(set)
    boxes: dict[tuple[int, str], tuple[float, float, float]] = {}
    for kind, (path, content) in annotations.items():
        try:
            here: set[int] = set()
            for image in files.having(content["images"], "images", unused, "id", "file_name"):
                if (found := files.inside(image["file_name"], pictures, unused)) is None:
                    continue
                name = names.setdefault(image["id"], found)
                if image["id"] in here or name != found:
                    unused["an image's id given twice"] += 1
                here.add(image["id"])
            named = files.having(content.get("categories") or [], "categories", unused, "id", "name")
            categories = {one["id"]: one["name"] for one in named if isinstance(one["name"], str)}
            told = "caption" if kind == "captions" else "category_id"
            for one in files.having(content["annotations"], "annotations", unused, "image_id", told):
                if one["image_id"] not in names:
                    unused["annotations of no image"] += 1
                elif kind == "captions":
                    captions[one["image_id"]].append(one["caption"])
                elif (category := categories.get(one["category_id"])) is None:
                    unused["annotations of no category"] += 1
                elif one.get("iscrowd"):
                    crowds[one["image_id"]].add(category)
                else:
                    counts[one["image_id"]][category] += 1
                    boxes[one["image_id"], category] = _box(one)
        except (KeyError, TypeError) as error:
            raise SourceError(
                f"{path}: {error}: missing or of another form (this is no COCO file)"
            ) from error
    page, seen = Page(), set()
    if boxes:
        page.boxes = array("f")
    for number, name in names.items():
        if not in_split("coco", name, split, unused):
            continue
        if name in seen:
            unused["listed twice"] += 1
        elif why := files.lacking(os.path.join(pictures, name)):
            unused[why] += 1
        elif "instances" in annotations:
            shown = {**counts[number], **dict.fromkeys(crowds[number], MANY)}  # a crowd is many
            page.add(name, [text for text in texts_of(captions[number]) if "\ufffd" not in text], shown)
            if page.boxes is not None:
                for category, count in shown.items():
                    page.boxes.extend(boxes[number, category] if count == 1 else NO_BOX)
        else:
            fill(page, name, captions[number], unused)
        seen.add(name)
    return page.seal()
