"""The grade by the lesions alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit

from fundoscope.errors import BundleError
from fundoscope.grading import lesion_features, lesion_grade
from fundoscope.grading.rules.evidence import Evidence
from fundoscope.lesions.summary import NO_DETECTOR, Findings
from fundoscope.models.lesion_grade import LesionGradeModel
from fundoscope.models.manifest import DetectorManifest
from fundoscope.reading import FieldOfView, Lesion, LesionSummary

FIELD = FieldOfView(True, (500.0, 500.0), 480.0, 1.0)
FEATURES = ("haemorrhage: boxes from 0.1", "haemorrhage: area")
MODEL = LesionGradeModel(
    features=FEATURES,
    centre=(1.0, 0.5),
    spread=(2.0, 0.5),
    weights=(1.0, 0.0),
    missing=(0.0, -3.0),
    intercepts=(1.0, 0.0, -1.0, -2.0),
)
SUMMARY = (LesionSummary("haemorrhage", True, None, 1, 100.0),)


def values(boxes: float | None, area: float | None) -> dict[str, float | None]:
    empty = lesion_features.features(Evidence(), 480.0)
    return {**empty, FEATURES[0]: boxes, FEATURES[1]: area}


def test_at_the_centre_the_intercepts_decide() -> None:
    given = lesion_grade.grade(MODEL, values(1.0, 0.5))
    above = [1 / (1 + np.exp(-log_odds)) for log_odds in MODEL.intercepts]
    assert given.referable_probability == pytest.approx(above[1], abs=1e-6) == 0.5
    assert given.probabilities[4] == pytest.approx(above[3], abs=1e-6)
    assert sum(given.probabilities) == pytest.approx(1.0, abs=1e-5)
    assert given.icdr == 0


def test_more_lesions_give_a_higher_grade() -> None:
    grades = [lesion_grade.grade(MODEL, values(boxes, 0.5)) for boxes in (0.0, 2.0, 4.0, 9.0)]
    chances = [grade.referable_probability for grade in grades]
    assert chances == sorted(chances)
    assert grades[0].icdr == 0
    assert grades[-1].icdr == 4


def test_a_missing_feature_has_a_weight_of_its_own() -> None:
    known, missing = (lesion_grade.grade(MODEL, values(1.0, area)) for area in (0.5, None))
    assert missing.referable_probability < known.referable_probability
    log_odds = lesion_grade.log_odds_of(MODEL, np.array([[np.nan, np.nan]]))
    assert log_odds.tolist() == [[-2.0, -3.0, -4.0, -5.0]]


Manifest = Callable[..., DetectorManifest]


def features_of(findings: Findings, fov: FieldOfView, manifest: DetectorManifest) -> Any:
    return lesion_grade.of_findings(findings, fov, manifest, 1.0)


def test_nothing_is_said_where_the_detector_read_nothing(detector_manifest: Manifest) -> None:
    manifest = detector_manifest(b"no graph")
    assert features_of(Findings(summary=NO_DETECTOR), FIELD, manifest) is None
    read = Findings(summary=SUMMARY, readable=True)
    assert features_of(read, FieldOfView(False), manifest) is None


def test_boxes_count_at_a_size_at_which_no_kind_is_assessed(detector_manifest: Manifest) -> None:
    weak = Lesion("haemorrhage", (400.0, 400.0, 420.0, 420.0), 0.2)
    small = (LesionSummary("haemorrhage", False, "photograph_too_small"),)
    findings = Findings(summary=small, seen=(weak,), readable=True)
    found = features_of(findings, FIELD, detector_manifest(b"no graph"))
    assert found is not None
    assert found["haemorrhage: boxes from 0.1"] == pytest.approx(np.log(2))
    assert found["haemorrhage: assessed"] == 0.0


def test_weak_boxes_reach_the_features(detector_manifest: Manifest) -> None:
    weak = Lesion("haemorrhage", (400.0, 400.0, 420.0, 420.0), 0.2)
    findings = Findings(summary=SUMMARY, seen=(weak,), readable=True)
    found = features_of(findings, FIELD, detector_manifest(b"no graph"))
    assert found is not None
    assert found["haemorrhage: boxes from 0.1"] == pytest.approx(np.log(2))


def test_boxes_of_small_photographs_count_with_a_share_of_their_correction(
    detector_manifest: Manifest,
) -> None:
    """In a photograph of half the size, 1 was added to the log-odds of this score."""
    manifest = detector_manifest(
        b"no graph", radius=1000.0, size_correction={"haemorrhage": 1.0}, size_exponent=2.0
    )
    half = FieldOfView(True, centre=(500.0, 500.0), radius=500.0)
    score = float(expit(logit(0.4) + 1.0))
    box = Lesion("haemorrhage", (400.0, 400.0, 420.0, 420.0), score)
    findings = Findings(summary=SUMMARY, seen=(box,), readable=True)
    names = ("haemorrhage: boxes from 0.3", "haemorrhage: boxes from 0.5")
    for share, counted in ((1.0, (1, 1)), (0.5, (1, 1)), (0.0, (1, 0))):
        found = lesion_grade.of_findings(findings, half, manifest, share)
        assert found is not None
        assert [found[name] for name in names] == pytest.approx(np.log1p(counted))
    full = lesion_grade.of_findings(findings, replace(half, radius=1000.0), manifest, 0.0)
    assert full is not None
    assert full[names[1]] == pytest.approx(np.log(2))


def test_features_of_a_later_version_are_refused(detector_manifest: Manifest) -> None:
    later = replace(MODEL, features=(FEATURES[0], "neovascularisation: boxes"))
    manifest = detector_manifest(b"no graph", lesion_grade=later)
    with pytest.raises(BundleError, match="does not know"):
        lesion_grade.require_known(manifest)
    lesion_grade.require_known(replace(manifest, lesion_grade=MODEL))
    lesion_grade.require_known(replace(manifest, lesion_grade=None))
