"""The grade that a fitted model reads from the lesions alone, without the grader's network."""

from __future__ import annotations

from typing import Final

import numpy as np

from fundoscope.errors import BundleError
from fundoscope.grading import heads, lesion_features
from fundoscope.grading.heads import REFERABLE_GRADE
from fundoscope.grading.lesion_features import Features
from fundoscope.grading.rules import places
from fundoscope.lesions import comparable, presence
from fundoscope.lesions.summary import Findings
from fundoscope.models.lesion_grade import LesionGradeModel
from fundoscope.models.manifest import DetectorManifest
from fundoscope.opinions import LesionGrade
from fundoscope.quoting import quoted
from fundoscope.reading import FieldOfView

DIGITS: Final = 6
"""Decimals of probabilities, so that processors which round differently agree."""


def require_known(manifest: DetectorManifest) -> None:
    """Check that this version knows all features of a bundle's model, if it has one.

    Raises:
        BundleError: it does not.
    """
    model = manifest.lesion_grade
    unknown = set() if model is None else set(model.features) - set(lesion_features.NAMES)
    if unknown:
        raise BundleError(
            manifest.name,
            f"grades by {quoted(min(unknown))}, which this version of fundoscope does not know",
            "use the version that the bundle was made with, or a newer one",
        )


def of_findings(
    findings: Findings, fov: FieldOfView, manifest: DetectorManifest, size_share: float
) -> Features | None:
    """The features of one photograph.

    They do not need a kind that is assessed: a photograph too small to show any kind box by box may
    still have many more weak boxes than healthy eyes of its size.

    Args:
        findings: with all boxes that the detector saw.
        fov: the field of view.
        manifest: of the detector.
        size_share: of the model (:attr:`LesionGradeModel.size_share`).

    Returns:
        ``None`` if the boxes say nothing: see :attr:`Findings.readable`.
    """
    if fov.radius is None or not findings.readable:
        return None
    shared = comparable.with_share(findings.seen, manifest, fov.radius, size_share)
    seen = [each for each in shared if (each.score or 0.0) >= presence.WEAKEST]
    evidence = places.evidence(seen, findings.summary, findings.anatomy, fov)
    return lesion_features.features(evidence, fov.radius)


def grade(model: LesionGradeModel, features: Features) -> LesionGrade:
    """The grade by the lesions.

    Args:
        model: of the detector's bundle.
        features: of a photograph, with every feature that the model names.
    """
    values = np.array(lesion_features.vector(features, model.features))
    log_odds = log_odds_of(model, values[np.newaxis])
    p = np.round(heads.probabilities(log_odds)[0], DIGITS)
    return LesionGrade(
        icdr=int(p.argmax()),
        probabilities=(float(p[0]), float(p[1]), float(p[2]), float(p[3]), float(p[4])),
        referable_probability=round(float(p[REFERABLE_GRADE:].sum()), DIGITS),
    )


def log_odds_of(model: LesionGradeModel, values: heads.Floats) -> heads.Floats:
    """Log-odds that the grades of N photographs are above 0, 1, 2, 3: ``float64 (N, 4)``.

    Args:
        model: with F features.
        values: ``float64 (N, F)``; NaN where a feature is missing.
    """
    absent = np.isnan(values)
    scaled = np.where(absent, 0.0, (values - np.array(model.centre)) / np.array(model.spread))
    evidence = scaled @ np.array(model.weights) + absent @ np.array(model.missing)
    log_odds: heads.Floats = evidence[:, np.newaxis] + np.array(model.intercepts)
    return log_odds
