"""The figures of a detector with their intervals, by resampling photographs.

Figures at a threshold use the bundle's own thresholds; curves use every box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, share
from fundoscope.evaluate.intervals import RESAMPLES, SEED, Figure, estimate
from fundoscope.evaluate.lesions import coco, froc, ranked
from fundoscope.evaluate.lesions.centres import FOUND_WITHIN
from fundoscope.evaluate.lesions.hits import BoxArray, Matched
from fundoscope.evaluate.lesions.pixels import PixelCounts
from fundoscope.evaluate.lesions.ranked import Ranked
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.kinds import LESIONS

PRECISION, RECALL, F1 = "precision", "recall", "f1"
AP_HIT, AP_50, AUPR_PIXELS = "ap_hit", "ap_50", "aupr_pixels"
FROC: Final = tuple(f"sensitivity_at_{rate:g}" for rate in froc.RATES)
FROC_MEAN: Final = "mean_sensitivity"
COUNT_ERROR, COUNT_BIAS, PRESENT_AUC = "count_error", "count_bias", "present_auc"

AT_THRESHOLD: Final = (PRECISION, RECALL, F1)
OF_CURVES: Final = (AP_HIT, AP_50, AUPR_PIXELS, *FROC, FROC_MEAN)
OF_PHOTOGRAPHS: Final = (COUNT_ERROR, COUNT_BIAS, PRESENT_AUC)
NAMES: Final = AT_THRESHOLD + OF_CURVES + OF_PHOTOGRAPHS
"""The figures of one kind."""
OVERALL: Final = AT_THRESHOLD + OF_CURVES
"""The figures of all kinds of lesions together: at the thresholds all boxes are pooled, of
curves it is the mean over the kinds."""

NO_LESION: Final = "there is no lesion of this kind"
UNDEFINED: Final = {
    **dict.fromkeys(NAMES, NO_LESION),
    PRECISION: "nothing was found at the threshold",
    F1: "there is no lesion, and nothing was found",
    AUPR_PIXELS: "no masks were given, or they are empty",
    COUNT_ERROR: "there is no photograph",
    COUNT_BIAS: "there is no photograph",
    PRESENT_AUC: "all photographs have lesions of this kind, or none has",
}
"""Why a figure is undefined, by name."""
NO_DISC: Final = "no photograph's optic disc is known"
NO_SCORE: Final = -1.0
"""Best score of a photograph without a box of the kind: below all others."""


@dataclass(frozen=True, slots=True)
class KindResults:
    """The detections and annotations of one kind on N photographs.

    Attributes:
        kind: its key.
        threshold: the score from which a box counts; infinite for a kind that the detector does not
            know.
        boxes: found boxes of each photograph, ``(n, 4)``, best first.
        lesions: annotated boxes of each photograph, ``(m, 4)``.
        matched: ``boxes`` matched with ``lesions``, of each photograph.
        pixels: of each photograph; ``None`` where it has no masks.
    """

    kind: str
    threshold: float
    boxes: Sequence[BoxArray]
    lesions: Sequence[BoxArray]
    matched: Sequence[Matched]
    pixels: Sequence[PixelCounts | None]


@dataclass(frozen=True, slots=True)
class KindFigures:
    """The figures of one kind.

    Attributes:
        threshold: as in :class:`KindResults`.
        lesions, found, hits: number of lesions, of boxes at the threshold, and of hits among them.
        figures: by the names :data:`NAMES`.
        ranked: all boxes, for drawing curves.
    """

    threshold: float
    lesions: int
    found: int
    hits: int
    figures: Mapping[str, Figure]
    ranked: Ranked


@dataclass(frozen=True, slots=True)
class LesionFigures:
    """All figures of an evaluation.

    Attributes:
        kinds: by kind.
        overall: by the names :data:`OVERALL`; of lesions alone, without the optic disc. Empty where
            no kind of lesion is annotated.
        disc: share of photographs whose optic disc was found.
        discs: number of photographs whose disc is known, and number of those where it was found.
        resamples: number of resamples for the intervals.
        seed: of the resamples.
    """

    kinds: Mapping[str, KindFigures]
    overall: Mapping[str, Figure]
    disc: Figure
    discs: tuple[int, int]
    resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class _KindCounts:
    """The counts of one kind from which its figures follow.

    Attributes:
        at_threshold: ``float (N, 3)``: lesions, boxes at the threshold, hits among them.
        boxes, coco: every box, by the hit rule and by COCO's.
        pixels: by score.
        best: ``float (N,)``, the best score on each photograph.
    """

    at_threshold: Floats
    boxes: Ranked
    coco: Ranked
    pixels: Ranked
    best: Floats


def summarise(
    kinds: Sequence[KindResults],
    disc_distances: Sequence[float | None],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> LesionFigures:
    """Compute every figure of an evaluation.

    Args:
        kinds: the measured ones, each on the same N photographs.
        disc_distances: of the N photographs, as in :class:`evaluation.Compared`.
        resamples: number of resamples for the intervals.
        seed: of the resamples.
    """
    counts = [_counts(results) for results in kinds]
    # A kind without any lesion has no curve, and is not used for the means.
    lesions = [i for i, results in enumerate(kinds) if results.kind in LESIONS]
    present = [i for i in lesions if counts[i].at_threshold[:, 0].sum() > 0]
    discs = np.array([np.nan if d is None else float(d <= FOUND_WITHIN) for d in disc_distances])

    def statistic(weights: Floats) -> Floats:
        by_kind = [_figures(each, weights) for each in counts]
        overall = _overall(
            np.sum([counts[i].at_threshold for i in lesions], axis=0) if lesions else None,
            [by_kind[i] for i in present],
            weights,
        )
        return np.column_stack([*by_kind, overall, _disc(discs, weights)])

    names = [UNDEFINED[name] for name in NAMES] * len(kinds)
    undefined = [*names, *(UNDEFINED[name] for name in OVERALL), NO_DISC]
    figures = estimate(statistic, np.arange(len(discs)), undefined, resamples=resamples, seed=seed)
    width = len(NAMES)
    return LesionFigures(
        {
            results.kind: _kind_figures(results, counts[i], figures[i * width : (i + 1) * width])
            for i, results in enumerate(kinds)
        },
        dict(zip(OVERALL, figures[len(kinds) * width : -1], strict=True)) if lesions else {},
        figures[-1],
        (int(np.isfinite(discs).sum()), int(np.nansum(discs))),
        resamples,
        seed,
    )


def _counts(results: KindResults) -> _KindCounts:
    taken = [matched.scores >= results.threshold for matched in results.matched]
    at_threshold = [
        (matched.lesions, some.sum(), matched.hit[some].sum())
        for matched, some in zip(results.matched, taken, strict=True)
    ]
    scores = [matched.scores for matched in results.matched]
    lesions = [matched.lesions for matched in results.matched]
    by_coco = coco.hits_of(results.boxes, scores, results.lesions)
    return _KindCounts(
        np.array(at_threshold, np.float64).reshape(-1, 3),
        ranked_boxes(scores, [matched.hit for matched in results.matched], lesions),
        ranked_boxes(scores, by_coco, lesions, ties=False),
        _ranked_pixels(results.pixels),
        np.array([max(some, default=NO_SCORE) for some in scores], np.float64),
    )


def ranked_boxes(
    scores: Sequence[Floats],
    hit: Sequence[Flags],
    lesions: Sequence[float],
    *,
    ties: bool = True,
) -> Ranked:
    """Rank the boxes of one kind on N photographs.

    Args:
        scores: ``(n,)`` of each photograph.
        hit: ``bool (n,)`` of each photograph, whether each box hits a lesion.
        lesions: number of lesions on each photograph.
        ties: as in :func:`ranked.rank`.
    """
    entries = [
        (score, true.astype(np.float64), np.ones(len(score)))
        for score, true in zip(scores, hit, strict=True)
    ]
    return ranked.rank(entries, lesions, ties=ties)


def _ranked_pixels(photographs: Sequence[PixelCounts | None]) -> Ranked:
    nothing = np.zeros(0)
    entries = [
        (nothing, nothing, nothing) if each is None else (each.score, each.true, each.count)
        for each in photographs
    ]
    return ranked.rank(entries, [0.0 if each is None else each.positives for each in photographs])


def _figures(counts: _KindCounts, weights: Floats) -> Floats:
    """Compute the figures :data:`NAMES` for each weighting, ``(R, 19)``."""
    lesions, found, _ = counts.at_threshold.T
    photographs = weights.sum(axis=1)
    errors = np.column_stack([np.abs(found - lesions), found - lesions])
    return np.column_stack(
        [
            at_threshold(counts.at_threshold, weights),
            ranked.measure(counts.boxes, weights, ranked.average_precision),
            ranked.measure(counts.coco, weights, ranked.coco_precision),
            ranked.measure(counts.pixels, weights, ranked.step_precision),
            ranked.measure(counts.boxes, weights, froc.sensitivities),
            share(weights @ errors, photographs[:, None]),
            area_under_curve(lesions > 0, counts.best, weights),
        ]
    )


def at_threshold(counts: Floats, weights: Floats) -> Floats:
    """Compute precision, recall and F1 from counts ``(N, 3)`` for each weighting, ``(R, 3)``.

    Args:
        counts: lesions, boxes at the threshold and hits on each of N photographs.
        weights: ``float (R, N)``, how often each photograph counts.
    """
    lesions, found, hits = (weights @ counts).T
    return np.column_stack(
        [share(hits, found), share(hits, lesions), share(2.0 * hits, found + lesions)]
    )


def _overall(counts: Floats | None, kinds: Sequence[Floats], weights: Floats) -> Floats:
    """Compute the figures :data:`OVERALL` for each weighting.

    In a resample without any lesion of a kind, the mean over kinds would be one over fewer kinds:
    it is undefined there.
    """
    if counts is None:
        return np.full((len(weights), len(OVERALL)), np.nan)
    curves = slice(len(AT_THRESHOLD), len(OVERALL))
    if kinds:
        means = np.mean([each[:, curves] for each in kinds], axis=0)
    else:
        means = np.full((len(weights), len(OF_CURVES)), np.nan)
    return np.column_stack([at_threshold(counts, weights), means])


def _disc(found: Floats, weights: Floats) -> Floats:
    known = np.isfinite(found)
    return share(weights[:, known] @ found[known], weights[:, known].sum(axis=1))


def _kind_figures(
    results: KindResults, counts: _KindCounts, figures: Sequence[Figure]
) -> KindFigures:
    lesions, found, hits = (int(total) for total in counts.at_threshold.sum(axis=0))
    named = dict(zip(NAMES, figures, strict=True))
    return KindFigures(results.threshold, lesions, found, hits, named, counts.boxes)
