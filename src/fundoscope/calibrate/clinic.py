"""Fit a grader's probabilities and threshold to a clinic's own photographs.

The figures after the fit come from cross-validation: each photograph is evaluated with values that
were fitted without it, and without the other photographs of its patient. The bundle then gets
values that are fitted to all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.calibrate import fitting, sets
from fundoscope.errors import UsageError
from fundoscope.evaluate.arrays import Flags, Floats, Ints, share
from fundoscope.evaluate.grading.figures import COLUMNS, UNDEFINED, Scores, figures
from fundoscope.evaluate.intervals import Figure, estimate, numbered
from fundoscope.grading import heads
from fundoscope.models.bundle import GraderManifest
from fundoscope.models.correction import GradeCorrection, Recalibration
from fundoscope.models.sets import GradeSets

MIN_PHOTOGRAPHS: Final = 50
MIN_OF_A_KIND: Final = 10
"""Least photographs in all, and least referable and least not referable ones. With ten referable
ones a sensitivity of 0.9 depends on one photograph; with fewer it says nothing."""
MIN_PATIENTS_OF_A_KIND: Final = 2
"""Least patients with referable eyes, and least with others: cross-validation leaves patients
out, and the rest must have some of both."""
REFERABLE_GRADES, OTHER_GRADES = "grade 2 to 4", "grade 0 or 1"
PRIOR: Final = 80.0
"""L2 penalty on the distance from the given bundle's correction, as :data:`fitting.PRIOR`. Fitted
to single sources of validation (60 to 198 photographs), a penalty of 1 cost up to 0.08 of accuracy
by cross-validation, and one of 80 at most 0.007."""
FOLDS: Final = 5
SEED: Final = 0
TARGET_SENSITIVITY: Final = 0.90
BINS: Final = 10
"""Bins of the calibration error, as in :mod:`fundoscope.evaluate.grading.calibration`."""
SHOWN: Final = (
    "accuracy",
    "quadratic_kappa",
    "referable_auc",
    "referable_sensitivity",
    "referable_specificity",
)
LOG_LOSS, CALIBRATION_ERROR = "log_loss", "calibration_error"
NAMES: Final = (*SHOWN, LOG_LOSS, CALIBRATION_ERROR)
"""The figures that are compared. The last two are those of the probabilities, lower is better."""


@dataclass(frozen=True, slots=True)
class Photographs:
    """Labelled photographs, and what a grader says about them.

    Attributes:
        p: ``float64 (N, 5)``, the probabilities without a correction.
        labels: ``int64 (N,)``, 0 to 4.
        patients: N keys; photographs with the same key stay together.
        drawn_by: what the keys are, in words (:func:`fundoscope.evaluate.intervals.drawn_by`).
    """

    p: Floats
    labels: Ints
    patients: tuple[Hashable, ...]
    drawn_by: str = "patient"

    @property
    def referable(self) -> Flags:
        """Whether each photograph is referable by its label, ``bool (N,)``."""
        flags: Flags = self.labels >= heads.REFERABLE_GRADE
        return flags


@dataclass(frozen=True, slots=True)
class Values:
    """The values that are fitted.

    Attributes:
        correction: of the probabilities.
        threshold: of "referable".
        conformal: limits of the sets of grades.
    """

    correction: GradeCorrection | None
    threshold: float
    conformal: GradeSets | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """The result of a fit.

    Attributes:
        values: fitted to all photographs.
        before: figures with the earlier values, by the names in :data:`NAMES`.
        after: figures by cross-validation.
        folds: number of its parts.
    """

    values: Values
    before: dict[str, Figure]
    after: dict[str, Figure]
    folds: int


def require_enough(labels: Sequence[int], patients: Sequence[Hashable], title: str) -> None:
    """Check that there are enough photographs for a fit.

    Args:
        labels: their N grades, 0 to 4.
        patients: N keys.
        title: of the label table, for the message.

    Raises:
        UsageError: there are not.
    """
    referable = sum(label >= heads.REFERABLE_GRADE for label in labels)
    healthy = len(labels) - referable
    remedy = (
        f"label at least {MIN_PHOTOGRAPHS} photographs, with {MIN_OF_A_KIND} of grade 2 to 4 and"
        f" {MIN_OF_A_KIND} of grade 0 or 1; a few hundred are better"
    )
    if len(labels) < MIN_PHOTOGRAPHS:
        raise UsageError(title, f"has {len(labels)} graded photographs, too few to fit to", remedy)
    for count, grades in ((referable, REFERABLE_GRADES), (healthy, OTHER_GRADES)):
        if count < MIN_OF_A_KIND:
            has = (
                ("no photograph", "only 1 photograph")[count]
                if count < 2
                else f"only {count} photographs"
            )
            raise UsageError(title, f"has {has} of {grades}, too few to fit to", remedy)
        of_kind = {
            patient
            for label, patient in zip(labels, patients, strict=True)
            if (label >= heads.REFERABLE_GRADE) == (grades == REFERABLE_GRADES)
        }
        if len(of_kind) < MIN_PATIENTS_OF_A_KIND:
            raise UsageError(
                title,
                f"has photographs of {grades} of one patient only, too few to fit to",
                f"add photographs of {grades} of other patients",
            )
    if len(set(patients)) < FOLDS:
        raise UsageError(
            title,
            f"has photographs of {len(set(patients))} patients, too few to fit to",
            f"add photographs of other patients, {FOLDS} in all at least",
        )


def fit(photographs: Photographs, earlier: Values, sensitivity: float) -> Fit:
    """Fit the correction and the threshold to labelled photographs, and measure both.

    Args:
        photographs: enough for :func:`require_enough`.
        earlier: the values of the given bundle.
        sensitivity: of "referable" that the threshold should have, 0 to 1.
    """
    everything = np.ones(len(photographs.labels), dtype=bool)
    p, scores = _cross_validated(photographs, earlier, sensitivity)
    p_before, scores_before = _scored(photographs, everything, earlier)
    return Fit(
        _fitted(photographs, everything, earlier, sensitivity),
        _figures(p_before, scores_before, photographs.patients),
        _figures(p, scores, photographs.patients),
        FOLDS,
    )


def _fitted(photographs: Photographs, chosen: Flags, earlier: Values, sensitivity: float) -> Values:
    """The values that fit the chosen photographs, starting from the earlier ones."""
    p, labels = photographs.p[chosen], photographs.labels[chosen]
    clinic = np.zeros(len(labels), dtype=np.int64)
    start = earlier.correction or fitting.IDENTITY
    correction = fitting.fit(p, labels, clinic, start=start, prior=PRIOR)
    corrected = heads.corrected(p, correction)
    threshold = fitting.referable_threshold(
        heads.referable(corrected), photographs.referable[chosen], sensitivity
    )
    return Values(correction, threshold, sets.fit(corrected, labels, clinic))


def _cross_validated(
    photographs: Photographs, earlier: Values, sensitivity: float
) -> tuple[Floats, Scores]:
    """Probabilities and scores of each photograph, with values that were fitted without it."""
    parts = folds(photographs.referable, photographs.patients)
    p = np.empty_like(photographs.p)
    given, positive = np.empty_like(photographs.labels), np.empty(len(p), dtype=bool)
    for part in range(FOLDS):
        out = parts == part
        values = _fitted(photographs, ~out, earlier, sensitivity)
        p[out], scores = _scored(photographs, out, values)
        given[out], positive[out] = scores.given, scores.positive
    return p, _scores(p, photographs.labels, given, positive)


def folds(referable: Flags, patients: Sequence[Hashable]) -> Ints:
    """The part of each photograph, 0 to :data:`FOLDS` - 1; a patient is in one part.

    Patients with a referable eye are dealt first, so that every part has its share of them.

    Args:
        referable: ``bool (N,)``.
        patients: N keys.
    """
    numbers = numbered(patients)
    has_referable = np.zeros(int(numbers.max()) + 1, dtype=bool)
    np.logical_or.at(has_referable, numbers, referable)
    shuffled = np.random.default_rng(SEED).permutation(len(has_referable))
    order = np.concatenate([shuffled[has_referable[shuffled]], shuffled[~has_referable[shuffled]]])
    part = np.empty(len(has_referable), dtype=np.int64)
    part[order] = np.arange(len(has_referable)) % FOLDS
    return part[numbers]


def _scored(photographs: Photographs, chosen: Flags, values: Values) -> tuple[Floats, Scores]:
    """Probabilities ``(n, 5)`` and scores of the chosen photographs with some values."""
    p = photographs.p[chosen]
    if values.correction is not None:
        p = heads.corrected(p, values.correction)
    positive = heads.referable(p) >= values.threshold
    return p, _scores(p, photographs.labels[chosen], heads.most_probable(p), positive)


def _scores(p: Floats, labels: Ints, given: Ints, positive: Flags) -> Scores:
    severe = p[:, heads.REFERABLE_GRADE + 1 :].sum(axis=1)
    return Scores(labels, given, positive, heads.referable(p), severe, p[:, 1:].sum(axis=1))


def _figures(p: Floats, scores: Scores, patients: Sequence[Hashable]) -> dict[str, Figure]:
    """The figures of :data:`NAMES` with their intervals, by resampling patients."""
    places = [COLUMNS.index(name) for name in SHOWN]

    def statistic(weights: Floats) -> Floats:
        return np.column_stack(
            (figures(scores, weights)[:, places], of_probabilities(p, scores.label, weights))
        )

    undefined = [UNDEFINED.get(name, UNDEFINED["accuracy"]) for name in NAMES]
    estimated = estimate(statistic, numbered(patients), undefined)
    return dict(zip(NAMES, estimated, strict=True))


def of_probabilities(p: Floats, labels: Ints, weights: Floats) -> Floats:
    """Log loss and calibration error of probabilities, ``float64 (R, 2)``.

    The calibration error compares the certainty of the most probable grade with how often it is
    right, in bins of certainty (Guo et al., On Calibration of Modern Neural Networks, 2017).

    Args:
        p: ``(N, 5)``.
        labels: ``(N,)``, 0 to 4.
        weights: ``(R, N)``, at least 0.
    """
    total = weights.sum(axis=1)
    likelihood = np.log(np.maximum(p[np.arange(len(p)), labels], fitting.TINY))
    certainty, right = p.max(axis=1), heads.most_probable(p) == labels
    place = np.minimum((certainty * BINS).astype(np.int64), BINS - 1)
    gaps = np.zeros((len(p), BINS))
    gaps[np.arange(len(p)), place] = certainty - right
    errors = np.abs(weights @ gaps).sum(axis=1)
    return np.column_stack((share(-(weights @ likelihood), total), share(errors, total)))


def recalibrated(
    manifest: GraderManifest, fitted: Fit, record: Recalibration, name: str
) -> GraderManifest:
    """The manifest of a bundle with new values; its network is the same.

    Args:
        manifest: of the given bundle.
        fitted: the new values.
        record: how they were fitted.
        name: of the new bundle.
    """
    return dataclasses.replace(
        manifest,
        name=name,
        correction=fitted.values.correction,
        referable_threshold=fitted.values.threshold,
        conformal=fitted.values.conformal,
        recalibrated=record,
    )
