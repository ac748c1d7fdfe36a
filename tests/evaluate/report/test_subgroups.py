from __future__ import annotations

import numpy as np
import pytest

from fundoscope.evaluate.grading.figures import Scores
from fundoscope.evaluate.intervals import ONE_CLUSTER
from fundoscope.evaluate.report.subgroups import LOOKED_AT, gaps

N = 60


@pytest.fixture
def scores():
    rng = np.random.default_rng(1)
    label = rng.permutation(np.tile([0, 1, 2, 3, 4], N // 5))
    given = np.clip(label + rng.integers(-1, 2, N), 0, 4)
    return Scores(label, given, given >= 2, given / 4, given / 4)


def test_a_part_of_one_patient_has_no_interval_and_no_test(scores):
    patients = [("p", str(i // 10)) for i in range(N)]
    camera = ["small" if patient == ("p", "0") else "large" for patient in patients]
    small = [gap for gap in gaps(scores, patients, camera, resamples=100) if gap.value == "small"]
    assert [gap.figure for gap in small] == list(LOOKED_AT)
    for gap in small:
        assert gap.own.value is not None
        assert (gap.own.low, gap.own.reason) == (None, ONE_CLUSTER)
        assert (gap.gap.low, gap.gap.reason, gap.p) == (None, ONE_CLUSTER, None)


def test_the_others_keep_their_interval_but_are_not_tested_against_one_patient(scores):
    patients = [("p", str(i // 10)) for i in range(N)]
    camera = ["small" if patient == ("p", "0") else "large" for patient in patients]
    for gap in gaps(scores, patients, camera, resamples=100):
        assert (gap.own.low is None) == (gap.value == "small")
        assert gap.p is None


def test_parts_of_several_patients_are_tested(scores):
    patients = [("p", str(i // 5)) for i in range(N)]
    camera = ["small" if i < N // 2 else "large" for i in range(N)]
    for gap in gaps(scores, patients, camera, resamples=100):
        assert gap.own.low <= gap.own.value <= gap.own.high
        assert gap.gap.low < gap.gap.high
        assert gap.p is not None
