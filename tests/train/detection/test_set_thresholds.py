"""A threshold between the photographs of several makers."""

from __future__ import annotations

import numpy as np
import pytest

from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.train.detection import set_thresholds
from fundoscope.train.detection.views import operating


def marked(*lesions: int) -> list[Matched]:
    """Photographs on which a detector gives twenty boxes, the best of which are lesions."""
    scores = np.linspace(0.95, 0.05, 20)
    return [Matched(scores, np.arange(20) < number, number) for number in lesions]


def test_a_threshold_lies_between_those_that_fit_each_maker_alone() -> None:
    careful, generous = marked(4, 5, 6), marked(14, 15, 16)
    first, second = (operating.threshold("microaneurysm", each) for each in (generous, careful))
    fitted, _ = set_thresholds.fit({"microaneurysm": first}, {"other": {"microaneurysm": careful}})
    assert first < fitted["microaneurysm"] < second
    # It does not matter which of the two the detector is validated with.
    turned, _ = set_thresholds.fit(
        {"microaneurysm": second}, {"other": {"microaneurysm": generous}}
    )
    assert turned["microaneurysm"] == pytest.approx(fitted["microaneurysm"])


def test_a_kind_that_others_do_not_annotate_keeps_its_threshold() -> None:
    thresholds = {"haemorrhage": 0.4, "microaneurysm": 0.5}
    fitted, _ = set_thresholds.fit(thresholds, {"other": {"microaneurysm": marked(4)}})
    assert fitted["haemorrhage"] == 0.4
    assert set_thresholds.fit(thresholds, {}) == (thresholds, ())


def test_a_kind_that_validation_never_shows_is_never_drawn() -> None:
    thresholds = {"laser_scar": operating.NEVER}
    further = {"laser_marks": {"laser_scar": marked(4, 5)}}
    assert set_thresholds.fit(thresholds, further) == (thresholds, ())


def test_a_set_on_which_nothing_is_hit_has_no_say() -> None:
    nothing = [Matched(np.array([0.9]), np.array([False]), 3)]
    fitted, _ = set_thresholds.fit({"microaneurysm": 0.5}, {"other": {"microaneurysm": nothing}})
    assert fitted == {"microaneurysm": 0.5}


def test_the_figures_of_a_set_are_those_at_the_threshold_of_the_bundle() -> None:
    fitted, (row,) = set_thresholds.fit(
        {"microaneurysm": 0.7}, {"other": {"microaneurysm": marked(5, 5)}}
    )
    assert (row.name, row.kind, row.photographs, row.lesions) == ("other", "microaneurysm", 2, 10)
    assert row.alone > fitted["microaneurysm"] > 0.7
    # On each photograph the five best of twenty boxes are the lesions.
    drawn = (marked(5)[0].scores >= fitted["microaneurysm"]).sum()
    assert row.precision == pytest.approx(min(5, drawn) / drawn)
    assert row.recall == pytest.approx(min(5, drawn) / 5)
