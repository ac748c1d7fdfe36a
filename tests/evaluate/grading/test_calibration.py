from __future__ import annotations

import numpy as np
import pytest

from fundoscope.evaluate.grading.calibration import expected_calibration_error, reliability


def test_probabilities_that_come_true_have_no_error():
    probability = np.repeat([0.25, 0.75], 4)
    positive = np.array([1, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    assert expected_calibration_error(reliability(probability, positive)) == pytest.approx(0.0)


def test_boasting_is_an_error_of_its_size():
    probability = np.full(10, 0.95)
    positive = np.arange(10) < 5
    assert expected_calibration_error(reliability(probability, positive)) == pytest.approx(0.45)


def test_every_photograph_is_in_one_bin_certainty_in_the_last():
    table = reliability(np.array([0.0, 0.05, 0.1, 0.999, 1.0]), np.array([0, 0, 0, 1, 1], bool))
    assert [row.n for row in table] == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (table[2].predicted, table[2].observed) == (None, None)
    assert table[-1].observed == 1.0


def test_no_photographs_no_error():
    assert expected_calibration_error(reliability(np.empty(0), np.empty(0, bool))) is None
