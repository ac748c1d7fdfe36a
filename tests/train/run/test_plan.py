"""The plan: a function of the seed and the step, and nothing is shown twice in an epoch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.train.run import plan as plans
from fundoscope.train.run.optimisers import Optimiser
from fundoscope.train.run.plan import Plan, Stage

STAGES = (Stage(32, 2), Stage(64, 3, frozen=1))


def plan(shapes, batch=4, seed=3, stages=STAGES, **changes):
    return Plan(np.asarray(shapes, np.int64), stages, Optimiser(batch=batch), seed, 2, **changes)


def epoch_of(p, epoch):
    first = epoch * p.steps_an_epoch
    return [p.positions(step) for step in range(first, first + p.steps_an_epoch)]


def test_an_epoch_shows_every_photograph_once():
    p = plan([0] * 20)
    for epoch in range(2):
        assert sorted(np.concatenate(epoch_of(p, epoch))) == list(range(20))
    assert p.positions(0).tolist() != p.positions(p.steps_an_epoch).tolist()


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.integers(2, 7),
    st.integers(0, 2**31),
)
def test_batches_hold_one_shape_and_nothing_twice(shapes, batch, seed):
    shapes = np.unique(shapes, return_inverse=True)[1]
    p = plan(shapes, batch, seed)
    for epoch in range(2):
        batches = epoch_of(p, epoch)
        shown = np.concatenate(batches)
        assert len(set(shown.tolist())) == len(shown)
        assert all(len(set(shapes[chosen])) == 1 for chosen in batches)
        full = np.bincount(shapes) // batch
        if full.any():
            assert all(len(chosen) == batch for chosen in batches)
            assert len(shown) == full.sum() * batch


def test_what_is_left_over_changes_from_epoch_to_epoch():
    p = plan([0] * 10, batch=4, stages=(Stage(32, 12),))
    shown = {int(i) for epoch in range(12) for i in np.concatenate(epoch_of(p, epoch))}
    assert shown == set(range(10))


@pytest.mark.parametrize(
    ("times", "counts"), [(0, [0]), (0.5, [0, 1]), (1, [1]), (1.25, [1, 2]), (3, [3])]
)
def test_an_epoch_shows_a_photograph_as_often_as_is_wanted(times, counts):
    p = plan([0] * 24, times=np.array([times] * 16 + [1.0] * 8), stages=(Stage(32, 9),))
    seen = np.zeros(16, int)
    for epoch in range(9):
        shown = np.bincount(np.concatenate(epoch_of(p, epoch)), minlength=24)
        assert set(shown[:16].tolist()) == set(counts)
        assert shown[16:].tolist() == [1] * 8
        assert shown[:16].sum() == times * 16
        seen += shown[:16]
    assert seen.min() > 0 or times == 0


def test_once_each_is_the_same_as_nothing_said():
    said = plan([0, 1] * 12, times=np.ones(24))
    for ours, theirs in zip(epoch_of(said, 1), epoch_of(plan([0, 1] * 12), 1), strict=True):
        assert ours.tolist() == theirs.tolist()


def test_shapes_are_mixed_over_the_epoch():
    p = plan([0] * 200 + [1] * 200)
    order = [int(chosen[0] >= 200) for chosen in epoch_of(p, 0)]
    assert sum(a != b for a, b in itertools.pairwise(order)) > 20


def test_the_order_is_a_function_of_the_seed():
    ours, same, other = plan([0] * 20), plan([0] * 20), plan([0] * 20, seed=4)
    assert [x.tolist() for x in epoch_of(ours, 1)] == [x.tolist() for x in epoch_of(same, 1)]
    assert [x.tolist() for x in epoch_of(ours, 1)] != [x.tolist() for x in epoch_of(other, 1)]


def test_sizes_follow_the_stages():
    p = plan([0] * 20)
    assert [p.stage(epoch).size for epoch in range(p.epochs)] == [32, 32, 64, 64, 64]
    assert p.steps == 25


@pytest.mark.parametrize(("shapes", "shown"), [([0, 0, 0], [0, 1, 2]), ([0, 1, 1], [1, 2])])
def test_a_batch_larger_than_every_shape_is_one_step_of_the_commonest(shapes, shown):
    p = plan(shapes)
    assert p.steps_an_epoch == 1
    assert sorted(p.positions(0)) == shown


@pytest.mark.parametrize(("size", "pixels"), [(32, 1024), ((20, 30), 600)])
def test_a_step_costs_its_pixels(size, pixels):
    assert Stage(size, 1).pixels == pixels


def test_streams_and_steps_have_their_own_randomness():
    draws = {
        plans.generator_for(1, stream, step).initial_seed()
        for stream in range(3)
        for step in (*range(50), *range(plans.RANKS, plans.RANKS + 50))
    }
    assert len(draws) == 300


def test_what_an_epoch_shows_is_counted_once(monkeypatch):
    """Every step asks for it several times; counted anew it took longer than a step of a GPU."""
    asked = []
    count = np.flatnonzero
    p = plan([0] * 100, times=np.tile((0.4, 1.5), 50))
    monkeypatch.setattr(np, "flatnonzero", lambda *a: asked.append(a) or count(*a))
    for _ in range(5):
        assert p.steps_an_epoch == 23
        assert p.rate(3) > 0
    assert len(asked) == 2  # the photographs of either share
