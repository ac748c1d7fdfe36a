from __future__ import annotations

import math

import numpy as np
import pytest

from fundoscope.evaluate.lesions import truth
from fundoscope.evaluate.lesions.detections import Detections, ScoredBoxes
from fundoscope.evaluate.lesions.evaluation import compare, evaluate
from fundoscope.evaluate.lesions.truth import Photograph

MA, EX, OD = "microaneurysm", "hard_exudate", "optic_disc"
EYES = {
    "a": [(MA, (10, 10, 20, 20)), (MA, (40, 10, 50, 20)), (OD, (50, 20, 90, 60))],
    "b": [(MA, (10, 10, 20, 20)), (EX, (30, 30, 44, 40))],
    "c": [(EX, (30, 30, 44, 40)), (OD, (50, 20, 90, 60))],
}
FOUND = {
    "a": [(MA, (10, 10, 20, 20), 0.9), (MA, (70, 70, 80, 80), 0.6), (OD, (55, 20, 95, 60), 0.8)],
    "b": [(MA, (11, 10, 21, 20), 0.3), (EX, (30, 30, 44, 40), 0.7)],
    "c": [(MA, (60, 60, 70, 70), 0.2), (OD, (0, 0, 40, 40), 0.9)],
}
THRESHOLDS = {MA: 0.5, EX: 0.5, OD: 0.5}


@pytest.fixture
def evaluated(eyes, seen_as):
    def call(
        detections=FOUND, lesions=EYES, thresholds=THRESHOLDS, masks=False, absent=(), **options
    ):
        root = eyes(lesions, absent)
        known = truth.gather(root / "JPEGImages", root, masks=root / "masks" if masks else None)
        look = seen_as(detections, tuple(thresholds), options.pop("unassessed", None))
        return evaluate(known, look, thresholds, resamples=20, **options)

    return call


def figure(evaluation, kind, name):
    return evaluation.figures.kinds[kind].figures[name].value


def test_counts_at_the_threshold(evaluated):
    result = evaluated()
    micro = result.figures.kinds[MA]
    assert (micro.lesions, micro.found, micro.hits) == (3, 2, 1)
    assert figure(result, MA, "precision") == 0.5
    assert figure(result, MA, "recall") == pytest.approx(1 / 3)
    assert figure(result, MA, "f1") == pytest.approx(0.4)


def test_curves_take_all_boxes(evaluated):
    # Ranked: hit, false, hit, false; the second lesion of a is never found.
    assert figure(evaluated(), MA, "ap_hit") == pytest.approx((1 + 2 / 3) / 3)
    assert figure(evaluated(), MA, "sensitivity_at_0.25") == pytest.approx(1 / 3)
    assert figure(evaluated(), MA, "sensitivity_at_0.5") == pytest.approx(2 / 3)


def test_counts_by_photograph(evaluated):
    result = evaluated()
    # a: 2 found of 2, b: 0 of 1, c: 0 of 0.
    assert figure(result, MA, "count_error") == pytest.approx(1 / 3)
    assert figure(result, MA, "count_bias") == pytest.approx(-1 / 3)
    # Best scores 0.9 and 0.3 with, 0.2 without.
    assert figure(result, MA, "present_auc") == 1.0


def test_overall_is_of_lesions_without_the_disc(evaluated):
    result = evaluated()
    overall = result.figures.overall
    assert overall["precision"].value == pytest.approx(2 / 3)
    assert overall["recall"].value == pytest.approx(2 / 5)
    mean = (figure(result, MA, "ap_hit") + figure(result, EX, "ap_hit")) / 2
    assert overall["ap_hit"].value == pytest.approx(mean)


def test_the_disc_is_found_where_its_centre_is(evaluated):
    result = evaluated()
    a, b, c = result.photographs
    assert a.disc_distance == pytest.approx(5 / 20)
    assert b.disc_distance is None
    assert c.disc_distance > 1
    assert result.figures.discs == (2, 1)
    assert result.figures.disc.value == 0.5


def test_a_disc_below_the_threshold_is_not_found(evaluated):
    result = evaluated(thresholds={**THRESHOLDS, OD: 0.85})
    assert result.photographs[0].disc_distance == math.inf
    assert result.figures.discs == (2, 0)


def test_photographs_that_cannot_be_read_are_missed_lesions(evaluated):
    dark = {stem: boxes for stem, boxes in FOUND.items() if stem != "a"}
    for result in (evaluated(dark, masks=True), evaluated(absent=("a",), masks=True)):
        assert [each.photograph.image for each in result.not_read] == ["a.png"]
        assert result.figures.kinds[MA].lesions == 3
        assert figure(result, MA, "recall") == 0.0
        assert result.figures.discs == (2, 0)
        # Its pixels count as missed too.
        assert figure(result, MA, "aupr_pixels") < 0.5


def test_kinds_that_cannot_be_seen_at_that_size_are_not_found(evaluated):
    result = evaluated(unassessed={"a": (MA,)})
    assert result.photographs[0].detections.unassessed == (MA,)
    assert figure(result, MA, "recall") == 0.0
    assert result.figures.kinds[MA].lesions == 3


def test_kinds_that_the_detector_does_not_know(evaluated):
    result = evaluated(thresholds={MA: 0.5})
    assert result.unknown == (EX, OD)
    assert result.figures.kinds[EX].threshold == math.inf
    assert figure(result, EX, "recall") == 0.0
    assert figure(result, EX, "precision") is None
    assert result.figures.discs == (2, 0)


def test_kinds_that_nobody_annotated_are_not_measured(evaluated):
    result = evaluated(lesions={"a": [(MA, (10, 10, 20, 20))], "b": [], "c": []})
    assert list(result.figures.kinds) == [MA]
    assert result.unmeasured == (EX, OD)
    assert result.figures.disc.value is None
    assert result.figures.overall["recall"].value == 1.0


def test_pixels_of_perfect_boxes(evaluated):
    perfect = {stem: [(kind, box, 0.9) for kind, box in there] for stem, there in EYES.items()}
    result = evaluated(perfect, masks=True)
    for kind in (MA, EX, OD):
        for name in ("precision", "recall", "f1", "ap_hit", "ap_50", "aupr_pixels"):
            assert figure(result, kind, name) == pytest.approx(1.0)
    assert result.figures.overall["aupr_pixels"].value == pytest.approx(1.0)
    assert figure(result, MA, "count_error") == 0


def test_without_masks_there_is_no_figure_of_pixels(evaluated):
    result = evaluated().figures.kinds[MA].figures["aupr_pixels"]
    assert result.value is None
    assert "no masks" in result.reason


def test_landmarks_alone_have_no_overall(evaluated):
    result = evaluated(lesions={"a": [(OD, (50, 20, 90, 60))], "b": [], "c": []})
    assert result.figures.overall == {}
    assert result.figures.kinds[OD].hits == 1


def test_lesions_of_which_there_are_none(evaluated, eyes, seen_as):
    root = eyes(EYES)
    (root / "one.txt").write_text("c")
    known = truth.gather(root / "JPEGImages", root, names=root / "one.txt")
    result = evaluate(known, seen_as(FOUND), THRESHOLDS, resamples=20)
    assert result.figures.kinds[MA].figures["recall"].reason == "there is no lesion of this kind"
    # The mean over kinds is that of hard exudates, the only ones there.
    assert result.figures.overall["ap_hit"].value == figure(result, EX, "ap_hit")


def test_workers_and_repetition_change_nothing(evaluated):
    one, two = evaluated(masks=True), evaluated(masks=True, workers=3)
    for kind in (MA, EX, OD):
        assert one.figures.kinds[kind].figures == two.figures.kinds[kind].figures
    assert one.figures.overall == two.figures.overall


def test_progress_is_reported(evaluated):
    reported = []
    evaluated(on_read=lambda: reported.append(1))
    assert len(reported) == 3


def test_boxes_on_a_photograph_smaller_than_the_one_that_centres_were_marked_on():
    from fundoscope.evaluate.lesions.centres import Disc

    photograph = Photograph("a.jpg", None, disc=Disc(2144, 1424, 260, 4288))
    box = ScoredBoxes(np.array([[50.0, 30, 70, 50]]), np.array([0.9]))
    detections = Detections("read", (120, 80), {OD: box})
    result = compare(photograph, detections, (), {OD: 0.5})
    assert result.disc_distance == pytest.approx(abs(40 - 1424 * 120 / 4288) / (260 * 120 / 4288))
