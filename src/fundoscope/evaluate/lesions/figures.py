"""The figures of a detector with their intervals, by resampling photographs.

What depends on a threshold is counted at the bundle's; curves take every box there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from fundoscope.evaluate.grading.figures import area_under_curve
from fundoscope.evaluate.intervals import RESAMPLES, SEED, Figure, estimate
from fundoscope.evaluate.lesions import coco, froc, ranked
from fundoscope.evaluate.lesions.centres import FOUND_WITHIN
from fundoscope.evaluate.lesions.hits import Boxes, Matched
from fundoscope.evaluate.lesions.pixels import PixelCounts
from fundoscope.evaluate.lesions.ranked import Floats, Ranked
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
"""The figures of all kinds of lesions together: at the thresholds of all boxes together, of curves
the mean of the kinds'."""

NO_LESION: Final = "there is no lesion of this kind"
UNDEFINED: Final = {
    **dict.fromkeys(NAMES, NO_LESION),
    PRECISION: "nothing was found at the threshold",
    F1: "there is no lesion, and nothing was found",
    AUPR_PIXELS: "no masks were given, or no pixel of them is painted",
    COUNT_ERROR: "there is no photograph",
    COUNT_BIAS: "there is no photograph",
    PRESENT_AUC: "every photograph has it, or none",
}
"""Why a figure is undefined, by name."""
NO_DISC: Final = "no photograph's optic disc is known"
NO_SCORE: Final = -1.0
"""Best score of a photograph on which no box of a kind was seen: below all others."""


@dataclass(frozen=True, slots=True)
class OfKind:
    """All that is known of one kind on N photographs.

    Attributes:
        kind: its key.
        threshold: the score from which a box counts; infinite where the detector does not know it.
        found: ``(n, 4)`` of each photograph, best first.
        lesions: ``(m, 4)`` of each.
        matched: of each.
        pixels: of each; ``None`` where it has no masks.
    """

    kind: str
    threshold: float
    found: Sequence[Boxes]
    lesions: Sequence[Boxes]
    matched: Sequence[Matched]
    pixels: Sequence[PixelCounts | None]


@dataclass(frozen=True, slots=True)
class KindFigures:
    """The figures of one kind.

    Attributes:
        threshold: as in :class:`OfKind`.
        lesions, found, hits: how many there are, boxes at the threshold, and right ones of them.
        figures: by name, of :data:`NAMES`.
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
        overall: by name, of :data:`OVERALL`; lesions alone, without the optic disc. Empty where no
            kind of lesion is annotated.
        disc: share of photographs whose optic disc was found in its place.
        discs: how many photographs have one that is known, and how many were found.
        resamples, seed: of the intervals.
    """

    kinds: Mapping[str, KindFigures]
    overall: Mapping[str, Figure]
    disc: Figure
    discs: tuple[int, int]
    resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the statistic of one kind needs.

    Attributes:
        counts: ``float (N, 3)``: lesions, boxes at the threshold, hits among them.
        boxes, coco: every box, by the hit rule and by COCO's.
        pixels: by score.
        best: ``float (N,)``, the best score on each photograph.
    """

    counts: Floats
    boxes: Ranked
    coco: Ranked
    pixels: Ranked
    best: Floats


def summarise(
    kinds: Sequence[OfKind],
    disc_distances: Sequence[float | None],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> LesionFigures:
    """Every figure of an evaluation.

    Args:
        kinds: the measured ones, each on the same N photographs.
        disc_distances: of the N photographs, as in :class:`detection.Compared`.
        resamples, seed: of the intervals.
    """
    columns = [_columns(each) for each in kinds]
    # A kind of which there is no lesion has no curve, and no part in the means.
    lesions = [i for i, each in enumerate(kinds) if each.kind in LESIONS]
    shared = [i for i in lesions if columns[i].counts[:, 0].sum() > 0]
    discs = np.array([np.nan if d is None else float(d <= FOUND_WITHIN) for d in disc_distances])

    def statistic(weights: Floats) -> Floats:
        of_kinds = [_of_kind(each, weights) for each in columns]
        together = _overall(
            np.sum([columns[i].counts for i in lesions], axis=0) if lesions else None,
            [of_kinds[i] for i in shared],
            weights,
        )
        return np.column_stack([*of_kinds, together, _disc(discs, weights)])

    names = [UNDEFINED[name] for name in NAMES] * len(kinds)
    undefined = [*names, *(UNDEFINED[name] for name in OVERALL), NO_DISC]
    found = estimate(statistic, np.arange(len(discs)), undefined, resamples=resamples, seed=seed)
    width = len(NAMES)
    return LesionFigures(
        {
            each.kind: _kind_figures(each, columns[i], found[i * width : (i + 1) * width])
            for i, each in enumerate(kinds)
        },
        dict(zip(OVERALL, found[len(kinds) * width : -1], strict=True)) if lesions else {},
        found[-1],
        (int(np.isfinite(discs).sum()), int(np.nansum(discs))),
        resamples,
        seed,
    )


def _columns(each: OfKind) -> _Columns:
    taken = [matched.scores >= each.threshold for matched in each.matched]
    counts = [
        (matched.lesions, some.sum(), matched.hit[some].sum())
        for matched, some in zip(each.matched, taken, strict=True)
    ]
    scores = [matched.scores for matched in each.matched]
    lesions = [matched.lesions for matched in each.matched]
    strict = coco.hits_of(each.found, scores, each.lesions)
    return _Columns(
        np.array(counts, np.float64).reshape(-1, 3),
        ranked_boxes(scores, [matched.hit for matched in each.matched], lesions),
        ranked_boxes(scores, strict, lesions, ties=False),
        _ranked_pixels(each.pixels),
        np.array([max(some, default=NO_SCORE) for some in scores], np.float64),
    )


def ranked_boxes(
    scores: Sequence[Floats],
    hit: Sequence[np.ndarray[tuple[int], np.dtype[np.bool_]]],
    lesions: Sequence[float],
    *,
    ties: bool = True,
) -> Ranked:
    """Rank the boxes of one kind on N photographs.

    Args:
        scores: ``(n,)`` of each photograph.
        hit: whether each hits, ``bool (n,)``.
        lesions: how many there are on each.
        ties: as :func:`ranked.rank`.
    """
    entries = [
        (some, right.astype(np.float64), np.ones(len(some)))
        for some, right in zip(scores, hit, strict=True)
    ]
    return ranked.rank(entries, lesions, ties=ties)


def _ranked_pixels(photographs: Sequence[PixelCounts | None]) -> Ranked:
    nothing = np.zeros(0)
    entries = [
        (nothing, nothing, nothing) if each is None else (each.score, each.true, each.count)
        for each in photographs
    ]
    return ranked.rank(entries, [0.0 if each is None else each.positives for each in photographs])


def _of_kind(columns: _Columns, weights: Floats) -> Floats:
    """The figures of :data:`NAMES` for each weighting, ``(R, 19)``."""
    lesions, found, _ = columns.counts.T
    everyone = weights.sum(axis=1)
    errors = np.column_stack([np.abs(found - lesions), found - lesions])
    return np.column_stack(
        [
            at_threshold(columns.counts, weights),
            ranked.measure(columns.boxes, weights, ranked.average_precision),
            ranked.measure(columns.coco, weights, ranked.coco_precision),
            ranked.measure(columns.pixels, weights, ranked.step_precision),
            ranked.measure(columns.boxes, weights, froc.sensitivities),
            _share(weights @ errors, everyone[:, None]),
            area_under_curve(lesions > 0, columns.best, weights),
        ]
    )


def at_threshold(counts: Floats, weights: Floats) -> Floats:
    """Precision, recall and F1 of counts ``(N, 3)`` for each weighting, ``(R, 3)``."""
    lesions, found, hits = (weights @ counts).T
    return np.column_stack(
        [_share(hits, found), _share(hits, lesions), _share(2.0 * hits, found + lesions)]
    )


def _overall(counts: Floats | None, kinds: Sequence[Floats], weights: Floats) -> Floats:
    """The figures of :data:`OVERALL` for each weighting.

    In a resample that a kind is missing from, a mean over the kinds would be one over others: it
    is undefined there.
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
    return _share(weights[:, known] @ found[known], weights[:, known].sum(axis=1))


def _kind_figures(each: OfKind, columns: _Columns, figures: Sequence[Figure]) -> KindFigures:
    lesions, found, hits = (int(total) for total in columns.counts.sum(axis=0))
    named = dict(zip(NAMES, figures, strict=True))
    return KindFigures(each.threshold, lesions, found, hits, named, columns.boxes)


def _share(part: Floats, whole: Floats) -> Floats:
    whole = np.broadcast_to(whole, part.shape)
    share: Floats = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
    return share
