from __future__ import annotations

import numpy as np
import pytest

from fundoscope.train.detection.boxes import anchors


def test_anchors_lie_where_the_boxes_are():
    """Thousands of small squares do not outweigh a few large oblongs."""
    random = np.random.default_rng(0)
    small = random.uniform(7.5, 8.5, (2000, 2))
    large = random.uniform(0.95, 1.05, (10, 2)) * (200, 100)
    sides, labels = np.concatenate((small, large)), np.array([1] * 2000 + [2] * 10)
    result = anchors.choose(sides, labels, levels=2, count=1, seed=0)
    (first,), (second,) = result
    assert first == pytest.approx((8, 8), rel=0.1)
    assert second == pytest.approx((200, 100), rel=0.1)
    assert result == anchors.choose(sides, labels, levels=2, count=1, seed=0)


def test_levels_are_ordered_by_size_and_alike_in_number():
    random = np.random.default_rng(1)
    sides = np.exp(random.uniform(1, 6, (300, 2)))
    result = anchors.choose(sides, random.integers(1, 4, 300), levels=5, count=3, seed=0)
    assert [len(level) for level in result] == [3] * 5
    areas = [w * h for level in result for w, h in level]
    assert areas == pytest.approx(sorted(areas), rel=0.05)


@pytest.mark.parametrize("sides", [[(10, 10)], [(4, 8), (64, 32)], [(0.5, 0.2)] * 20])
def test_fewer_boxes_than_anchors(sides):
    result = anchors.choose(np.array(sides, float), np.ones(len(sides), int), 5, 2, 0)
    assert [len(level) for level in result] == [2] * 5
    assert all(side > 0 for level in result for pair in level for side in pair)
    widest = max(max(pair) for pair in sides)
    assert result[-1][-1][0] == pytest.approx(max(widest, 1.0), rel=0.1)
