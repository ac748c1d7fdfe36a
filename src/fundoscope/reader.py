"""The pipeline from a photograph to its Reading.

The command line, the batch and the evaluation all use this pipeline, so a photograph gets the
same grade everywhere.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fundoscope._version import __version__
from fundoscope.grading import grader as graders
from fundoscope.grading import inputs
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import summary
from fundoscope.photo import decode, field
from fundoscope.photo.decode import Photo
from fundoscope.reading import (
    Anatomy,
    FieldOfView,
    Grade,
    Lesion,
    LesionSummary,
    ModelUsed,
    Quality,
    Reading,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Source = str | Path | bytes | NDArray[np.uint8]

SOFTWARE: Final = f"fundoscope {__version__}"
"""What a Reading says it was made with."""
NOT_GRADED: Final = {
    "too_dark": "the picture is nearly black; nothing can be seen on it",
    "no_disc": "no field of view was found; this does not look like a fundus photograph",
    "no_colour": "the picture has no colour; only colour photographs are graded",
    "not_a_retina": "what the picture shows does not look like a retina",
}
"""The warning for each reason of a missing field of view."""


class Reader:
    """Reads photographs with models that are loaded once. Threads may share a Reader."""

    def __init__(
        self,
        grader: str | Path | None = None,
        detector: str | Path | None = None,
        *,
        lesions: bool = True,
        threads: int = 1,
    ) -> None:
        """Load the models.

        Args:
            grader: a grading bundle (folder or zip); ``None`` means the one that ships.
            detector: a detection bundle (folder or zip); ``None`` means the one that ships.
            lesions: whether to look for lesions.
            threads: processor threads for one photograph. More than one helps when fewer
                photographs are read in parallel than there are processors. The result is the same.

        Raises:
            BundleError: a bundle is missing or damaged.
        """
        self._grader = graders.load(grader)
        self._detector = detectors.load(detector, threads=threads) if lesions else None

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles in use, as a Reading names them."""
        if self._detector is None:
            return (self._grader.used,)
        return (self._grader.used, self._detector.used)

    @property
    def referable_threshold(self) -> float:
        """The operating point on the probability of grade 2 or more."""
        return self._grader.manifest.referable_threshold

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """The lowest score of an accepted box, for each kind that is looked for."""
        return {} if self._detector is None else self._detector.manifest.thresholds

    def read(self, source: Source) -> Reading:
        """Read one photograph.

        Args:
            source: a file's path, a file's bytes, or an array ``uint8 (H, W, 3)`` RGB.

        Returns:
            A Reading. A picture that is not a fundus photograph has one too, with ``field.found``
            false.

        Raises:
            PhotoError: the file cannot be read.
        """
        return self.examine(source)[1]

    def examine(self, source: Source) -> tuple[Photo, Reading]:
        """Read one photograph and return its decoded pixels too, for drawing.

        Args:
            source: as for :meth:`read`.

        Raises:
            PhotoError: the file cannot be read.
        """
        content = _content(source)
        photo = _photo(content, min_side=self._grader.input.decode_side)
        fov = field.find(photo)
        grade, warnings = self._grade(photo, fov)
        if self._detector is not None and fov.found and not _is_full_size(photo):
            # Decode again at a larger scale. The grade is then the same with and without lesions.
            photo = _photo(content, min_side=self._detector.decode_side)
        lesions, lesion_summary, anatomy = self._lesions(photo, fov)
        return photo, Reading(
            photo=photo.facts,
            field=fov,
            quality=Quality(),
            grade=grade,
            lesions=lesions,
            models=self.models,
            warnings=photo.warnings + field.warnings(photo, fov) + warnings,
            software=SOFTWARE,
            lesion_summary=lesion_summary,
            anatomy=anatomy,
        )

    def _grade(self, photo: Photo, fov: FieldOfView) -> tuple[Grade, tuple[str, ...]]:
        if fov.radius is None:
            return Grade(), (NOT_GRADED[fov.reason or "no_disc"],)
        minimum = self._grader.manifest.minimum_radius
        if fov.radius < minimum:
            return Grade(), (
                f"not graded: the field's radius is {fov.radius:.0f} pixels, and the grader needs"
                f" {minimum:.0f}",
            )
        pixels = inputs.make(photo, fov, self._grader.input)
        return graders.grade(self._grader, pixels), ()

    def _lesions(
        self, photo: Photo, fov: FieldOfView
    ) -> tuple[tuple[Lesion, ...], tuple[LesionSummary, ...], Anatomy]:
        if self._detector is None:
            return (), summary.NO_DETECTOR, Anatomy()
        if not fov.found:
            return (), summary.NO_FIELD, Anatomy()
        detections = detectors.find(self._detector, photo, fov)
        anatomy, lesions = summary.anatomy_of(detections, self._detector, fov)
        return lesions, summary.summarise(lesions, anatomy, self._detector, fov), anatomy


@dataclass(frozen=True, slots=True)
class _File:
    """A photograph's file in memory."""

    name: str | None
    data: bytes


def _content(source: Any) -> _File | Any:
    """Read a file once, however often it is decoded; an array is returned as it is."""
    if isinstance(source, bytes | bytearray | memoryview):
        return _File(None, bytes(source))
    if isinstance(source, str | Path):
        return _File(decode.name_of(Path(source)), decode.read_bytes(Path(source)))
    return source


def _photo(content: _File | Any, *, min_side: int) -> Photo:
    if isinstance(content, _File):
        return decode.decode(content.data, name=content.name, min_side=min_side)
    return decode.from_array(content, min_side=min_side)


def _is_full_size(photo: Photo) -> bool:
    """Whether the photograph was decoded at its full size."""
    height, width = photo.pixels.shape[:2]
    return (width, height) == (photo.facts.width, photo.facts.height)


_default: Reader | None = None
_lock = threading.Lock()


def read(source: Source) -> Reading:
    """Read one photograph with the models that ship. They are loaded at the first call.

    Args:
        source: a file's path, a file's bytes, or an array ``uint8 (H, W, 3)`` RGB.

    Raises:
        PhotoError: the file cannot be read.
        BundleError: a bundle that ships is missing or damaged.
    """
    global _default
    with _lock:
        if _default is None:
            _default = Reader()
    return _default.read(source)
