"""The result folder of a detector's evaluation: figures, tables, plots and how they were made."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from fundoscope.evaluate import folder
from fundoscope.evaluate.folder import (
    METRICS,
    PREDICTIONS,
    RUN,
    Provenance,
    figure_document,
    true_or_false,
)
from fundoscope.evaluate.intervals import PERCENTILES, Figure
from fundoscope.evaluate.lesions import coco, froc, hits, plots, worst
from fundoscope.evaluate.lesions.detections import STATUSES
from fundoscope.evaluate.lesions.evaluation import Compared, Evaluation
from fundoscope.evaluate.lesions.figures import (
    AT_THRESHOLD,
    FROC,
    FROC_MEAN,
    OF_CURVES,
    OF_PHOTOGRAPHS,
    KindFigures,
)
from fundoscope.evaluate.photographs import names_of
from fundoscope.quoting import printable

PHOTOGRAPHS: Final = "photographs.csv"
FROC_PICTURE: Final = "froc.png"
CURVE_PICTURE: Final = "precision_recall.png"
WORST_PICTURE: Final = "worst.jpg"
FILES: Final = (
    METRICS, PREDICTIONS, PHOTOGRAPHS, FROC_PICTURE, CURVE_PICTURE, WORST_PICTURE, RUN,
)  # fmt: skip
"""All files that an evaluation may write; the plots need annotated lesions."""

VERSION: Final = "fundoscope.lesion-metrics/1"
PREDICTED: Final = ("image", "kind", "x0", "y0", "x1", "y1", "score", "taken", "hit")
COUNTED: Final = ("lesions", "found", "hits", "best_score")
"""Counts of each kind on each photograph."""
MAP, BOX = "map", "box"
"""The source of a pixel's score: the map of the kind, or the best box over the pixel."""
PIXEL_DIGITS: Final = 2
SCORE_DIGITS: Final = 6
PLAIN: Final = tuple(
    name for name in (*AT_THRESHOLD, *OF_CURVES) if name not in FROC and name != FROC_MEAN
)


def write(
    evaluation: Evaluation, provenance: Provenance, out: Path, *, paths: bool = False
) -> None:
    """Write the files of an evaluation; files in the folder that are not :data:`FILES` stay.

    Args:
        evaluation: the results.
        provenance: how they were made.
        out: the folder for the results.
        paths: whether photographs are named as annotations name them, which may be by paths below
            their folder; else by their bare file names.

    Raises:
        OutputError: a file could not be written; nothing was changed.
    """
    evaluation = _renamed(evaluation, paths=paths)
    with folder.staged(out, FILES) as stage:
        folder.write_json(stage / METRICS, metrics(evaluation))
        folder.write_json(stage / RUN, _run(evaluation, provenance))
        folder.write_csv(stage / PREDICTIONS, _predictions(evaluation))
        folder.write_csv(stage / PHOTOGRAPHS, _photographs(evaluation))
        worst.draw(evaluation, stage / WORST_PICTURE)
        if evaluation.truth.kinds:
            _draw(evaluation, stage)


def _draw(evaluation: Evaluation, stage: Path) -> None:
    count = len(evaluation.photographs)
    plots.draw_froc(evaluation.figures, count, stage / FROC_PICTURE)
    plots.draw_precision_recall(evaluation.figures, count, stage / CURVE_PICTURE)


def _renamed(evaluation: Evaluation, *, paths: bool) -> Evaluation:
    """The evaluation with the names that results give its photographs."""
    images = [each.photograph.image for each in evaluation.photographs]
    photographs = tuple(
        replace(each, photograph=replace(each.photograph, image=name))
        for each, name in zip(evaluation.photographs, names_of(images, paths=paths), strict=True)
    )
    return replace(evaluation, photographs=photographs)


def metrics(evaluation: Evaluation) -> dict[str, Any]:
    """Build ``metrics.json``: the same photographs and bundle give the same bytes."""
    figures = evaluation.figures
    known, found = figures.discs
    return {
        "version": VERSION,
        "photographs": len(evaluation.photographs),
        "classes": {kind: _kind(measured) for kind, measured in figures.kinds.items()},
        "overall": _figures(figures.overall) if figures.overall else None,
        "optic_disc_centre": {
            "photographs": known,
            "found": found,
            "share": figure_document(figures.disc),
        },
        "rule": {
            "least_iou": hits.LEAST_IOU,
            "largest_area_ratio": hits.LARGEST_RATIO,
            "ap_50_iou": coco.IOU,
            "pixel_score": MAP if evaluation.has_maps else BOX,
        },
        "intervals": {
            "resamples": figures.resamples,
            "seed": figures.seed,
            "percentiles": PERCENTILES,
            "clusters": {"photograph": len(evaluation.photographs)},
        },
    }


def _kind(measured: KindFigures) -> dict[str, Any]:
    return {
        "lesions": measured.lesions,
        "found": measured.found,
        "hits": measured.hits,
        "threshold": _threshold(measured.threshold),
        **_figures(measured.figures),
        **{name: figure_document(measured.figures[name]) for name in OF_PHOTOGRAPHS},
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {
        **{name: figure_document(figures[name]) for name in PLAIN},
        "froc": {
            "sensitivity": {
                f"{rate:g}": figure_document(figures[name])
                for rate, name in zip(froc.RATES, FROC, strict=True)
            },
            "mean": figure_document(figures[FROC_MEAN]),
        },
    }


def _threshold(threshold: float) -> float | None:
    return threshold if math.isfinite(threshold) else None


def _run(evaluation: Evaluation, provenance: Provenance) -> dict[str, Any]:
    statuses = Counter(each.detections.status for each in evaluation.photographs)
    details = {
        "thresholds": {kind: _threshold(t) for kind, t in evaluation.thresholds.items()},
        "counts": {
            "photographs": len(evaluation.photographs),
            **{status: statuses[status] for status in STATUSES},
        },
        "not_read": [
            {
                "image": printable(each.photograph.image),
                "status": each.detections.status,
                "code": each.detections.code,
                "reason": each.detections.reason,
                "remedy": each.detections.remedy,
            }
            for each in evaluation.not_read
        ],
        "too_small": too_small(evaluation),
        "unknown_to_detector": evaluation.unknown,
        "not_annotated": evaluation.unmeasured,
        "notes": evaluation.truth.notes,
    }
    truth = {"annotations_sha256": evaluation.truth.sha256}
    return folder.run_document(folder.LESIONS, provenance, truth, details)


def too_small(evaluation: Evaluation) -> dict[str, list[str]]:
    """List by kind the photographs that are too small for the detector to see it."""
    by_kind: dict[str, list[str]] = {}
    for compared in evaluation.photographs:
        for kind in compared.detections.unassessed:
            by_kind.setdefault(kind, []).append(printable(compared.photograph.image))
    return by_kind


def _predictions(evaluation: Evaluation) -> Iterator[Sequence[object]]:
    """List every box of every kind; ``hit`` is empty for kinds that nobody annotated."""
    yield PREDICTED
    for compared in evaluation.photographs:
        for kind, boxes in compared.detections.boxes.items():
            matched = compared.matched.get(kind)
            threshold = evaluation.thresholds.get(kind, math.inf)
            for place, (corners, score) in enumerate(
                zip(boxes.corners.tolist(), boxes.scores.tolist(), strict=True)
            ):
                yield [
                    compared.photograph.image,
                    kind,
                    *(f"{edge:.{PIXEL_DIGITS}f}" for edge in corners),
                    f"{score:.{SCORE_DIGITS}f}",
                    true_or_false(score >= threshold),
                    "" if matched is None else true_or_false(bool(matched.hit[place])),
                ]


def column_of(kind: str, name: str) -> str:
    """Name the column of ``photographs.csv`` that holds one of :data:`COUNTED` of a kind."""
    return f"{kind}_{name}"


def _photographs(evaluation: Evaluation) -> Iterator[Sequence[object]]:
    kinds = evaluation.truth.kinds
    counted = [column_of(kind, name) for kind in kinds for name in COUNTED]
    yield ["image", "status", "reason", "disc_distance", *counted]
    for compared in evaluation.photographs:
        cells = [cell for kind in kinds for cell in _counts(compared, kind, evaluation)]
        detections, distance = compared.detections, compared.disc_distance
        if distance is None:
            disc = ""
        else:
            disc = "not found" if math.isinf(distance) else f"{distance:.3f}"
        yield [
            compared.photograph.image,
            detections.status,
            f"{detections.code}: {detections.reason}" if detections.code else "",
            disc,
            *cells,
        ]


def _counts(compared: Compared, kind: str, evaluation: Evaluation) -> Iterator[object]:
    matched = compared.matched[kind]
    taken = matched.scores >= evaluation.thresholds.get(kind, math.inf)
    yield matched.lesions
    yield int(taken.sum())
    yield int(matched.hit[taken].sum())
    yield f"{matched.scores[0]:.{SCORE_DIGITS}f}" if len(matched.scores) else ""
