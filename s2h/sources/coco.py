"""COCO: `annotations/captions_{split}.json` and `instances_{split}.json`, with the pictures in `{split}/`,
`images/{split}/`, `images/` or the root. Concepts are object categories. They are annotated exhaustively, so their absence
is known. Counts are numbers of instances, without crowds. If there is no instances file, concepts come from the captions.

    s2h-gen search --source coco/ -n 1000
    s2h-gen compare --source coco:coco/annotations/instances_val2017.json -n 1000
"""

from __future__ import annotations

import os
import re
from array import array
from collections import Counter, defaultdict

from s2h.sources import picture_folders, text_files
from s2h.sources.captions import add_captioned, texts_of
from s2h.sources.items import SourceError
from s2h.sources.photo_set import Photos
from s2h.sources.photo_table import MANY, Naming, PhotoTable
from s2h.sources.shapes import COMPARABLE, PHOTOS, QUESTIONS
from s2h.sources.source import Request, Source
from s2h.sources.splits import in_split

_FILE = re.compile(r"(captions|instances)_(.+)\.json$")
NO_BOX = (0.0, 0.0, 0.0)


def looks_like(root: str) -> bool:
    return bool(_annotations(root))


def _annotations(root: str) -> dict[str, dict[str, str]]:
    """Return split -> kind -> file."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for folder in (os.path.join(root, "annotations"), root):
        if os.path.isdir(folder):
            for name in sorted(os.listdir(folder)):
                if match := _FILE.fullmatch(name):
                    found[match[2]].setdefault(match[1], os.path.join(folder, name))
    return found


def read(request: Request) -> Photos:
    """Open a COCO folder or an annotation file. If there are splits whose names begin with train and val, these are the
    splits `train` and `heldout`. Raises SourceError if no picture can be used."""
    path, split = request.path, request.split
    wanted = None
    if os.path.isfile(path):
        match = _FILE.fullmatch(os.path.basename(path))
        if not match:
            raise request.error("not captions_SPLIT.json or instances_SPLIT.json")
        wanted, path = match[2], os.path.dirname(os.path.abspath(path))
        path = os.path.dirname(path) if os.path.basename(path) == "annotations" else path
    root = os.path.abspath(path)
    found = _annotations(root)
    if not found:
        raise request.error("no annotations/captions_SPLIT.json or instances_SPLIT.json there")
    newest = sorted(found, reverse=True)
    train, held = (next((s for s in newest if s.startswith(start)), None) for start in ("train", "val"))
    apart = wanted is None and bool(train and held)
    name = wanted or (held if apart and split == "heldout" else train or held) or newest[-1]
    pictures = _folder(root, name)
    excluded: Counter[str] = Counter()
    contents = _contents(found[name], excluded)
    table = _fill(contents, pictures, None if apart else split, excluded)
    naming = Naming(one_each="instances" not in contents)
    return Photos(request.spec, pictures, [(1, lambda _: table)], excluded, naming=naming)


def _contents(annotations: dict[str, str], excluded: Counter[str]) -> dict[str, tuple[str, dict]]:
    """Return kind -> (path, content). A file that can't be read is counted if the other can. Raises SourceError if neither
    can be read."""
    contents: dict[str, tuple[str, dict]] = {}
    faults: list[SourceError] = []
    for kind, path in annotations.items():
        try:
            content = text_files.load_json(path)
            if not isinstance(content, dict) or not isinstance(content.get("images"), list):
                raise SourceError(f"{path}: images: missing (this is no COCO file)")
            contents[kind] = path, content
        except SourceError as fault:
            faults.append(fault)
    if not contents:
        raise faults[0]
    excluded.update(f"a file of annotations that can't be used ({fault.message})" for fault in faults)
    return contents


def _folder(root: str, split: str) -> str:
    """Return the folder of the pictures of a split."""
    for name in (split, os.path.join("images", split), "images"):
        if os.path.isdir(os.path.join(root, name)):
            return os.path.join(root, name)
    return root


def _is_size(value: object) -> bool:
    """Tell whether a value is a number that can be a coordinate or an area in a picture."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def _box(annotation: dict) -> tuple[float, float, float]:
    """Return area, left and right side of an instance in pixels; NO_BOX if the annotation has none."""
    box = annotation.get("bbox")
    if not (isinstance(box, list) and len(box) == 4 and all(map(_is_size, box))):
        return NO_BOX
    left, _, width, height = box
    area = annotation.get("area", 0)
    return float(area if _is_size(area) and area > 0 else width * height), float(left), left + width


def _fill(
    annotations: dict[str, tuple[str, dict]], pictures: str, split: str | None, excluded: Counter[str]
) -> PhotoTable:
    names: dict[int, str] = {}
    captions: dict[int, list[str]] = defaultdict(list)
    counts: dict[int, Counter] = defaultdict(Counter)
    crowds: dict[int, set[str]] = defaultdict(set)
    boxes: dict[tuple[int, str], tuple[float, float, float]] = {}
    for kind, (path, content) in annotations.items():
        try:
            here: set[int] = set()
            for image in text_files.having(content["images"], "images", excluded, "id", "file_name"):
                if (found := picture_folders.inside(image["file_name"], pictures, excluded)) is None:
                    continue
                name = names.setdefault(image["id"], found)
                if image["id"] in here or name != found:
                    excluded["an image's id given twice"] += 1
                here.add(image["id"])
            named = text_files.having(content.get("categories") or [], "categories", excluded, "id", "name")
            categories = {one["id"]: one["name"] for one in named if isinstance(one["name"], str)}
            field = "caption" if kind == "captions" else "category_id"
            for one in text_files.having(content["annotations"], "annotations", excluded, "image_id", field):
                if one["image_id"] not in names:
                    excluded["annotations of no image"] += 1
                elif kind == "captions":
                    captions[one["image_id"]].append(one["caption"])
                elif (category := categories.get(one["category_id"])) is None:
                    excluded["annotations of no category"] += 1
                elif one.get("iscrowd"):
                    crowds[one["image_id"]].add(category)
                else:
                    counts[one["image_id"]][category] += 1
                    boxes[one["image_id"], category] = _box(one)
        except (KeyError, TypeError) as error:
            raise SourceError(
                f"{path}: {error}: missing or of another form (this is no COCO file)"
            ) from error
    table = PhotoTable()
    seen: set[str] = set()
    if boxes:
        table.boxes = array("f")
    for number, name in names.items():
        if not in_split("coco", name, split, excluded):
            continue
        if name in seen:
            excluded["listed twice"] += 1
        elif why := picture_folders.lacking(os.path.join(pictures, name)):
            excluded[why] += 1
        elif "instances" in annotations:
            shown = {**counts[number], **dict.fromkeys(crowds[number], MANY)}  # a crowd is many
            table.add(name, [text for text in texts_of(captions[number]) if "\ufffd" not in text], shown)
            if table.boxes is not None:
                for category, count in shown.items():
                    table.boxes.extend(boxes[number, category] if count == 1 else NO_BOX)
        else:
            add_captioned(table, name, captions[number], excluded)
        seen.add(name)
    return table.seal()


SOURCE = Source(
    title="COCO: captions and counted objects",
    read=read,
    serves=(COMPARABLE, PHOTOS, QUESTIONS),
    looks_like=looks_like,
    priority=20,
    files=("captions_*.json", "instances_*.json"),
)
