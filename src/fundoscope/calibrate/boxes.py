"""What a detector sees on labelled photographs, weak boxes too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fundoscope.calibrate.known_lesions import is_healthy, known
from fundoscope.calibrate.presence import BoxedPhotograph
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import PhotoError
from fundoscope.evaluate.grading.evaluation import cluster_keys
from fundoscope.evaluate.photographs import reported
from fundoscope.kinds import LESIONS
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import summary
from fundoscope.lesions.detector import Detector
from fundoscope.ordered import in_order
from fundoscope.photo import field, sources
from fundoscope.photo.reasons import NO_FIELD, OTHERWISE
from fundoscope.photo.refusals import TOO_LARGE

Scores = Mapping[str, tuple[float, ...]]
"""The scores of all possible boxes of each kind that was assessed."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A photograph on which the detector could not look, and why.

    Attributes:
        image: as in the label table.
        reason, remedy: two halves of a sentence.
    """

    image: str
    reason: str
    remedy: str


def read(
    manifest: Manifest,
    rows: Sequence[Row],
    detector: Detector,
    *,
    workers: int = 1,
    on_read: Callable[[], None] = lambda: None,
) -> tuple[tuple[BoxedPhotograph, ...], tuple[Unread, ...]]:
    """Read the photographs of some rows with a detector.

    Args:
        manifest: the label table.
        rows: the rows to read.
        detector: from :func:`fundoscope.lesions.detector.load`.
        workers: photographs that are read at the same time.
        on_read: called after each photograph, to report progress.

    Returns:
        What was seen, and the photographs on which nothing could be, both in the order of the rows.
    """

    def look(row: Row) -> Scores | Unread:
        return _scores(manifest.photograph(row), row.image, detector)

    seen = tuple(reported(in_order(rows, look, workers), on_read))
    photographs = tuple(
        BoxedPhotograph(scores, known(row), is_healthy(row), row.source, patient)
        for row, patient, scores in zip(rows, cluster_keys(rows), seen, strict=True)
        if not isinstance(scores, Unread)
    )
    return photographs, tuple(each for each in seen if isinstance(each, Unread))


def _scores(path: Path, image: str, detector: Detector) -> Scores | Unread:
    try:
        photo = sources.photo(sources.content(path), min_side=detector.decode_side)
        fov = field.find(photo)
        if not fov.found:
            return Unread(image, *NO_FIELD.get(fov.reason or "no_disc", OTHERWISE))
        boxes = detectors.assessable(detector, photo, fov)
    except PhotoError as error:
        return Unread(image, error.why, error.remedy)
    except MemoryError:
        return Unread(image, *TOO_LARGE)
    seen = summary.findings(boxes, detector, photo, fov).seen
    return {
        kind: tuple(box.score for box in seen if box.kind == kind)
        for kind in detector.manifest.classes
        if kind in LESIONS and detector.assesses(kind, fov)
    }
