from __future__ import annotations

import numpy as np
import pytest

from fundoscope.errors import UsageError
from fundoscope.train.detection.views import hold_out


@pytest.fixture(autouse=True)
def few_tries(monkeypatch):
    monkeypatch.setattr(hold_out, "TRIES", 300)


def alone(count):
    return [str(i) for i in range(count)]


def test_every_kind_has_its_share():
    random = np.random.default_rng(0)
    counts = np.stack(
        (random.integers(0, 100, 40), random.integers(0, 4, 40), np.arange(40) % 10 == 0), axis=1
    ).astype(np.int64)
    taken = hold_out.validation_part(counts, alone(40), 8, seed=1)
    assert taken.sum() == 8
    share = counts[taken].sum(axis=0) / counts.sum(axis=0)
    assert (np.abs(share - 0.2) < 0.11).all()
    assert np.array_equal(taken, hold_out.validation_part(counts, alone(40), 8, seed=1))
    assert not np.array_equal(taken, hold_out.validation_part(counts, alone(40), 8, seed=2))


def test_no_eye_is_on_both_sides():
    groups = [str(i // 3) for i in range(30)]
    taken = hold_out.validation_part(np.ones((30, 1), np.int64), groups, 8, seed=1)
    assert taken.sum() == 6  # two eyes; three would be nine photographs
    assert len({g for g, t in zip(groups, taken, strict=True) if t}) == 2
    sides = [{g for g, t in zip(groups, taken, strict=True) if t == side} for side in (True, False)]
    assert not sides[0] & sides[1]


def test_what_one_photograph_alone_shows_is_learned():
    counts = np.zeros((6, 2), np.int64)
    counts[:, 0] = 5
    counts[2, 1] = 50
    for seed in range(5):
        assert not hold_out.validation_part(counts, alone(6), 3, seed)[2]


def test_photographs_without_any_box():
    assert hold_out.validation_part(np.zeros((5, 0), np.int64), alone(5), 2, 0).sum() == 2


@pytest.mark.parametrize(
    ("groups", "wanted"), [(["a", "a", "a"], 1), (["a", "b"], 2), (["a"], 1), (["a", "b"], 0)]
)
def test_a_part_that_cannot_be_held_out_is_rejected(groups, wanted):
    with pytest.raises(UsageError, match=f"validation = {wanted}: cannot be held out of"):
        hold_out.validation_part(np.ones((len(groups), 1), np.int64), groups, wanted, 0)
