"""Batches in order, made by one other thread or by none."""

from __future__ import annotations

import threading

import pytest

from fundoscope.train.run import prefetch


@pytest.mark.parametrize("ahead", [False, True])
@pytest.mark.parametrize("steps", [range(0), range(3, 4), range(2, 9)])
def test_every_step_has_its_batch_in_order(ahead, steps):
    assert list(prefetch.batches(lambda step: step**2, steps, ahead=ahead)) == [
        step**2 for step in steps
    ]


def test_one_batch_is_made_ahead_and_no_more():
    made, second = [], threading.Event()

    def make(step):
        made.append((step, threading.current_thread() is threading.main_thread()))
        if step == 1:
            second.set()

    coming = prefetch.batches(make, range(10), ahead=True)
    next(coming)
    assert second.wait(5)
    coming.close()
    assert made == [(0, False), (1, False)]


def test_what_fails_fails_at_its_step():
    def make(step):
        if step == 2:
            raise ValueError(step)
        return step

    coming = prefetch.batches(make, range(4), ahead=True)
    assert [next(coming), next(coming)] == [0, 1]
    with pytest.raises(ValueError, match="2"):
        next(coming)
