"""The folder of an evaluation of lesions: figures, tables, pictures, circumstances."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.evaluate import folder
from fundoscope.evaluate.folder import METRICS, PREDICTIONS, RUN, RUN_VERSION
from fundoscope.evaluate.intervals import PERCENTILES, Figure
from fundoscope.evaluate.lesions import coco, froc, hits, worst
from fundoscope.evaluate.lesions import plots as lesion_plots
from fundoscope.evaluate.lesions.evaluation import Compared, Evaluation
from fundoscope.evaluate.lesions.figures import (
    AT_THRESHOLD,
    FROC,
    FROC_MEAN,
    OF_CURVES,
    OF_PHOTOGRAPHS,
    KindFigures,
)
from fundoscope.evaluate.lesions.looking import STATUSES
from fundoscope.reading import ModelUsed
from fundoscope.report.wording import printable

PHOTOGRAPHS: Final = "photographs.csv"
FROC_PICTURE: Final = "froc.png"
CURVE_PICTURE: Final = "precision_recall.png"
WORST_PICTURE: Final = "worst.jpg"
FILES: Final = (
    METRICS, PREDICTIONS, PHOTOGRAPHS, FROC_PICTURE, CURVE_PICTURE, WORST_PICTURE, RUN,
)  # fmt: skip
"""All that an evaluation may write; the plots of curves need annotated lesions."""

VERSION: Final = "fundoscope.lesion-metrics/1"
PREDICTED: Final = ("image", "kind", "x0", "y0", "x1", "y1", "score", "taken", "hit")
COUNTED: Final = ("lesions", "found", "hits", "best_score")
"""Of each kind on each photograph."""
MAP, BOX = "map", "box"
"""What gives a pixel its score: the map of its kind, or the best box over it."""
PIXEL_DIGITS: Final = 2
SCORE_DIGITS: Final = 6
PLAIN: Final = tuple(
    name for name in (*AT_THRESHOLD, *OF_CURVES) if name not in FROC and name != FROC_MEAN
)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an evaluation was made with, for ``run.json``; none of it enters a figure.

    Attributes:
        arguments: of the command.
        models: the bundles.
        versions: of fundoscope, Python and the libraries, by name.
        started, finished: times in ISO 8601.
    """

    arguments: Mapping[str, Any]
    models: tuple[ModelUsed, ...]
    versions: Mapping[str, str | None]
    started: str
    finished: str


def write(evaluation: Evaluation, circumstances: Circumstances, out: Path) -> None:
    """Write an evaluation; other files in the folder than :data:`FILES` are left alone.

    Raises:
        OutputError: something could not be written; then nothing was changed.
    """
    count = len(evaluation.photographs)
    with folder.staged(out, FILES) as stage:
        folder.write_json(stage / METRICS, metrics(evaluation))
        folder.write_json(stage / RUN, _run(evaluation, circumstances))
        folder.write_csv(stage / PREDICTIONS, _predictions(evaluation))
        folder.write_csv(stage / PHOTOGRAPHS, _photographs(evaluation))
        worst.draw(evaluation, stage / WORST_PICTURE)
        if evaluation.truth.kinds:
            lesion_plots.draw_froc(evaluation.figures, count, stage / FROC_PICTURE)
            lesion_plots.draw_precision_recall(evaluation.figures, count, stage / CURVE_PICTURE)


def metrics(evaluation: Evaluation) -> dict[str, Any]:
    """The content of ``metrics.json``: the same photographs and bundle give the same bytes."""
    figures = evaluation.figures
    known, found = figures.discs
    return {
        "version": VERSION,
        "photographs": len(evaluation.photographs),
        "classes": {kind: _kind(each) for kind, each in figures.kinds.items()},
        "overall": _figures(figures.overall) if figures.overall else None,
        "optic_disc_centre": {
            "photographs": known,
            "found": found,
            "share": folder.figure(figures.disc),
        },
        "rule": {
            "least_iou": hits.LEAST_IOU,
            "largest_area_ratio": hits.LARGEST_RATIO,
            "ap_50_iou": coco.IOU,
            "pixel_score": MAP if evaluation.paints else BOX,
        },
        "intervals": {
            "resamples": figures.resamples,
            "seed": figures.seed,
            "percentiles": PERCENTILES,
            "clusters": {"photograph": len(evaluation.photographs)},
        },
    }


def _kind(each: KindFigures) -> dict[str, Any]:
    return {
        "lesions": each.lesions,
        "found": each.found,
        "hits": each.hits,
        "threshold": _threshold(each.threshold),
        **_figures(each.figures),
        **{name: folder.figure(each.figures[name]) for name in OF_PHOTOGRAPHS},
    }


def _figures(figures: Mapping[str, Figure]) -> dict[str, Any]:
    return {
        **{name: folder.figure(figures[name]) for name in PLAIN},
        "froc": {
            "sensitivity": {
                f"{rate:g}": folder.figure(figures[name])
                for rate, name in zip(froc.RATES, FROC, strict=True)
            },
            "mean": folder.figure(figures[FROC_MEAN]),
        },
    }


def _threshold(threshold: float) -> float | None:
    return threshold if math.isfinite(threshold) else None


def _run(evaluation: Evaluation, circumstances: Circumstances) -> dict[str, Any]:
    statuses = Counter(each.seen.status for each in evaluation.photographs)
    return {
        "version": RUN_VERSION,
        "command": "evaluate lesions",
        "arguments": dict(circumstances.arguments),
        "annotations_sha256": evaluation.truth.sha256,
        "versions": dict(circumstances.versions),
        "models": msgspec.to_builtins(circumstances.models),
        "thresholds": {kind: _threshold(t) for kind, t in evaluation.thresholds.items()},
        "counts": {
            "photographs": len(evaluation.photographs),
            **{status: statuses[status] for status in STATUSES},
        },
        "not_read": [
            {
                "image": printable(each.subject.image),
                "status": each.seen.status,
                "code": each.seen.code,
                "reason": each.seen.reason,
                "remedy": each.seen.remedy,
            }
            for each in evaluation.not_read
        ],
        "too_small": too_small(evaluation),
        "unknown_to_detector": evaluation.unknown,
        "not_annotated": evaluation.unmeasured,
        "notes": evaluation.truth.notes,
        "started": circumstances.started,
        "finished": circumstances.finished,
    }


def too_small(evaluation: Evaluation) -> dict[str, list[str]]:
    """The photographs on which each kind cannot be seen for their size."""
    found: dict[str, list[str]] = {}
    for each in evaluation.photographs:
        for kind in each.seen.unassessed:
            found.setdefault(kind, []).append(printable(each.subject.image))
    return found


def _predictions(evaluation: Evaluation) -> Iterator[Sequence[object]]:
    """Every box of every kind; whether it hits is empty for kinds that nobody annotated."""
    yield PREDICTED
    for each in evaluation.photographs:
        for kind, boxes in each.seen.boxes.items():
            matched = each.matched.get(kind)
            least = evaluation.thresholds.get(kind, math.inf)
            for place, (corners, score) in enumerate(
                zip(boxes.corners.tolist(), boxes.scores.tolist(), strict=True)
            ):
                yield [
                    each.subject.image,
                    kind,
                    *(f"{edge:.{PIXEL_DIGITS}f}" for edge in corners),
                    f"{score:.{SCORE_DIGITS}f}",
                    _word(score >= least),
                    "" if matched is None else _word(bool(matched.hit[place])),
                ]


def column_of(kind: str, name: str) -> str:
    """The column of ``photographs.csv`` for one of :data:`COUNTED` of a kind."""
    return f"{kind}_{name}"


def _photographs(evaluation: Evaluation) -> Iterator[Sequence[object]]:
    kinds = evaluation.truth.kinds
    counted = [column_of(kind, name) for kind in kinds for name in COUNTED]
    yield ["image", "status", "reason", "disc_distance", *counted]
    for each in evaluation.photographs:
        cells = [cell for kind in kinds for cell in _counts(each, kind, evaluation)]
        seen, off = each.seen, each.disc_distance
        yield [
            each.subject.image,
            seen.status,
            f"{seen.code}: {seen.reason}" if seen.code else "",
            "" if off is None else "not found" if math.isinf(off) else f"{off:.3f}",
            *cells,
        ]


def _counts(each: Compared, kind: str, evaluation: Evaluation) -> Iterator[object]:
    matched = each.matched[kind]
    taken = matched.scores >= evaluation.thresholds.get(kind, math.inf)
    yield matched.lesions
    yield int(taken.sum())
    yield int(matched.hit[taken].sum())
    yield f"{matched.scores[0]:.{SCORE_DIGITS}f}" if len(matched.scores) else ""


def _word(value: bool) -> str:
    return "true" if value else "false"
