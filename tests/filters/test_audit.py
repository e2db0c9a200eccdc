"""The audit: what words alone give away is found, and what they don't is left alone."""

from __future__ import annotations

import copy
import json

import pytest
from PIL import Image

from s2h import record, tasks
from s2h.filters import audit, blind
from s2h.images.store import Store
from tests.support import records
from tests.support.undrawn import undrawn


def watched(pairs) -> dict:
    found = audit.Audit()
    for pair in pairs:
        found.add(pair)
    return found.report()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("images"))
    with undrawn():
        made = {
            task: list(tasks.generate(task, n=200, images=store))
            for task in ("arithmetic", "compare", "search")
        }
    # The portraits are looked at: have kin one background?
    return made | {"kinship": list(tasks.generate("kinship", n=200, size=32, images=store))}


@pytest.fixture()
def pairs(made):
    return {task: [copy.deepcopy(pair) for pair in some] for task, some in made.items()}


def test_the_built_in_tasks_are_blind(pairs):
    report = watched([pair for made in pairs.values() for pair in made])
    for task, found in report.items():
        assert found["pairs"] == 200 and found["repeats"]["pairs"] == 0
        assert found["blind"]["interval"][0] < 0.55, (task, found["blind"])
        assert all(places["p"] > 1e-4 for places in found["places"].values())
    assert 0.4 < report["kinship"]["same_photograph"]["auc"] < 0.8, "kin have one skin"
    assert report["compare"]["yes_no"]["p"] > 1e-3
    json.dumps(report, allow_nan=False)


def test_captions_of_other_images_are_seen_through_by_words(tmp_path):
    """A distractor's caption doesn't name what the prompt asks for."""
    kinds = {"negatives": {"other-image": 1.0}, "forms": {"caption": 1.0}}
    with undrawn():
        made = list(tasks.generate("search", n=600, **kinds, working=0, images=Store(tmp_path)))
    found = watched(made)["search"]
    assert found["blind"]["auc"] > 0.65 and found["blind"]["answered"] > 0.65
    assert audit.failures({"search": found}, 0.6) and not audit.failures({"search": found}, 0.999)


def test_a_length_that_tells_is_found(pairs):
    for pair in pairs["compare"]:
        pair["rejected"] = record.assistant("Well, " + record.text_of(pair["rejected"]))
    found = watched(pairs["compare"])["compare"]
    assert found["lengths"]["p"] < 1e-5 and found["blind"]["auc"] > 0.95


def test_a_form_that_tells_is_found(pairs):
    """A model that ends without a period, or in lower case, gives itself away by that alone."""
    for spoil in (lambda text: text.rstrip("."), lambda text: text[0].lower() + text[1:]):
        made = copy.deepcopy(pairs["compare"][:100])
        for pair in made:
            pair["rejected"] = record.assistant(spoil(record.text_of(pair["rejected"])))
        found = watched(made)
        assert found["compare"]["form"]["auc"] > 0.95
        assert any("form alone tells" in line for line in audit.failures(found, 0.6))
        assert "form alone" in audit.summary(found)[0]
    assert watched(pairs["compare"])["compare"]["form"]["auc"] < 0.56


def test_sources_are_told_apart(pairs):
    other = copy.deepcopy(pairs["compare"][:40])
    for pair in other:
        pair["source"] = "photos"
    report = watched([*pairs["compare"][:100], *other, *pairs["kinship"][:50]])
    assert set(report) == {"compare (builtin)", "compare (photos)", "kinship"}
    assert report["compare (photos)"]["pairs"] == 40


def test_twins_leave_nothing_to_the_words(tmp_path):
    with undrawn():
        made = list(tasks.generate("compare", n=150, twins=True, images=Store(tmp_path)))
    tested = blind.test([blind.texts_of(pair) for pair in made])
    assert 0.4 < tested.auc < 0.55


def test_too_few_pairs_are_not_judged(pairs):
    report = watched(pairs["search"][:5])
    assert report["search"]["blind"] is None and audit.failures(report, 0.5) == []


def test_the_same_photograph_gives_kin_away(tmp_path, pairs):
    """Portraits of kin with one background, as when both were cut from one picture."""
    for k, pair in enumerate(pairs["kinship"]):
        facts = pair["facts"]
        if facts["answer_type"] != "yes/no":
            continue
        kin = facts["answer"] == "yes"
        for at in (facts["a"], facts["b"]):
            tone = (k * 37) % 256 if kin else (k * 37 + 90 * (at + 1)) % 256
            path = tmp_path / f"{k}-{at}.png"
            Image.new("RGB", (32, 32), (tone, 255 - tone, 40)).save(path)
            pair["images"][at] = str(path)
    assert watched(pairs["kinship"])["kinship"]["same_photograph"]["auc"] > 0.85


def test_the_command_reports_and_gates(light, tmp_path):
    made = light.told("s2h-gen", "compare", "-n", "120", "--size", "32", cwd=tmp_path)
    done = light.told(
        "s2h-filter", "--audit", "audit.json", "-o", "kept.jsonl", cwd=tmp_path, input=made.stdout
    )
    assert "audit: compare: 120 pairs; blind AUC" in done.stderr
    assert json.loads((tmp_path / "audit.json").read_text())["compare"]["pairs"] == 120
    with Image.open(tmp_path / "audit.png") as page:
        assert page.size[0] > 1000
    wrong = light.told("s2h-filter", "--audit", "audit.png", cwd=tmp_path, input=made.stdout, status=2)
    assert "--audit needs a FILE for JSON" in wrong.stderr
    wrong = light.told(
        "s2h-filter", "--audit", "no/such/audit.json", cwd=tmp_path, input=made.stdout, status=1
    )
    assert "cannot be written: no/such/audit.json (name a file in a folder that exists)" in wrong.stderr
    told = light.told(
        "s2h-gen",
        "search",
        "-n",
        "150",
        "--size",
        "32",
        "--negative",
        "generic",
        "--form",
        "caption",
        cwd=tmp_path,
    )
    gate = light.told("s2h-filter", "--audit-fail", "0.6", cwd=tmp_path, input=told.stdout, status=1)
    assert "search: words alone tell chosen from rejected" in gate.stderr and gate.stdout == told.stdout


@pytest.mark.parametrize(
    "odd",
    [
        None,
        3,
        "x",
        [],
        {},
        {"target": 3, "tiles": "4"},
        {"tiles": 2, "target": [[]]},
        {"tiles": 10**9, "target": [1]},
    ],
)
def test_facts_of_another_form_are_passed_over(odd):
    watching = audit.Audit()
    kinship = {"answer_type": "yes/no", "a": odd, "b": -1, "layout": odd}
    watching.add(
        record.Record(records.pair("k", images=["a.png", "b.png"]) | {"task": "kinship", "facts": kinship})
    )
    assert watching.report()["kinship"]["pairs"] == 1
