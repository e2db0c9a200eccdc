"""Digits: labels, splits, and pictures in which the ink stands out and stays inside."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter

import numpy
import pytest
from sklearn.datasets import load_digits

from s2h.seeds import rng
from s2h.sources.builtin import numerals


def drawn_many(n, **wanted):
    return [numerals.sample(rng(5, "digit", i), f"digit {i}", **wanted) for i in range(n)]


def ink_of(digit, size):
    """Pixels that differ from the same paper without ink, as a share of the strongest difference."""
    look = rng(digit.key, "look")
    kind = look.choices(numerals.PAPERS, numerals._PAPER_SHARES)[0]
    paper = numpy.asarray(numerals._lay_paper(kind, look, (size, size))).astype(int)
    return abs(numpy.asarray(numerals.draw(digit, size)).astype(int) - paper).max(axis=2)


def test_values_are_uniform_and_hands_by_their_shares():
    many = drawn_many(8000)
    values, hands = Counter(d.value for d in many), Counter(d.hand for d in many)
    assert set(values) == set(range(10))
    assert all(0.85 < n / 800 < 1.15 for n in values.values())
    for hand, share in (("written", 0.45), ("printed", 0.35), ("scanned", 0.20)):
        assert abs(hands[hand] / 8000 - share) < 0.03


def test_wanted_labels():
    assert all((d.value, d.hand) == (7, "printed") for d in drawn_many(20, value=7, hand="printed"))
    for wrong in ({"value": 10}, {"value": -1}, {"hand": "carved"}, {"split": "test"}):
        with pytest.raises(ValueError):
            drawn_many(1, **wrong)


def test_scans_have_their_value_and_splits_are_disjoint():
    target = load_digits().target
    seen = {}
    for split in numerals.SPLITS:
        scanned = drawn_many(1500, hand="scanned", split=split)
        assert all(target[d.scan] == d.value for d in scanned)
        seen[split] = {d.scan for d in scanned}
    assert all(i % numerals.HELD_OUT_EVERY == 0 for i in seen["heldout"])
    assert not seen["train"] & seen["heldout"]
    for value in range(10):
        train, heldout = numerals.scans(value, "train"), numerals.scans(value, "heldout")
        assert len(train) > 80 and len(heldout) > 15 and not set(train) & set(heldout)
        assert not numerals.UNCLEAR & set(train + heldout)


def test_a_scan_without_index_is_one_of_the_training_share():
    digit = numerals.Digit("alone", 3, "scanned")
    by_index = [numerals.Digit("alone", 3, "scanned", i) for i in numerals.scans(3, "train")]
    assert any(numerals.draw(d, 48).tobytes() == numerals.draw(digit, 48).tobytes() for d in by_index)


@pytest.mark.parametrize("hand", numerals.HANDS)
@pytest.mark.parametrize("value", numerals.VALUES)
def test_each_value_in_each_hand(value, hand):
    for i in range(12):
        digit = numerals.sample(rng(i), f"{value} {hand} {i}", value=value, hand=hand)
        ink = ink_of(digit, 64)
        assert 0.015 < (ink > 60).mean() < 0.45, digit  # there, and not a blot
        edge = numpy.concatenate([ink[0], ink[-1], ink[:, 0], ink[:, -1]])
        assert edge.max() < 40, digit  # and inside
        rows, columns = (numpy.flatnonzero((ink > 60).any(axis=axis)) for axis in (1, 0))
        assert rows[-1] - rows[0] > 64 * 0.4
        assert abs(rows.mean() - 32) < 9 and abs(columns.mean() - 32) < 11


def test_print_is_read_as_what_it_says():
    """Print shows the glyph asked for: it is nearest to the mean picture of its own value, of ten."""

    def shape_of(value, i):
        ink = ink_of(numerals.sample(rng(i), f"print {value} {i}", value=value, hand="printed"), 48)
        rows, columns = (numpy.flatnonzero((ink > 60).any(axis=axis)) for axis in (1, 0))
        from PIL import Image

        crop = Image.fromarray(
            (ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] > 60).astype("uint8") * 255
        )
        return numpy.asarray(crop.resize((16, 16), Image.Resampling.BILINEAR)).ravel() / 255

    means = numpy.stack([numpy.mean([shape_of(value, i) for i in range(40)], axis=0) for value in range(10)])
    right = [
        ((means - shape_of(value, i)) ** 2).sum(axis=1).argmin() == value
        for value in range(10)
        for i in range(40, 60)
    ]
    assert numpy.mean(right) > 0.8


@pytest.mark.parametrize("size", [32, 33, 48, 64, 100, 113, 224, 336, 447, 448])
def test_any_size(size):
    for digit in drawn_many(8):
        picture = numerals.draw(digit, size)
        assert picture.size == (size, size) and picture.mode == "RGB"


@pytest.mark.parametrize("size", [0, 31, 449])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="size"):
        numerals.draw(numerals.Digit("x", 1, "written"), size)


def test_same_bytes_in_another_process():
    script = (
        "import hashlib; from s2h.seeds import rng; from s2h.sources.builtin import numerals\n"
        "h = hashlib.sha256()\n"
        "for i in range(24):\n"
        "    one = numerals.sample(rng(5, 'digit', i), f'digit {i}')\n"
        "    h.update(numerals.draw(one, 64 + 40 * (i % 3)).tobytes())\n"
        "print(h.hexdigest())"
    )
    digest = hashlib.sha256()
    for i, digit in enumerate(drawn_many(24)):
        digest.update(numerals.draw(digit, 64 + 40 * (i % 3)).tobytes())
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest.hexdigest()
