from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from fundoscope.train.run.optimisers import Optimiser
from fundoscope.train.run.plan import Plan, Stage
from fundoscope.train.run.progress import Speed

PLAN = Plan(
    np.zeros(20, np.int64),
    (Stage(10, 1), Stage(20, 1)),
    Optimiser(batch=4),
    seed=1,
    checkpoint_every=1,
)


def test_the_time_left_knows_that_larger_pictures_take_longer():
    report = Speed(PLAN).report(5, 0, 0.7, elapsed=1.0)
    assert report.photographs_a_second == pytest.approx(4.0)
    assert report.seconds_left == pytest.approx(5 * 4.0)
    assert (report.epoch, report.epochs, report.steps, report.size) == (0, 2, 10, 10)


def test_the_end():
    speed = Speed(PLAN)
    lefts = [speed.report(step, (step - 1) // 5, 0.5, 0.1).seconds_left for step in range(1, 11)]
    assert lefts[-1] == 0
    assert all(a > b for a, b in itertools.pairwise(lefts))


def test_a_step_that_took_no_time():
    assert Speed(PLAN).report(1, 0, 0.5, 0.0).photographs_a_second == math.inf
