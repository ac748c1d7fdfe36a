"""Evaluate a detector: look at annotated photographs and hold what it sees against the lesions.

Every photograph counts. On one that cannot be read, or shows no retina, nothing was found: all its
lesions are missed. The same holds for kinds that the detector does not know, or cannot see on a
photograph so small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from fundoscope.evaluate.grading.evaluation import READ
from fundoscope.evaluate.intervals import RESAMPLES, SEED
from fundoscope.evaluate.lesions import hits, masks, pixels
from fundoscope.evaluate.lesions.figures import LesionFigures, OfKind, summarise
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.evaluate.lesions.looking import NONE, Boxes, Seen
from fundoscope.evaluate.lesions.masks import Mask
from fundoscope.evaluate.lesions.pixels import PixelCounts
from fundoscope.evaluate.lesions.truth import Subject, Truth
from fundoscope.kinds import OPTIC_DISC
from fundoscope.lesions import painted

Look = Callable[[Path], Seen]
"""Sees what is on a file; :func:`fundoscope.evaluate.lesions.looking.look` with a detector."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One photograph: what was seen, held against what is there.

    Attributes:
        subject: what is there.
        seen: what was seen, without its maps: those of all photographs would fill the memory.
        matched: by measured kind; in the order of ``seen.boxes``.
        pixels: by measured kind, where the photograph has masks.
        disc_distance: of the centre of the optic disc from where it is, in half disc diameters;
            infinite where it was not found, ``None`` where nobody knows where it is.
    """

    subject: Subject
    seen: Seen
    matched: Mapping[str, Matched]
    pixels: Mapping[str, PixelCounts] | None
    disc_distance: float | None

    def boxes(self, kind: str) -> Boxes:
        """What was seen of a kind, best first."""
        return self.seen.boxes.get(kind, NONE)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        truth: what was held against.
        thresholds: the bundle's, by kind.
        paints: whether a pixel's score is what is painted on it, else that of the best box over it.
        photographs: one for each subject, in order.
        figures: every figure with its interval.
    """

    truth: Truth
    thresholds: Mapping[str, float]
    paints: bool
    photographs: tuple[Compared, ...]
    figures: LesionFigures

    @property
    def not_read(self) -> tuple[Compared, ...]:
        """The photographs that nothing could be seen on."""
        return tuple(each for each in self.photographs if each.seen.status != READ)

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
    look: Look,
    thresholds: Mapping[str, float],
    *,
    paints: bool = False,
    workers: int = 1,
    on_read: Callable[[], None] = lambda: None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Evaluation:
    """Look at the photographs and compare.

    Args:
        truth: what they are held against.
        look: sees what is on them.
        thresholds: by kind that the detector knows, the score from which a box counts.
        paints: whether what is seen has maps.
        workers: how many photographs are looked at side by side.
        on_read: called after each photograph, for progress.
        resamples, seed: of the intervals.
    """
    photographs = tuple(_compare_all(truth, look, thresholds, workers, on_read))
    figures = measure(photographs, truth.kinds, thresholds, resamples=resamples, seed=seed)
    return Evaluation(truth, dict(thresholds), paints, photographs, figures)


def compare(
    subject: Subject, seen: Seen, kinds: Sequence[str], thresholds: Mapping[str, float]
) -> Compared:
    """Hold what was seen on a photograph against what is there.

    Args:
        subject: what is there.
        seen: what was seen.
        kinds: those that are measured.
        thresholds: as in :func:`evaluate`.
    """
    found = {kind: seen.boxes.get(kind, NONE) for kind in kinds}
    return Compared(
        subject,
        replace(seen, painted=None),
        {
            kind: hits.match(boxes.corners, boxes.scores, subject.of_kind(kind))
            for kind, boxes in found.items()
        },
        _pixels(subject, seen, kinds),
        _disc_distance(subject, seen, thresholds),
    )


def measure(
    photographs: Sequence[Compared],
    kinds: Sequence[str],
    thresholds: Mapping[str, float],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> LesionFigures:
    """All figures of photographs that were compared, with their intervals."""
    return summarise(
        [
            OfKind(
                kind,
                thresholds.get(kind, math.inf),
                [each.boxes(kind).corners for each in photographs],
                [each.subject.of_kind(kind) for each in photographs],
                [each.matched[kind] for each in photographs],
                [None if each.pixels is None else each.pixels[kind] for each in photographs],
            )
            for kind in kinds
        ],
        [each.disc_distance for each in photographs],
        resamples=resamples,
        seed=seed,
    )


def _compare_all(
    truth: Truth,
    look: Look,
    thresholds: Mapping[str, float],
    workers: int,
    on_read: Callable[[], None],
) -> Iterator[Compared]:
    """Each photograph in order; threads, because decoding and inference free the lock."""

    def one(subject: Subject) -> Compared:
        return compare(subject, look(subject.path), truth.kinds, thresholds)

    with ThreadPoolExecutor(workers) as pool:
        for compared in pool.map(one, truth.subjects):
            on_read()
            yield compared


def _pixels(subject: Subject, seen: Seen, kinds: Sequence[str]) -> Mapping[str, PixelCounts] | None:
    if subject.masks is None or subject.size is None:
        return None
    width, height = subject.size
    return {
        kind: _pixels_of(kind, seen, masks.read(subject.masks.get(kind, ()), (height, width)))
        for kind in kinds
    }


def _pixels_of(kind: str, seen: Seen, mask: Mask) -> PixelCounts:
    """By what is painted on them, or by boxes; a kind that was not assessed has neither."""
    if seen.painted is None or kind not in seen.boxes:
        boxes = seen.boxes.get(kind, NONE)
        return pixels.of_boxes(boxes.corners, boxes.scores, mask)
    height, width = mask.shape
    return pixels.of_map(painted.on_photograph(seen.painted, kind, width, height), mask)


def _disc_distance(subject: Subject, seen: Seen, thresholds: Mapping[str, float]) -> float | None:
    """Of the best box that reaches the threshold: the one that a reading shows."""
    if subject.disc is None:
        return None
    boxes = seen.boxes.get(OPTIC_DISC.key, NONE)
    least = thresholds.get(OPTIC_DISC.key, math.inf)
    if seen.size is None or len(boxes.scores) == 0 or boxes.scores[0] < least:
        return math.inf
    x0, y0, x1, y1 = boxes.corners[0].tolist()
    return subject.disc.on(seen.size[0]).distance((x0, y0, x1, y1))
