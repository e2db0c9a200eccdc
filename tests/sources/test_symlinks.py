"""--no-follow: a link that leads out of a source's folder is refused and counted, whatever the source is made of."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from s2h.sources import SourceError, open_source, symlinks
from tests.support.photos import encoded, save

REFUSED = symlinks.REFUSED


@pytest.fixture(autouse=True)
def unfenced(monkeypatch):
    monkeypatch.setattr(symlinks, "_fenced", {})


def moved(path: Path, away: Path) -> None:
    """Put a file or a folder elsewhere and a link to it in its place."""
    away.mkdir(exist_ok=True)
    shutil.move(path, away / path.name)
    os.symlink((away / path.name).resolve(), path)


def counts(spec: Path) -> tuple[int, int, int]:
    """(usable where links are followed, usable where they are refused, refused)."""
    source = open_source(str(spec))
    whole = source.size
    kept = open_source(str(spec), follow=False)
    return whole, kept.size, kept.excluded[REFUSED]


def picture_of(name: str, number: int) -> str:
    return f"COCO_{name}_{number:012d}.jpg"


def vqav2(root: Path, many: int) -> list[Path]:
    asked = [{"question_id": n, "image_id": n, "question": f"What is number {n}?"} for n in range(many)]
    told = [
        {"question_id": n, "image_id": n, "multiple_choice_answer": f"thing {n}", "answers": []}
        for n in range(many)
    ]
    paths = [root / "val2014" / picture_of("val2014", n) for n in range(many)]
    for n, path in enumerate(paths):
        save(path, f"picture {n}")
    for kind, key, rows in (("OpenEnded_mscoco", "questions", asked), ("mscoco", "annotations", told)):
        (root / f"v2_{kind}_val2014_{key}.json").write_text(json.dumps({key: rows}))
    return paths


def coco(root: Path, many: int) -> list[Path]:
    paths = [root / "val2017" / f"{n:012d}.jpg" for n in range(many)]
    for n, path in enumerate(paths):
        save(path, f"picture {n}")
    images = [{"id": n, "file_name": path.name} for n, path in enumerate(paths)]
    said = [{"id": n, "image_id": n, "caption": f"A dog and {n + 2} cats."} for n in range(many)]
    (root / "annotations").mkdir()
    (root / "annotations" / "captions_val2017.json").write_text(
        json.dumps({"images": images, "annotations": said})
    )
    return paths


@pytest.mark.parametrize("layout", [vqav2, coco])
def test_pictures_that_rows_name(layout, tmp_path):
    root = tmp_path / "set"
    root.mkdir()
    paths = layout(root, 24)
    for path in paths[:5]:
        moved(path, tmp_path / "away")
    apart = sum(open_source(str(root)).excluded.values())  # of the other split
    whole, kept, refused = counts(root)
    assert refused == 5 and kept < whole and kept + refused + apart >= whole
    symlinks._fenced.clear()
    moved(paths[0].parent, tmp_path / "away")  # the whole folder of pictures
    with pytest.raises(SourceError, match=r"24 a link that leads out of the folder"):
        open_source(str(root), follow=False)


def test_a_list_of_pairs(tmp_path):
    import numpy as np
    from scipy.io import savemat

    (tmp_path / "faces" / "meta_data").mkdir(parents=True)
    for kind, folder in (("fd", "father-dau"), ("ms", "mother-son")):
        cells = np.empty((6, 4), dtype=object)
        for i in range(6):
            names = [f"{kind}_{i + 1:03d}_{which}.jpg" for which in (1, 2)]
            cells[i] = [1, 1, *names]
            for name in names:
                save(tmp_path / "faces" / "images" / folder / name, name)
        savemat(tmp_path / "faces" / "meta_data" / f"{kind}_pairs.mat", {"pairs": cells})
    moved(tmp_path / "faces" / "meta_data" / "fd_pairs.mat", tmp_path / "away")
    whole = open_source(str(tmp_path / "faces"))
    kept = open_source(str(tmp_path / "faces"), follow=False)
    (told,) = (reason for reason in kept.excluded if "fd_pairs.mat" in reason)
    assert REFUSED in told and kept.excluded[told] == 6 and kept.size < whole.size
    assert all(person.family.startswith("ms") for person in kept.by_key.values())


def test_what_datasets_saved(tmp_path):
    import datasets

    jpeg = encoded("a")
    features = datasets.Features({"image": datasets.Image(), "text": datasets.Value("string")})
    rows = {"image": [{"bytes": jpeg, "path": None}] * 24, "text": ["A red car."] * 24}
    table = datasets.Dataset.from_dict(rows, features=features)
    both = datasets.DatasetDict({"train": table, "validation": table})
    table.save_to_disk(tmp_path / "one", num_shards=3)
    both.save_to_disk(tmp_path / "both")
    first = min((tmp_path / "one").glob("*.arrow"))
    moved(first, tmp_path / "away")
    whole, kept, refused = counts(tmp_path / "one")
    assert refused == 1 and kept < whole
    symlinks._fenced.clear()
    moved(tmp_path / "both" / "train", tmp_path / "away")
    kept = open_source(str(tmp_path / "both"), follow=False)
    assert kept.excluded[REFUSED] == 1 and kept.size + kept.excluded["not in the train split"] == 24
    symlinks._fenced.clear()
    moved(tmp_path / "both" / "validation", tmp_path / "away")
    with pytest.raises(SourceError, match=r"no table in it.*refused by --no-follow"):
        open_source(str(tmp_path / "both"), follow=False)


def test_a_folder_that_a_reader_goes_into(tmp_path):
    for which in ("train", "val"):
        for n in range(12):
            save(tmp_path / "photos" / which / f"{n}.jpg", f"{which} {n}")
            (tmp_path / "photos" / which / f"{n}.txt").write_text("A red car.")
    assert open_source(str(tmp_path / "photos")).size == 12
    moved(tmp_path / "photos" / "train", tmp_path / "away")
    with pytest.raises(SourceError, match="1 a link that leads out of the folder"):
        open_source(str(tmp_path / "photos"), follow=False)
