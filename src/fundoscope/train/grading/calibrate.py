"""Fitting on validation after training: temperature, cut-points, referable threshold.

Numpy and scipy only. Each function states what it optimises. Test photographs are never used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.evaluate.grading.figures import quadratic_kappa
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading import heads

CUT_STEP: Final = 0.02
"""Grid of the cut-points on the expected grade; finer ones fit noise (0.02 moves 1 % of cases)."""
CUT_SMOOTHING: Final = 4
"""A cut-point is evaluated by the mean over this many grid steps on each side. So the middle of a
plateau is preferred to a spike that a few photographs make."""
CUT_BAND: Final = 0.4
"""Least distance of two cut-points. Without it the band of grade 1 closes, because accuracy rises
where no photograph is graded mild. On validation 0.4 cost 0.008 of accuracy and gave 0.011 of
kappa."""
CUT_ROUNDS: Final = 6
CUT_RESAMPLES: Final = 25
"""Cut-points are the mean of those that fit this many samples drawn with replacement: a single fit
lies anywhere on a flat, noisy profile (`bench/cut_points.py`, docs/notebook/grader.md)."""
KAPPA_SHARE: Final = 0.75
"""Weight of kappa in :func:`agreement`; accuracy has the rest. Accuracy alone sacrifices the severe
grades, because they are few (`bench/cut_points.py`, docs/notebook/grader.md)."""
ROUNDING: Final = (0.5, 1.5, 2.5, 3.5)
"""Where the search starts: cut-points that round the expected grade."""
TEMPERATURE_RANGE: Final = (0.25, 4.0)
TARGET_SENSITIVITY: Final = 0.90
"""For "referable", over the gradable validation photographs of all sources together."""
TINY: Final = 1e-7
"""Keeps logarithms finite and comparisons of grid points exact."""
MEAN, POOLED, GRADABLE = "mean of sources", "together", "gradable"
SHARES: Final = ("auc", "kappa", "accuracy", "sensitivity", "specificity")
"""All figures but the number of photographs."""

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a calibrated grader on some validation photographs; NaN where undefined.

    Attributes:
        n: number of photographs.
        accuracy, kappa: of the grades that the cut-points give; kappa has quadratic weights.
        auc: area under the ROC curve of the referable probability.
        sensitivity, specificity: of "referable" at the threshold.
    """

    n: int
    accuracy: float
    kappa: float
    auc: float
    sensitivity: float
    specificity: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """The fitted values, and the figures of the grader with them.

    Attributes:
        temperature: divides the logits.
        cut_points: four ascending values on the expected grade.
        threshold: of the referable probability.
        by_source: figures of each source by its name.
        pooled: of all photographs together.
        gradable: of the gradable photographs, on which the threshold was fitted.
    """

    temperature: float
    cut_points: tuple[float, float, float, float]
    threshold: float
    by_source: dict[str, Figures]
    pooled: Figures
    gradable: Figures

    def mean(self, name: str) -> float:
        """The unweighted mean of a figure over the sources that have one; NaN where none has."""
        values = np.array([getattr(f, name) for f in self.by_source.values()])
        known = values[np.isfinite(values)]
        return float(known.mean()) if len(known) else float("nan")

    def table(self) -> dict[str, dict[str, float | None]]:
        """All figures by name, of each source and the summaries; ``None`` where undefined.

        The summaries are :data:`MEAN`, :data:`POOLED` and :data:`GRADABLE`.
        """
        rows = {
            **{name: dataclasses.asdict(figures) for name, figures in self.by_source.items()},
            MEAN: {name: self.mean(name) for name in SHARES},
            POOLED: dataclasses.asdict(self.pooled),
            GRADABLE: dataclasses.asdict(self.gradable),
        }
        return {
            row: {name: value if np.isfinite(value) else None for name, value in figures.items()}
            for row, figures in rows.items()
        }


def calibrate(
    logits: NDArray[np.float32],
    labels: Labels,
    sources: Sequence[str],
    gradable: NDArray[np.bool_],
    head: str = heads.CUMULATIVE,
) -> Calibration:
    """Fit everything on validation.

    For the head ``sigmoid``, whose output is rounded to a grade, only the threshold is fitted.

    Args:
        logits: ``(N, outputs)`` of the head.
        labels: ``(N,)`` grades, 0 to 4.
        sources: N names.
        gradable: ``(N,)``, false where a person could not grade the photograph; these are not used
            for the threshold.
        head: of :mod:`fundoscope.grading.heads`.
    """
    fixed = head == heads.SIGMOID
    temperature = 1.0 if fixed else fit_temperature(logits, labels, head)
    p = heads.probabilities(logits, temperature, head)
    cuts = (
        ROUNDING if fixed else fit_cut_points(heads.expected(p), labels, source_numbers(sources)[1])
    )
    positive = labels >= heads.REFERABLE_GRADE
    threshold = referable_threshold(heads.referable(p)[gradable], positive[gradable])
    return evaluate(
        logits,
        labels,
        sources,
        gradable,
        head,
        temperature=temperature,
        cut_points=cuts,
        threshold=threshold,
    )


def evaluate(
    logits: NDArray[np.float32],
    labels: Labels,
    sources: Sequence[str],
    gradable: NDArray[np.bool_],
    head: str,
    *,
    temperature: float,
    cut_points: tuple[float, float, float, float],
    threshold: float,
) -> Calibration:
    """The figures of a grader with given fitted values.

    Args:
        logits: ``(N, outputs)`` of the head.
        labels: ``(N,)`` grades, 0 to 4.
        sources: N names.
        gradable: ``(N,)``, false where a person could not grade the photograph.
        head: of :mod:`fundoscope.grading.heads`.
        temperature: divides the logits.
        cut_points: four ascending values on the expected grade.
        threshold: of the referable probability.
    """
    p = heads.probabilities(logits, temperature, head)
    referable, grades = heads.referable(p), heads.icdr(heads.expected(p), cut_points)
    names, numbers = source_numbers(sources)

    def of(mask: NDArray[np.bool_]) -> Figures:
        return _figures(labels[mask], grades[mask], referable[mask], threshold)

    return Calibration(
        temperature,
        cut_points,
        threshold,
        {name: of(numbers == i) for i, name in enumerate(names)},
        of(np.ones(len(labels), bool)),
        of(gradable),
    )


def _figures(labels: Labels, grades: Labels, referable: Floats, threshold: float) -> Figures:
    positive, called = labels >= heads.REFERABLE_GRADE, referable >= threshold
    counts = confusions(labels, grades, np.zeros(len(labels), np.int64))[0]
    return Figures(
        len(labels),
        _share(labels == grades),
        float(quadratic_kappa(counts)),
        float(area_under_curve(positive, referable, np.ones((1, len(labels))))[0]),
        _share(called[positive]),
        _share(~called[~positive]),
    )


def _share(true: NDArray[np.bool_]) -> float:
    return float(true.mean()) if len(true) else float("nan")


def confusions(labels: Labels, grades: Labels, source: Labels) -> NDArray[np.int64]:
    """Counts ``(sources, 5, 5)``, label by prediction, for source numbers 0, 1, ..."""
    n = heads.GRADE_COUNT
    cells = (source * n + labels) * n + grades
    sources = int(source.max()) + 1
    return np.bincount(cells, minlength=sources * n * n).reshape(sources, n, n)


def fit_temperature(
    logits: NDArray[np.float32], labels: Labels, head: str = heads.CUMULATIVE
) -> float:
    """The temperature with the smallest negative log-likelihood of the five probabilities.

    Args:
        logits: ``(N, outputs)`` of the head.
        labels: ``(N,)`` grades, 0 to 4.
        head: of :mod:`fundoscope.grading.heads`.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        p = heads.probabilities(logits, float(np.exp(log_temperature)), head)
        return float(-np.log(np.maximum(p[np.arange(len(p)), labels], TINY)).mean())

    low, high = np.log(TEMPERATURE_RANGE)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded").x))


def agreement(labels: Labels, grades: Labels, source: Labels) -> float:
    """The weighted mean of quadratic kappa and accuracy, averaged over the sources.

    Args:
        labels: ``(N,)`` grades.
        grades: ``(N,)`` predicted grades.
        source: ``(N,)`` numbers of the sources.
    """
    counts = confusions(labels, grades, source)
    accuracy = np.einsum("sii->s", counts) / np.maximum(counts.sum(axis=(1, 2)), 1)
    kappas = np.nan_to_num(quadratic_kappa(counts))
    return float((KAPPA_SHARE * kappas + (1 - KAPPA_SHARE) * accuracy).mean())


def fit_cut_points(
    expected: Floats, labels: Labels, source: Labels
) -> tuple[float, float, float, float]:
    """Four ascending cut-points on the expected grade with a high :func:`agreement`.

    The mean of the results of :func:`search_cut_points` for :data:`CUT_RESAMPLES` samples, drawn
    with replacement and always the same.

    Args:
        expected: ``(N,)`` expected grades, 0 to 4.
        labels: ``(N,)`` grades.
        source: ``(N,)`` numbers of the sources, each of which weighs the same.
    """
    random = np.random.default_rng(0)
    samples = []
    for _ in range(CUT_RESAMPLES):
        drawn = random.integers(0, len(labels), len(labels))
        samples.append(search_cut_points(expected[drawn], labels[drawn], source[drawn]))
    first, second, third, fourth = (round(float(cut), 6) for cut in np.mean(samples, axis=0))
    return first, second, third, fourth


def search_cut_points(expected: Floats, labels: Labels, source: Labels) -> Floats:
    """The four cut-points that fit these photographs best, without resampling.

    It is a coordinate search over a grid. Each profile is smoothed (:data:`CUT_SMOOTHING`), and
    each grade keeps a band (:data:`CUT_BAND`).

    Args:
        expected: ``(N,)`` expected grades, 0 to 4.
        labels: ``(N,)`` grades.
        source: ``(N,)`` numbers of the sources.
    """
    # Counted in grid steps, so that comparisons are exact.
    cuts = np.array([round(cut / CUT_STEP) for cut in ROUNDING])
    for _ in range(CUT_ROUNDS):
        before = cuts.copy()
        for i in range(len(cuts)):
            cuts[i] = _best_cut(cuts, i, expected, labels, source)
        if np.array_equal(before, cuts):
            break
    return cuts * CUT_STEP


def _best_cut(cuts: Labels, i: int, expected: Floats, labels: Labels, source: Labels) -> int:
    """The best place of one cut-point in grid steps, others fixed; the middle of equals."""
    band, highest = round(CUT_BAND / CUT_STEP), round((heads.GRADE_COUNT - 1) / CUT_STEP)
    low = cuts[i - 1] + band if i > 0 else 0
    high = cuts[i + 1] - band if i + 1 < len(cuts) else highest
    profile = []
    for candidate in range(low - CUT_SMOOTHING, high + CUT_SMOOTHING + 1):
        trial = cuts.copy()
        trial[i] = candidate
        grades = heads.icdr(expected, (trial * CUT_STEP).tolist())
        profile.append(agreement(labels, grades, source))
    width = 2 * CUT_SMOOTHING + 1
    smooth = np.convolve(profile, np.full(width, 1 / width), mode="valid")
    best = np.flatnonzero(smooth >= smooth.max() - TINY)
    return int(low + best[len(best) // 2])


def referable_threshold(
    probability: Floats, positive: NDArray[np.bool_], sensitivity: float = TARGET_SENSITIVITY
) -> float:
    """The highest threshold with at least the wanted sensitivity.

    Args:
        probability: ``(N,)`` of "referable".
        positive: ``(N,)``, whether the photograph is referable.
        sensitivity: the wanted one.

    Raises:
        ValueError: no photograph is referable.
    """
    sick = np.sort(probability[positive])
    if len(sick) == 0:
        raise ValueError("no referable photograph to fit a threshold on")
    missed = int(np.floor((1 - sensitivity) * len(sick) + TINY))
    return float(sick[missed])


def source_numbers(names: Sequence[str]) -> tuple[tuple[str, ...], Labels]:
    """The distinct names in order, and each row's number among them."""
    distinct, numbers = np.unique(np.asarray(names), return_inverse=True)
    return tuple(str(n) for n in distinct), numbers.astype(np.int64)
