"""Small trees of the real benchmarks' layouts, made as the Hub, VLMEvalKit and the releases have them: a few rows each, with
pictures of one colour."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange")


def picture(colour: str = "red", size: tuple[int, int] = (24, 20)) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


def packed(colour: str) -> dict:
    """An image as the Hub's parquet files have it."""
    return {"bytes": picture(colour), "path": f"{colour}.png"}


def parquet(path: Path, rows: list[dict], **options) -> Path:
    import pyarrow
    import pyarrow.parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, **options)
    return path


def tsv(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, columns, delimiter="\t", restval="")
        out.writeheader()
        out.writerows(rows)
    return path


def b64(colour: str) -> str:
    return base64.b64encode(picture(colour)).decode()


def blink(root: Path, count: int = 3) -> Path:
    for task in ("Counting", "Jigsaw"):
        for split in ("val", "test"):
            rows = [
                {
                    "idx": f"{split}_{task}_{i + 1}", "question": f"How many? {i}", "sub_task": task,
                    "image_1": packed(COLOURS[i]), "image_2": packed("blue") if task == "Jigsaw" else None,
                    "image_3": None, "image_4": None, "choices": ["zero", "one", "None"][: 2 + i % 2],
                    "answer": "hidden" if split == "test" else f"({'AB'[i % 2]})", "explanation": "",
                    "prompt": f"How many? {i}\nSelect from the following choices.\n(A) zero\n(B) one",
                }
                for i in range(count)
            ]  # fmt: skip
            parquet(root / task / f"{split}-00000-of-00001.parquet", rows)
    return root


def mantis(root: Path) -> Path:
    rows = [
        {
            "id": "mantis_eval_0", "question_type": "multi-choice", "question": "<image> <image> Which one is red?",
            "images": [packed("red"), packed("blue")], "options": ["the first", "the second"], "answer": "A",
            "data_source": "web", "category": "comparison",
        },
        {
            "id": "mantis_eval_1", "question_type": "short-answer", "question": "How many images are red?",
            "images": [packed("red"), packed("red"), packed("blue")], "options": [], "answer": "2", "data_source": "web",
            "category": "counting",
        },
    ]  # fmt: skip
    parquet(root / "mantis_eval" / "test-00000-of-00001.parquet", rows)
    return root


def nlvr2(root: Path) -> Path:
    """Mantis's form: two sentences, each of two pairs."""
    rows = [
        {
            "id": f"nlvr2_{2 * sentence + pair}", "question_type": "multi-choice",
            "question": f"<image> <image> A statement about 2 images: Sentence {sentence}. Is it true or false?",
            "images": [packed("red"), packed(COLOURS[pair])], "options": ["True", "False"] if pair else ["False", "True"],
            "answer": "AB"[sentence], "data_source": "nlvr2", "category": "",
        }
        for sentence in range(2)
        for pair in range(2)
    ]  # fmt: skip
    parquet(root / "nlvr2" / "test-00000-of-00001.parquet", rows)
    return root


def nlvr2_release(root: Path) -> Path:
    (root / "test1").mkdir(parents=True)
    lines = []
    for pair in range(2):
        for which in (0, 1):
            (root / "test1" / f"test1-0-{pair}-img{which}.png").write_bytes(picture(COLOURS[pair + which]))
        lines.append(
            {
                "sentence": "There are two dogs.", "label": ["True", "False"][pair], "identifier": f"test1-0-{pair}-0",
                "left_url": "", "right_url": "", "synset": "dog",
            }
        )  # fmt: skip
    (root / "test1.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


STAR = (("math", "geometry"), ("math", "statistical reasoning"), ("logical reasoning", "common reasoning"))


def mmstar(root: Path) -> Path:
    rows = [
        {
            "index": i, "question": "What is shown?\nOptions: A: a dog, B: a cat, C: None, D: a fish",
            "image": picture(COLOURS[i]), "answer": "ABCD"[i % 4], "category": STAR[i % 3][0],
            "l2_category": STAR[i % 3][1], "meta_info": {"source": "x", "split": "val", "image_path": f"{i}.jpg"},
        }
        for i in range(6)
    ]  # fmt: skip
    parquet(root / "mmstar.parquet", rows)
    return root


def mmstar_tsv(path: Path) -> Path:
    return tsv(
        path,
        [
            {"index": 0, "question": "What is shown?", "image": b64("red"), "A": "a dog", "B": "None", "C": "", "D": "",
             "answer": "B", "category": "math", "l2_category": "geometry"},
            {"index": 1, "question": "What else?\tA tab, a\nline", "image": "0", "A": "a dog", "B": "a cat",
             "C": "a fish", "D": "NA", "answer": "D", "category": "math", "l2_category": "geometry"},
        ],
    )  # fmt: skip


def pope(root: Path, count: int = 4) -> Path:
    rows = [
        {
            "id": str(at * count + i), "question_id": str(i + 1), "question": "Is there a dog in the image?",
            "answer": ["yes", "no"][i % 2], "image_source": f"COCO_val2014_{i:012d}", "image": packed(COLOURS[i]),
            "category": split,
        }
        for at, split in enumerate(("adversarial", "popular", "random"))
        for i in range(count)
    ]  # fmt: skip
    parquet(root / "data" / "test-00000-of-00001.parquet", rows)
    return root


def pope_release(root: Path) -> Path:
    (root / "val2014").mkdir(parents=True)
    for split in ("random", "popular"):
        lines = []
        for i in range(2):
            name = f"COCO_val2014_{i:012d}.png"
            (root / "val2014" / name).write_bytes(picture(COLOURS[i]))
            lines.append(
                {"question_id": i + 1, "image": name, "text": "Is there a dog?", "label": ["yes", "no"][i]}
            )
        (root / f"coco_pope_{split}.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def pope_tsv(path: Path) -> Path:
    rows = [
        {"index": i, "image": b64(COLOURS[i]), "question": "Is there a dog?", "answer": ["Yes", "No"][i % 2],
         "category": ["random,popular", "adversarial"][i % 2]}
        for i in range(4)
    ]  # fmt: skip
    return tsv(path, rows)


def muirbench(root: Path) -> Path:
    rows = [
        {
            "idx": str(i), "task": ["Counting", "Visual Retrieval"][i % 2], "image_relation": "Partial Similarity",
            "image_type": "Scene", "image_list": [packed(colour) for colour in COLOURS[:3]],
            "question": "<image> Which of the following shows the same scene?",
            "options": ["<image>", "<image>", "None of the choices provided"], "answer": "ABC"[i], "counterpart_idx": "9",
        }
        for i in range(3)
    ]  # fmt: skip
    parquet(root / "data" / "test-00000-of-00001.parquet", rows)
    return root


def mirb_release(root: Path) -> Path:
    (root / "images").mkdir(parents=True)
    for colour in ("red", "blue"):
        (root / "images" / f"{colour}.png").write_bytes(picture(colour))
    shown = ["images/red.png", "images/blue.png"]
    for name, question, answer in (
        ("food", "Which is a soup? A. the first B. the second", "B"),
        ("count", "How many red images are there?", "1"),
        ("analogy", "Do the images fit?", "Yes"),
    ):
        (root / f"{name}.json").write_text(
            json.dumps([{"questions": question, "answers": answer, "images": shown}])
        )
    return root


def naturalbench(root: Path, groups: int = 2) -> Path:
    """As the Hub has it for lmms-eval; the second group has options in its questions."""
    rows = []
    for number in range(4 * groups):
        lettered = number // 4 % 2
        asks = f"Is it {number // 2 % 2}?" + (" Option: A:left; B:right;" if lettered else "")
        rows.append(
            {
                "Index": number, "Question": asks, "Image": packed(COLOURS[number % 2 + 2 * (number // 4 % 2)]),
                "Question_Type": "multiple_choice" if lettered else "yes_no", "Source": "x",
            }
        )  # fmt: skip
    parquet(root / "data" / "test-00000-of-00001.parquet", rows)
    return root


def hallusionbench(root: Path) -> Path:
    """As the Hub has it: a set of two figures that two questions are asked of, and rows without an image."""
    rows = [
        {
            "category": "VD", "subcategory": "illusion", "visual_input": "1", "set_id": "0", "figure_id": str(figure),
            "question_id": str(asks), "question": f"Are both alike? {asks}", "gt_answer": str((figure + asks) % 2),
            "gt_answer_details": "x", "filename": "x.png", "image": packed(COLOURS[figure]),
        }
        for figure in range(2) for asks in range(2)
    ]  # fmt: skip
    parquet(root / "data" / "image-00000-of-00001.parquet", rows)
    parquet(root / "data" / "non_image-00000-of-00001.parquet", [{**row, "image": None} for row in rows])
    return root


def hallusionbench_tsv(path: Path) -> Path:
    return tsv(
        path,
        [
            {"index": f"7_VD_illusion_0_{figure}_{asks}", "image": b64(COLOURS[figure]), "question": "Alike?",
             "answer": "Yes", "category": "VD", "l2-category": "illusion"}
            for figure in range(2) for asks in range(2)
        ],
    )  # fmt: skip


def mihbench(root: Path, count: int = 2) -> Path:
    """As the Hub's mirror has it: a parquet file a task. The tasks share images."""
    for at, task in enumerate(("count", "existence_adversarial", "existence_popular", "existence_random")):
        rows = [
            {
                "images": [packed(COLOURS[(i + j + (at == 0)) % 6]) for j in range(2 if at == 0 else 3)],
                "question": "Is there a dog in all images?", "label": ["yes", "no"][i % 2], "task": task.split("_")[0],
                "num_images": 2 if at == 0 else 3, "image_names": ["x.jpg"] * (2 if at == 0 else 3), "injected": False,
                "object_counts": "{}",
            }
            for i in range(count)
        ]  # fmt: skip
        parquet(root / "data" / f"{task}.parquet", rows)
    return root


VLM2 = (
    ("gc-mat", "Is the cue the same in both? Answer with T or F.", "TF"),
    ("gc-trk", "The cue was removed. Answer with T or F.", "TF"),
    ("oc-cpr", "Both are the same mug. Answer with T or F.", "TF"),
    ("oc-cnt", "How many different mugs are there? Answer with a number.", "23"),
    ("oc-grp", "Which images show one mug?\nA) None\nB) 1 and 2\nC) 1 and 3", "BC"),
    ("pc-cpr", "Both are the same person. Answer with T or F.", "TF"),
    ("pc-cnt", "How many different persons are there?", "13"),
    ("pc-grp", "Which images show one person? (A) None (B) 1 and 2 (C) 2 and 3", "CA"),
)


def vlm2bench_tsv(path: Path) -> Path:
    rows = []
    for number, (task, asks, answers) in enumerate(VLM2):
        for at, answer in enumerate(answers):
            end = f"1_{'pn'[at]}" if answers == "TF" else str(at + 1)
            shown = [b64(COLOURS[number % 6]), b64(COLOURS[(number + 1) % 6]), b64("white")]
            rows.append(
                {
                    "index": f"{task}_{end}",
                    "question": asks,
                    "answer": answer,
                    "category": task,
                    "image": str(shown),
                }
            )
    return tsv(path, rows)


def vlm2bench_release(root: Path) -> Path:
    folders = {"gc": "gc/processed", "oc": "oc/original_obj", "pc": "pc/image/picks_face"}
    for task, asks, answers in VLM2:
        kind = task[:2]
        (root / "data" / folders[kind] / "set").mkdir(parents=True, exist_ok=True)
        (root / "data" / folders[kind] / "set" / "1.png").write_bytes(picture())
        place = root / "jsonl" / kind / "vanilla" / f"{task.replace('-', '_')}.jsonl"
        place.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            {
                "q_id": f"1_{'pn'[at]}" if answers == "TF" else at + 1, "question": asks,
                "gt_answer": f"{answer})" if task.endswith("grp") else int(answer) if answer.isdecimal() else answer,
                "images": ["set/1.png", "set/1.png"],
            }
            for at, answer in enumerate(answers)
        ]  # fmt: skip
        place.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def mmiu(root: Path, zipped: bool = True) -> Path:
    """As the Hub has it: all.parquet beside zip files, each with the contents of the folder of its name."""
    import zipfile

    root.mkdir(parents=True)
    rows = []
    for relation, task in (
        ("2D-spatial", "jigsaw_puzzle_solving"),
        ("High-level-obj-semantic", "person_reid"),
    ):
        for i in range(2):
            paths = [f"./{relation}/{task}/{task}_{i}_{j}.png" for j in range(2)]
            rows.append(
                {
                    "task": task, "visual_input_component": "natural image", "source": "x",
                    "options": "A: the first image\nB: 2 images: [1, 2]\nC: None\nD: no", "question": f"Which one? {i}",
                    "context": f"Look at them. {i}\nA: the first image\nB: 2 images: [1, 2]\nC: None\nD: no\n",
                    "input_image_path": paths, "output": "AB"[i],
                }
            )  # fmt: skip
            for j, path in enumerate(paths):
                data = picture(COLOURS[i + j])
                if zipped:
                    with zipfile.ZipFile(root / f"{relation}.zip", "a") as file:
                        file.writestr(path.removeprefix(f"./{relation}/"), data)
                else:
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_bytes(data)
    parquet(root / "all.parquet", rows)
    return root


def mmsibench(root: Path) -> Path:
    """As the Hub has it: the bytes of images in a list."""
    rows = [
        {
            "id": i, "images": [picture(COLOURS[i]), picture("white")],
            "question_type": ["Positional Relationship (Cam.–Obj.)", "MSR"][i % 2],
            "question": f"Where is it? {i}\nOptions: A: left, B: right, C: front, D: back", "answer": "ABCD"[i],
            "thought": "x", "mean_normed_duration_seconds": 1.0, "difficulty": "easy",
        }
        for i in range(4)
    ]  # fmt: skip
    parquet(root / "MMSI_Bench.parquet", rows)
    return root


def mmsibench_tsv(path: Path, rotations: int = 1) -> Path:
    rows = []
    for turn in range(rotations):
        for i in range(2):
            options = dict(zip("ABCD", [*"wxyz"[turn:], *"wxyz"[:turn]], strict=True))
            rows.append(
                {"index": turn * 1_000_000 + i, "image": str([b64(COLOURS[i]), b64("white")]), "question": "Where is it?",
                 **options, "answer": "ABCD"["".join(options.values()).index("w")], "category": "Pos-Cam-Obj"}
            )  # fmt: skip
    return tsv(path, rows)
