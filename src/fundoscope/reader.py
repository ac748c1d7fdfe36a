"""The one pipeline: from a photograph to its Reading. There is no second way to grade one."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

SOFTWARE = f"fundoscope {__version__}"
NOT_GRADED = {
    "too_dark": "the picture is nearly black; nothing can be seen on it",
    "no_disc": "no field of view was found; this does not look like a fundus photograph",
    "no_colour": "the picture has no colour; only colour photographs are graded",
    "not_a_retina": "what the picture shows does not look like a retina",
}


class Reader:
    """Reads photographs with models that are loaded once. It may be shared by threads.

    Args:
        grader: a grading bundle (folder or zip); ``None`` takes the one that ships.
        detector: a detection bundle; ``None`` takes the one that ships.
        lesions: whether lesions are looked for.
        threads: of the processor, that one photograph may use; more than one pays where fewer
            photographs are read side by side than there are processors. The result is the same.

    Raises:
        BundleError: a bundle is missing or damaged.
    """

    def __init__(
        self,
        grader: str | Path | None = None,
        detector: str | Path | None = None,
        *,
        lesions: bool = True,
        threads: int = 1,
    ) -> None:
        self._grader = graders.load(grader)
        self._detector = detectors.load(detector, threads=threads) if lesions else None

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles that take part, as a Reading names them."""
        if self._detector is None:
            return (self._grader.used,)
        return (self._grader.used, self._detector.used)

    @property
    def referable_threshold(self) -> float:
        """The operating point on the probability of grade 2 or more."""
        return self._grader.manifest.referable_threshold

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """For each kind that is looked for, the score from which a box is taken for a lesion."""
        return {} if self._detector is None else self._detector.manifest.thresholds

    def read(self, source: Source) -> Reading:
        """Read one photograph.

        Args:
            source: a file's path, a file's bytes, or ``uint8 (H, W, 3)`` RGB.

        Returns:
            A Reading, also of a picture that is no fundus photograph (``field.found`` is false).

        Raises:
            PhotoError: the file cannot be read.
        """
        return self.examine(source)[1]

    def examine(self, source: Source) -> tuple[Photo, Reading]:
        """Read one photograph and hand out its decoded pixels too, for drawing.

        Args, errors: as :meth:`read`.
        """
        content = _content(source)
        photo = _photo(content, min_side=self._grader.input.decode_side)
        fov = field.find(photo)
        grade, warnings = self._grade(photo, fov)
        if self._detector is not None and fov.found and not _whole(photo):
            # Decoded again, larger: so the grade is the same whether lesions are looked for or not.
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
        least = self._grader.manifest.minimum_radius
        if fov.radius < least:
            return Grade(), (
                f"not graded: the field's radius is {fov.radius:.0f} pixels, and the grader needs"
                f" {least:.0f}",
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
        found = detectors.find(self._detector, photo, fov)
        anatomy, lesions = summary.anatomy_of(found, self._detector, fov)
        return lesions, summary.summarise(lesions, anatomy, self._detector, fov), anatomy


@dataclass(frozen=True, slots=True)
class _File:
    """A photograph's file in memory."""

    name: str | None
    data: bytes


def _content(source: Any) -> _File | Any:
    """A file's bytes, so that they are read once; an array is left as it is."""
    if isinstance(source, bytes | bytearray | memoryview):
        return _File(None, bytes(source))
    if isinstance(source, str | Path):
        return _File(decode.name_of(Path(source)), decode.read_bytes(Path(source)))
    return source


def _photo(content: _File | Any, *, min_side: int) -> Photo:
    if isinstance(content, _File):
        return decode.decode(content.data, name=content.name, min_side=min_side)
    return decode.from_array(content)


def _whole(photo: Photo) -> bool:
    """Whether every pixel was decoded."""
    height, width = photo.pixels.shape[:2]
    return (width, height) == (photo.facts.width, photo.facts.height)


_default: Reader | None = None
_lock = threading.Lock()


def read(source: Source) -> Reading:
    """Read one photograph with the models that ship; they are loaded at the first call.

    Args:
        source: a file's path, a file's bytes, or ``uint8 (H, W, 3)`` RGB.

    Raises:
        PhotoError: the file cannot be read.
        BundleError: the shipped bundle is missing or damaged.
    """
    global _default
    with _lock:
        if _default is None:
            _default = Reader()
    return _default.read(source)
