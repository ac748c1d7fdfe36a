"""Cut-points on the expected grade: how version 0.1 made a grade of the probabilities.

Later versions give the most probable grade, from corrected probabilities
(:mod:`fundoscope.calibrate.fitting`). The cut-points are kept for comparisons in ``bench/``.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.evaluate.grading.figures import quadratic_kappa
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
TINY: Final = 1e-7
"""Keeps comparisons of grid points exact."""


def confusions(labels: Ints, grades: Ints, source: Ints) -> Ints:
    """Counts ``(sources, 5, 5)``, label by prediction, for source numbers 0, 1, ..."""
    n = heads.GRADE_COUNT
    cells = (source * n + labels) * n + grades
    sources = int(source.max()) + 1
    return np.bincount(cells, minlength=sources * n * n).reshape(sources, n, n)


def agreement(labels: Ints, grades: Ints, source: Ints) -> float:
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
    expected: Floats, labels: Ints, source: Ints
) -> tuple[float, float, float, float]:
    """Four ascending cut-points on the expected grade with a high :func:`agreement`.

    The mean of the results of :func:`search_cut_points` for :data:`CUT_RESAMPLES` samples, drawn
    with replacement and always the same.

    Args:
        expected: ``(N,)`` expected grades, 0 to 4.
        labels: ``(N,)`` grades.
        source: ``(N,)`` numbers of the sources, each of which has the same weight.
    """
    random = np.random.default_rng(0)
    samples = []
    for _ in range(CUT_RESAMPLES):
        drawn = random.integers(0, len(labels), len(labels))
        samples.append(search_cut_points(expected[drawn], labels[drawn], source[drawn]))
    first, second, third, fourth = (round(float(cut), 6) for cut in np.mean(samples, axis=0))
    return first, second, third, fourth


def search_cut_points(expected: Floats, labels: Ints, source: Ints) -> Floats:
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


def _best_cut(cuts: Ints, i: int, expected: Floats, labels: Ints, source: Ints) -> int:
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
