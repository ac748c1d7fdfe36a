"""Fit the model that grades an eye by its lesions alone.

Proportional odds: one weighted sum of the features for all borders of the scale, so that the few
severe eyes borrow from the many mild ones. A model with weights for each border had a quadratic
kappa lower by 0.05 on validation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.calibrate.clinic import FOLDS, folds
from fundoscope.calibrate.presence import equal_sources, limit_of
from fundoscope.errors import UsageError
from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.evaluate.grading.figures import quadratic_kappa
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading import heads, lesion_features
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE
from fundoscope.grading.lesion_features import Features
from fundoscope.grading.lesion_grade import log_odds_of
from fundoscope.models.lesion_grade import BORDERS, LesionGradeModel

PENALTY: Final = 50.0
"""L2 (ridge) penalty on the weights of values of unit variance, beside a loss that is summed over
the photographs. Chosen on validation."""
SIZE_SHARE: Final = 0.5
"""How much of the correction by size the scores have whose boxes are counted. All of it lifts the
false boxes of small photographs among the features. Chosen on the reserved photographs (mean AUC of
the sources 0.902 with all of it, 0.907 with half, 0.907 with none) and on validation (grade 0
against 2 or more: 0.916, 0.924, 0.920)."""
MIN_PHOTOGRAPHS: Final = 200
"""Fewer say too little for the number of weights."""
MIN_ABOVE: Final = 10
"""Least photographs above a border, and least that reach it and are not above it."""
SPREAD: Final = 1e-3
"""Least standard deviation of a feature."""
DIGITS: Final = 4
"""Decimals of the fitted values."""
STEPS: Final = 10**DIGITS


@dataclass(frozen=True, slots=True)
class Material:
    """N photographs that the detector read.

    Attributes:
        values: ``float64 (N, F)`` of the features; NaN where one is missing.
        grades: ``int64 (N,)``, by readers.
        sources: N names of data sets.
        patients: N keys; photographs with the same key belong together.
        healthy: ``bool (N,)``, of the eyes without retinopathy and without another disease.
    """

    values: Floats
    grades: Ints
    sources: NDArray[np.str_]
    patients: Sequence[Hashable]
    healthy: Flags


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How accurate grades by lesions are, on photographs that the model was not fitted to.

    Attributes:
        photographs: their number.
        kappa: quadratic, of the most probable grade.
        auc: of "referable".
        healthy_drawn: share of the healthy eyes on which lesions are drawn; NaN without any.
        referable_drawn: share of the referable eyes on which they are; NaN without any.
    """

    photographs: int
    kappa: float
    auc: float
    healthy_drawn: float
    referable_drawn: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted model, and how accurate it is on photographs that it was not fitted to.

    Attributes:
        model: of all photographs.
        figures: by source and, under ``""``, of all photographs together.
    """

    model: LesionGradeModel
    figures: Mapping[str, Accuracy]


def material(
    features: Sequence[Features],
    grades: Sequence[int],
    sources: Sequence[str],
    patients: Sequence[Hashable],
    healthy: Sequence[bool],
) -> Material:
    """Put features and labels together; each argument has an entry for each photograph."""
    names = lesion_features.NAMES
    values = [lesion_features.vector(each, names) for each in features]
    return Material(
        np.array(values, dtype=np.float64).reshape(len(features), len(names)),
        np.array(grades, dtype=np.int64),
        np.array(sources, dtype=np.str_),
        patients,
        np.array(healthy, dtype=bool),
    )


def fit(given: Material, healthy_share: float) -> Fitted:
    """Fit the model, and choose from which probability on lesions are drawn.

    Args:
        given: photographs that the detector did not learn from, of all grades.
        healthy_share: lesions are drawn on at most this share of the healthy eyes of each source,
            0 to 1.

    Raises:
        UsageError: they are too few.
    """
    _require_enough(given.grades)
    _require_patients(given.patients)
    p = cross_validated(given)
    diseased = 1.0 - p[:, 0]
    healthy = list(zip(given.sources[given.healthy].tolist(), diseased[given.healthy], strict=True))
    drawn_from = min(1.0, math.ceil(limit_of(healthy, healthy_share) * STEPS) / STEPS)
    model = _fitted(given, np.ones(len(given.grades), dtype=bool))
    every = np.ones(len(p), dtype=bool)
    shown = {source: given.sources == source for source in np.unique(given.sources).tolist()}
    figures = {
        name: accuracy_of(p[of], given.grades[of], given.healthy[of], diseased[of] >= drawn_from)
        for name, of in {"": every, **shown}.items()
    }
    return Fitted(replace(model, drawn_from=drawn_from), figures)


def cross_validated(given: Material) -> Floats:
    """Probabilities of the grades, ``float64 (N, 5)``, by models fitted without the photograph.

    The photographs of a patient are left out together.

    Args:
        given: as for :func:`fit`.
    """
    parts = folds(given.grades >= REFERABLE_GRADE, given.patients)
    p = np.empty((len(given.grades), GRADE_COUNT))
    for part in range(FOLDS):
        out = parts == part
        p[out] = probabilities(_fitted(given, ~out), given.values[out])
    return p


def probabilities(model: LesionGradeModel, values: Floats) -> Floats:
    """Probabilities of the grades, ``float64 (N, 5)``, from features ``float64 (N, F)``."""
    return heads.probabilities(log_odds_of(model, values))


def accuracy_of(p: Floats, grades: Ints, healthy: Flags, drawn: Flags) -> Accuracy:
    """How well the grades by lesions of N photographs agree with the readers'.

    Args:
        p: probabilities, ``float64 (N, 5)``.
        grades: by readers, ``int64 (N,)``.
        healthy: which eyes are, ``bool (N,)``.
        drawn: on which lesions are drawn, ``bool (N,)``.
    """
    counts = np.zeros((GRADE_COUNT, GRADE_COUNT))
    np.add.at(counts, (grades, heads.most_probable(p)), 1)
    weights = np.ones((1, len(grades)))
    auc = area_under_curve(grades >= REFERABLE_GRADE, heads.referable(p), weights)
    return Accuracy(
        len(grades),
        float(quadratic_kappa(counts)),
        float(np.squeeze(auc)),
        _share(drawn, healthy),
        _share(drawn, grades >= REFERABLE_GRADE),
    )


def _share(of: Flags, among: Flags) -> float:
    return float(of[among].mean()) if among.any() else float("nan")


def _require_patients(patients: Sequence[Hashable]) -> None:
    """Cross-validation leaves patients out, and the rest must have some."""
    count = len(set(patients))
    if count < FOLDS:
        raise UsageError(
            f"{len(patients)} photographs",
            f"are of {count} patients, too few to fit a grade to",
            f"add photographs of other patients, {FOLDS} in all at least",
        )


def _require_enough(grades: Ints) -> None:
    reaching = [(int((grades > k).sum()), int((grades == k).sum())) for k in range(BORDERS)]
    if len(grades) < MIN_PHOTOGRAPHS or min(min(counts) for counts in reaching) < MIN_ABOVE:
        by_grade = ", ".join(f"{int((grades == k).sum())} of {k}" for k in range(GRADE_COUNT))
        raise UsageError(
            f"{len(grades)} photographs",
            f"are too few to fit a grade to: {by_grade}",
            f"label {MIN_PHOTOGRAPHS} or more on which lesions are assessed, at least"
            f" {MIN_ABOVE} of each grade",
        )


def _fitted(given: Material, used: Flags) -> LesionGradeModel:
    values, grades = given.values[used], given.grades[used]
    absent = np.isnan(values)
    centre = np.nan_to_num(np.nanmean(np.where(absent.all(axis=0), 0.0, values), axis=0))
    spread = np.maximum(np.nan_to_num(np.nanstd(np.where(absent, centre, values), axis=0)), SPREAD)
    scaled = np.where(absent, 0.0, (values - centre) / spread)
    x = np.concatenate([scaled, absent], axis=1)
    slopes, intercepts = _proportional(x, grades, equal_sources(given.sources[used].tolist()))
    count = values.shape[1]
    return LesionGradeModel(
        features=lesion_features.NAMES,
        centre=_rounded(centre),
        spread=_rounded(spread),
        weights=_rounded(slopes[:count]),
        missing=_rounded(slopes[count:]),
        intercepts=_rounded(intercepts),
        size_share=SIZE_SHARE,
        fitted_on=dict(sorted(Counter(given.sources[used].tolist()).items())),
    )


def _proportional(x: Floats, grades: Ints, weights: Floats) -> tuple[Floats, Floats]:
    """Slopes ``(2 F,)`` and intercepts ``(4,)`` with the least logistic loss over all borders.

    Args:
        x: ``float64 (N, 2 F)``, scaled features, then which of them are missing.
        grades: ``int64 (N,)``.
        weights: of the photographs, ``float64 (N,)``.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    above = np.where(grades[:, np.newaxis] > np.arange(BORDERS), 1.0, -1.0)
    count = x.shape[1]

    def loss(values: Floats) -> tuple[float, Floats]:
        slopes, intercepts = values[:count], values[count:]
        margin = above * ((x @ slopes)[:, np.newaxis] + intercepts)
        pull = -weights[:, np.newaxis] * above * expit(-margin)
        total = weights @ np.logaddexp(0.0, -margin).sum(axis=1) + PENALTY / 2 * slopes @ slopes
        by_slopes = x.T @ pull.sum(axis=1) + PENALTY * slopes
        return float(total), np.concatenate([by_slopes, pull.sum(axis=0)])

    found = minimize(loss, np.zeros(count + BORDERS), jac=True, method="L-BFGS-B")
    return found.x[:count], found.x[count:]


def _rounded(values: Floats) -> tuple[float, ...]:
    return tuple(round(float(value), DIGITS) for value in values)
