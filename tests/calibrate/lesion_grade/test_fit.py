"""Fitting the grade that lesions alone tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fundoscope.calibrate.lesion_grade import fit
from fundoscope.errors import UsageError
from fundoscope.grading import lesion_features
from fundoscope.grading.rules.evidence import QUADRANTS, Evidence, PlacedLesion
from fundoscope.models import lesion_grade as stored

ASSESSED = frozenset(lesion_features.KINDS)


def eye(grade: int, random: np.random.Generator) -> lesion_features.Features:
    """An eye with more lesions at a higher grade, and a few false boxes at grade 0."""
    count = random.poisson((1, 4, 12, 30, 50)[grade])
    boxes = tuple(
        PlacedLesion(
            ("microaneurysm", "haemorrhage")[n % 2],
            n,
            quadrant=QUADRANTS[random.integers(4)],
            area=0.01,
            score=float(random.uniform(0.1, 0.5 + 0.1 * grade)),
        )
        for n in range(count)
    )
    return lesion_features.features(Evidence(boxes, ASSESSED, frozenset(QUADRANTS)), 500.0)


def eyes(count: int, seed: int = 1, grades: int = 5) -> fit.Material:
    random = np.random.default_rng(seed)
    labels = [n % grades for n in range(count)]
    return fit.material(
        [eye(grade, random) for grade in labels],
        labels,
        ["a" if n % 3 else "b" for n in range(count)],
        [f"p{n // 2}" for n in range(count)],
        [grade == 0 for grade in labels],
    )


def accuracy_of(model: stored.LesionGradeModel, given: fit.Material) -> fit.Accuracy:
    p = fit.probabilities(model, given.values)
    return fit.accuracy_of(p, given.grades, given.healthy, 1 - p[:, 0] >= model.drawn_from)


def test_the_model_tells_eyes_that_it_has_not_seen() -> None:
    model = fit.fit(eyes(400), 0.1).model
    accuracy = accuracy_of(model, eyes(200, seed=2))
    assert accuracy.kappa > 0.8
    assert accuracy.auc > 0.95
    assert stored.fault(model) is None
    assert model.fitted_on == {"a": 266, "b": 134}


def test_cross_validation_is_by_source_and_not_better_than_the_fit() -> None:
    given = eyes(300)
    fitted = fit.fit(given, 0.1)
    figures = fitted.figures
    assert list(figures) == ["", "a", "b"]
    assert figures[""].photographs == figures["a"].photographs + figures["b"].photographs == 300
    assert figures[""].auc <= accuracy_of(fitted.model, given).auc


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_lesions_are_drawn_on_few_healthy_eyes_of_every_source(share: float) -> None:
    figures = fit.fit(eyes(400), share).figures
    assert max(figures[source].healthy_drawn for source in "ab") <= share
    assert figures[""].referable_drawn > 0.8


def test_on_other_healthy_eyes_lesions_are_drawn_about_as_often() -> None:
    model = fit.fit(eyes(400), 0.1).model
    others = accuracy_of(model, eyes(1000, seed=2))
    assert 0 < others.healthy_drawn < 0.2
    assert others.referable_drawn > 0.8


def test_without_a_healthy_eye_lesions_are_always_drawn() -> None:
    given = replace(eyes(400), healthy=np.zeros(400, dtype=bool))
    assert fit.fit(given, 0.1).model.drawn_from == 0


def test_labels_without_a_meaning_are_told_by_nothing() -> None:
    given = eyes(400)
    shuffled = np.random.default_rng(3).permutation(given.grades)
    by_chance = replace(given, grades=shuffled)
    assert abs(fit.fit(by_chance, 0.1).figures[""].kappa) < 0.2


def test_a_feature_that_is_never_known_decides_nothing() -> None:
    given = eyes(300)
    values = given.values.copy()
    place = lesion_features.NAMES.index("haemorrhage: area")
    values[:, place] = np.nan
    model = fit.fit(replace(given, values=values), 0.1).model
    assert stored.fault(model) is None
    assert model.weights[place] == 0.0


@pytest.mark.parametrize(("count", "grades"), [(100, 5), (400, 3)], ids=["few", "no severe eye"])
def test_too_few_photographs_are_refused(count: int, grades: int) -> None:
    with pytest.raises(UsageError, match="too few to fit a grade to"):
        fit.fit(eyes(count, grades=grades), 0.1)
