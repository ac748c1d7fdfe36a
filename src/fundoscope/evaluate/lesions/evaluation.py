"""Evaluate a detector: find lesions on annotated photographs and compare with the annotations.

Every photograph counts. On one that cannot be read, or shows no retina, nothing is found: all its
lesions are missed. The same holds for kinds that the detector does not know, or cannot see on a
photograph of that size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fundoscope.evaluate.intervals import RESAMPLES, SEED
from fundoscope.evaluate.lesions import hits, masks, pixels
from fundoscope.evaluate.lesions.detections import Detections, ScoredBoxes
from fundoscope.evaluate.lesions.figures import KindResults, LesionFigures, summarise
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.evaluate.lesions.masks import Mask
from fundoscope.evaluate.lesions.pixels import PixelCounts
from fundoscope.evaluate.lesions.truth import Photograph, Truth
from fundoscope.evaluate.photographs import READ, reported
from fundoscope.kinds import OPTIC_DISC
from fundoscope.lesions import segmentation
from fundoscope.ordered import in_order

Detect = Callable[[Path], Detections]
"""Finds what is on a file, as :func:`fundoscope.evaluate.lesions.detections.detect` does."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One photograph: the detections compared with the annotations.

    Attributes:
        photograph: with its annotations.
        detections: without their maps: those of all photographs would fill the memory.
        matched: by measured kind, in the order of ``detections.boxes``.
        pixels: by measured kind, where the photograph has masks.
        disc_distance: between the found and the true centre of the optic disc, in half disc
            diameters; infinite where it was not found, ``None`` where the true one is unknown.
    """

    photograph: Photograph
    detections: Detections
    matched: Mapping[str, Matched]
    pixels: Mapping[str, PixelCounts] | None
    disc_distance: float | None

    def boxes(self, kind: str) -> ScoredBoxes:
        """Boxes that were found of a kind, best first."""
        return self.detections.of_kind(kind)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The results of an evaluation.

    Attributes:
        truth: the photographs and their annotations.
        thresholds: the bundle's, by kind.
        has_maps: whether a pixel's score is that of the detector's map; otherwise it is the score
            of the best box over the pixel.
        photographs: in the order of ``truth.photographs``.
        figures: every figure with its interval.
    """

    truth: Truth
    thresholds: Mapping[str, float]
    has_maps: bool
    photographs: tuple[Compared, ...]
    figures: LesionFigures

    @property
    def not_read(self) -> tuple[Compared, ...]:
        """The photographs on which the detector could not look."""
        return tuple(each for each in self.photographs if each.detections.status != READ)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Annotated kinds that the detector does not know."""
        return tuple(kind for kind in self.truth.kinds if kind not in self.thresholds)

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """Kinds that the detector knows and nobody annotated."""
        return tuple(kind for kind in self.thresholds if kind not in self.truth.kinds)


def evaluate(
    truth: Truth,
    detect: Detect,
    thresholds: Mapping[str, float],
    *,
    has_maps: bool = False,
    workers: int = 1,
    on_read: Callable[[], None] = lambda: None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Evaluation:
    """Find the lesions on photographs and compare with the annotations.

    Args:
        truth: the photographs and their annotations.
        detect: finds what is on a photograph.
        thresholds: by kind that the detector knows, the score from which a box counts.
        has_maps: whether the detections have maps.
        workers: how many photographs are read at the same time.
        on_read: called after each photograph, to report progress.
        resamples: number of resamples for the intervals.
        seed: of the resamples.
    """

    def compared(photograph: Photograph) -> Compared:
        return compare(photograph, detect(photograph.path), truth.kinds, thresholds)

    photographs = tuple(reported(in_order(truth.photographs, compared, workers), on_read))
    figures = measure(photographs, truth.kinds, thresholds, resamples=resamples, seed=seed)
    return Evaluation(truth, dict(thresholds), has_maps, photographs, figures)


def compare(
    photograph: Photograph,
    detections: Detections,
    kinds: Sequence[str],
    thresholds: Mapping[str, float],
) -> Compared:
    """Compare the detections on a photograph with its annotations.

    Args:
        photograph: with its annotations.
        detections: on it.
        kinds: those that are measured.
        thresholds: as in :func:`evaluate`.
    """
    boxes = {kind: detections.of_kind(kind) for kind in kinds}
    return Compared(
        photograph,
        replace(detections, maps=None),
        {
            kind: hits.match(boxes[kind].corners, boxes[kind].scores, photograph.of_kind(kind))
            for kind in kinds
        },
        _pixels(photograph, detections, kinds),
        _disc_distance(photograph, detections, thresholds),
    )


def measure(
    photographs: Sequence[Compared],
    kinds: Sequence[str],
    thresholds: Mapping[str, float],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> LesionFigures:
    """Compute all figures of compared photographs, with their intervals."""
    return summarise(
        [
            KindResults(
                kind,
                thresholds.get(kind, math.inf),
                [each.boxes(kind).corners for each in photographs],
                [each.photograph.of_kind(kind) for each in photographs],
                [each.matched[kind] for each in photographs],
                [None if each.pixels is None else each.pixels[kind] for each in photographs],
            )
            for kind in kinds
        ],
        [each.disc_distance for each in photographs],
        resamples=resamples,
        seed=seed,
    )


def _pixels(
    photograph: Photograph, detections: Detections, kinds: Sequence[str]
) -> Mapping[str, PixelCounts] | None:
    if photograph.masks is None or photograph.size is None:
        return None
    width, height = photograph.size
    return {
        kind: _pixels_of(
            kind, detections, masks.read(photograph.masks.get(kind, ()), (height, width))
        )
        for kind in kinds
    }


def _pixels_of(kind: str, detections: Detections, mask: Mask) -> PixelCounts:
    """Count pixels by their map's score, or by boxes; a kind that was not assessed has neither."""
    if detections.maps is None or kind not in detections.boxes:
        boxes = detections.of_kind(kind)
        return pixels.of_boxes(boxes.corners, boxes.scores, mask)
    height, width = mask.shape
    return pixels.of_map(segmentation.on_photograph(detections.maps, kind, width, height), mask)


def _disc_distance(
    photograph: Photograph, detections: Detections, thresholds: Mapping[str, float]
) -> float | None:
    """Measure the distance of the detector's best disc box, if it reaches the threshold."""
    if photograph.disc is None:
        return None
    boxes = detections.of_kind(OPTIC_DISC.key)
    threshold = thresholds.get(OPTIC_DISC.key, math.inf)
    if detections.size is None or len(boxes.scores) == 0 or boxes.scores[0] < threshold:
        return math.inf
    x0, y0, x1, y1 = boxes.corners[0].tolist()
    return photograph.disc.on(detections.size[0]).distance((x0, y0, x1, y1))
