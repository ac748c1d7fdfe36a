from __future__ import annotations

import numpy as np

from fundoscope.evaluate.roc import area_under_curve


def test_area_counts_ties_half_and_ignores_the_order():
    positive = np.array([True, False, True, False])
    score = np.array([0.5, 0.5, 0.9, 0.1])
    area = area_under_curve(positive, score, np.ones((1, 4)))
    assert area[0] == (0.5 + 1 + 1 + 1) / 4
    shuffled = [2, 0, 3, 1]
    assert area_under_curve(positive[shuffled], score[shuffled], np.ones((1, 4)))[0] == area[0]


def test_area_without_photographs_is_undefined():
    area = area_under_curve(np.zeros(0, bool), np.zeros(0), np.ones((3, 0)))
    assert area.shape == (3,)
    assert np.isnan(area).all()
