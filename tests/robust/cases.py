"""Strategies of cases, a command each: pairs, predictions and source folders, mutated, with options that need no model."""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import zstandard
from hypothesis import strategies as st

from s2h import formats
from s2h.streams import jsonl
from tests.robust import folders, layouts, values
from tests.robust.running import SECRET, Case
from tests.support.photos import encoded
from tests.support.records import pair
from tests.support.scored import predictions

LABEL = {"kind": "photo", "captions": ["A red owl."], "concepts": ["owl"]}
PAIRS = (
    pair("p0"),
    pair("p1", level=1, task="vqa", negative="other-image", facts={"question": "What colour?", "answer": "red"}),
    pair("p2", level=3, task="search", facts={"form": "caption", "labels": [LABEL, LABEL], "twin": "t", "concept": "owl"}),
    pair("p3", task="kinship", facts={"families": ["F1", "F2"], "people": [], "answer_type": "yes/no"}, source="fiw:FIDs"),
    pair("p4", scores={"ref": {"chosen": -9.5, "rejected": -3.25, "model": "m"}, "clip": {"chosen": 0.3, "rejected": 0.2}}),
    pair("p5", images=["one.png"], rejected_images=["two.png"], stage=2, note={"a": [1, 2.5, None]}),
    pair("p6") | {"images": [{"bytes": b64encode(encoded("held", "PNG")).decode(), "path": None}, {"path": "two.png"}]},
)  # fmt: skip
PREDICTIONS = (
    *predictions(3, 0.5)[::9],
    {"id": "s/1", "bench": "builtin", "category": "vqa", "level": 1, "images": ["one.png", "two.png"], "target": [1],
     "question": "What colour?", "answer": "red", "answer_type": "word", "candidates": ["red", "blue"], "response": "Red."},
    {"id": "s/2", "bench": "builtin", "category": "search", "level": 3, "images": ["one.png"], "question": "Which?",
     "answer": "1", "answer_type": "image", "response": "Image 1", "twin": "t",
     "before": {"response": "2", "correct": False}},
    {"id": "s/3", "bench": "mirb", "answer": ["a", "b"], "answer_type": "order", "response": "b, a",
     "question": "In order?"},
    {"id": "s/4", "bench": "pairs", "answer": "A dog.", "answer_type": "caption", "response": "A dog.", "question": "Show?"},
)  # fmt: skip
IMAGES = {"in/one.png": encoded("one", "PNG"), "in/two.png": encoded("two", "PNG")}
FILTERS = (
    "", "--length-ratio 0.5:2", "--edit-distance 0.1:", "--repetition 0.2", "--refusal", "--dedup", "--annotate",
    "--margin -1:9",
    "--dedup-against in/b.jsonl", "--dedup --near-images 2 --near-text 0.8", "--against in/known", "--against in/b.jsonl",
)  # fmt: skip
EXPORTS = {
    name: (one.endings or (".json" if one.is_list else ".jsonl",))[0][1:]
    for name, one in formats.writable().items()
}
BOMBS = (b"[" * (66 << 20), b'{"a":[' + b"[]," * (2 << 20) + b"0]}", bytes(66 << 20))


@st.composite
def lines(draw: Callable, bases: tuple[dict, ...], most: int = 8) -> bytes:
    """Lines of JSON: mutated records, and now and then a damaged stretch or an odd end of line."""
    made = []
    for at in range(draw(st.integers(1, most))):
        base = dict(bases[draw(st.integers(0, len(bases) - 1))])
        base["id"] = draw(st.sampled_from((f"r{at}", f"r{at}", f"r{at}", "same", base["id"])))
        made.append(values.spelled(draw(values.mutated(base))))
    data = draw(st.sampled_from((b"\n", b"\n", b"\r\n", b"\n\n", b"\n \x0c\n"))).join(made)
    data += draw(st.sampled_from((b"\n", b"", b"\n\xef\xbb\xbf\n")))
    return draw(values.damaged(data)) if draw(st.integers(0, 5)) == 5 else data


def count(data: bytes) -> int:
    """How many records a reader must account for. A file may also be one list, which begins with an object."""
    with suppress(ValueError):
        whole = orjson.loads(data)
        if isinstance(whole, list) and all(isinstance(item, dict) for item in whole[:1]):
            return len(whole)
    return sum(not jsonl.is_blank(line) for line in data.split(b"\n"))


@st.composite
def inputs(
    draw: Callable, bases: tuple[dict, ...], name: str = "a", most: int = 8
) -> tuple[str, bytes, int | None]:
    """(name, content, number of records) of a file, sometimes a compressed one, which may be damaged."""
    data = draw(lines(bases, most))
    packed = draw(st.sampled_from((0, 0, 0, 0, 0, 0, 1, 2)))
    if not packed:
        return f"in/{name}.jsonl", data, count(data)
    made = gzip.compress(data, mtime=0) if packed == 1 else zstandard.compress(data)
    end = ".gz" if packed == 1 else ".zst"
    if draw(st.booleans()):
        return f"in/{name}.jsonl{end}", made, count(data)
    return f"in/{name}.jsonl{end}", draw(values.damaged(made)), None


@st.composite
def options(draw: Callable) -> str:
    seed = draw(st.sampled_from(("", " --seed 7", " --seed -9223372036854775809")))
    return draw(st.sampled_from((" --on-error skip", " --on-error skip", " --on-error skip", ""))) + seed


@st.composite
def filters(draw: Callable) -> Case:
    name, data, read = draw(inputs(PAIRS))
    how = draw(st.sampled_from(FILTERS))
    files: dict[str, object] = {name: data, **IMAGES}
    if "in/b.jsonl" in how:
        files["in/b.jsonl"] = draw(lines(PAIRS, 3))
    if "in/known" in how:
        files |= {"in/known/a.png": SECRET, "in/known/b.png": draw(values.damaged(SECRET))}
    rejects = " --rejects out/rejects.jsonl" if how not in ("", "--annotate") else ""
    fits = "--against in/b" not in how  # a list of nothing is of no use
    read = None if "--dedup-against" in how else read  # what is skipped of that file is counted too
    return Case(f"filter {name} {how}{rejects} -o out/kept.jsonl{draw(options())}", files, read, fits)


@st.composite
def audits(draw: Callable) -> Case:
    """The reports that are drawn, which take seconds."""
    name, data, read = draw(inputs(PAIRS, most=20))
    how = "--length-ratio 0.5:2 --rejects out/rejects.jsonl --report out/report.json --audit out/report-audit.json"
    return Case(f"filter {name} {how} -o out/kept.jsonl --on-error skip", {name: data, **IMAGES}, read)


@st.composite
def mixes(draw: Callable) -> Case:
    name, data, read = draw(inputs(PAIRS))
    other, more, also = draw(inputs(PAIRS, "b", 3))
    order = draw(st.sampled_from(("--flat", "--curriculum", "--interleave", "--flat --val 0.3",
                                  "--curriculum --order margin",
                                  "--flat --pack out/pack", "--flat --val 0.5 --order hard-first")))  # fmt: skip
    place = "" if "--pack" in order else " -o out/mix.jsonl"
    both = None if read is None or also is None else read + also
    if "--interleave" in order and both is not None:  # an id may be in both files
        both = both if "--on-error skip" in order else None
    return Case(
        f"mix {name} {other} {order}{place}{draw(options())}", {name: data, other: more, **IMAGES}, both
    )


@st.composite
def exports(draw: Callable) -> Case:
    name, data, read = draw(inputs(PAIRS))
    to, end = draw(st.sampled_from(sorted(EXPORTS.items())))
    order = draw(st.sampled_from(("--flat", "--curriculum", "--interleave")))
    line = f"mix {name} {order} --to {to} --image-dir out/store -o out/mix.{end}{draw(options())}"
    return Case(line, {name: data, **IMAGES}, read)


@st.composite
def views(draw: Callable) -> Case:
    name, data, read = draw(inputs(PAIRS + PREDICTIONS))
    return Case(f"view {name} -o out/page.html{draw(options())}", {name: data, **IMAGES}, read)


@st.composite
def scores(draw: Callable) -> Case:
    name, data, read = draw(inputs(PREDICTIONS, most=12))
    parser = draw(st.sampled_from(("robust", "vlmevalkit", "lmms", "official")))
    report = draw(st.sampled_from(("", " --report out/report.md", " --report out/report.json")))
    line = f"eval --score {name} --parser {parser}{report} -o out/scored.jsonl{draw(options())}"
    return Case(line, {name: data}, read or None, read != 0)


@st.composite
def compared(draw: Callable) -> Case:
    """The same predictions of two models, each with its own faults; what they don't have in common is of no use."""
    chosen = draw(
        st.lists(st.sampled_from(PREDICTIONS), min_size=1, max_size=12, unique_by=lambda one: one["id"])
    )
    sides = []
    for flipped in (False, True):
        told = [
            one | {"correct": one.get("correct", True) != flipped, "parsed": one.get("parsed", "A")}
            for one in chosen
        ]
        made = [values.spelled(draw(values.mutated(one, most=2))) for one in told]
        sides.append(b"\n".join(made) + b"\n")
    more = draw(
        st.sampled_from((" --report out/report.md", " --report out/report.json --gallery out/page.html", ""))
    )
    line = f"eval --compare in/a.jsonl in/b.jsonl{more}{draw(options())}"
    return Case(line, {"in/a.jsonl": sides[0], "in/b.jsonl": sides[1]}, None, False)


@st.composite
def sources(draw: Callable) -> Case:
    layout = draw(st.sampled_from(layouts.LAYOUTS))
    files = draw(folders.trees(layout))
    spec = draw(st.sampled_from(("in", f"{layout.kind}:in")))
    more = draw(
        st.sampled_from(
            ("", " --split heldout", " --layout grid", " --images-per-prompt 2-3", " --no-follow")
        )
    )
    line = f"gen {draw(st.sampled_from(layout.tasks))} --source {spec} -n 3{more} --image-dir out/store -o out/pairs.jsonl"
    return Case(line + draw(options()), files, None, False)


@st.composite
def bombs(draw: Callable) -> Case:
    """Little data that stands for much."""
    data = draw(st.sampled_from(BOMBS))
    end, pack = draw(st.sampled_from(((".gz", gzip.compress), (".zst", zstandard.compress))))
    content: Any = pack(data) + pack(b"\n" + values.spelled(PAIRS[0]) + b"\n")
    name = f"in/a.jsonl{end}"
    line = draw(st.sampled_from(("filter {} -o out/o.jsonl", "mix --flat {} -o out/o.jsonl", "view {} -o out/o.html",
                                 "eval --score {} -o out/o.jsonl")))  # fmt: skip
    return Case(line.format(name) + " --on-error skip", {name: content, **IMAGES}, 2)
