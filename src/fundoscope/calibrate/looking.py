"""Looking at the lesions of a photograph as a reading does, to fit what hangs on them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fundoscope.errors import PhotoError
from fundoscope.grading.grader import Grader
from fundoscope.lesions import looking
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.landmarks import Landmarker
from fundoscope.lesions.summary import Findings
from fundoscope.photo import field, sources
from fundoscope.photo.reasons import NO_FIELD, OTHERWISE
from fundoscope.photo.refusals import TOO_LARGE
from fundoscope.reading import FieldOfView


@dataclass(frozen=True, slots=True)
class Networks:
    """What looks at the photographs.

    Attributes:
        detector: sees the lesions.
        landmarker: sees disc and fovea.
        grader: its input decides at which scale the field of view is found, as in a reading. A
            field that is half a pixel larger moves boxes.
    """

    detector: Detector
    landmarker: Landmarker
    grader: Grader


@dataclass(frozen=True, slots=True)
class Unread:
    """A photograph on which lesions could not be looked for, and why.

    Attributes:
        image: as in the label table.
        reason, remedy: two halves of a sentence.
    """

    image: str
    reason: str
    remedy: str


def look(path: Path, image: str, networks: Networks) -> tuple[Findings, FieldOfView] | Unread:
    """Look for lesions on a photograph, whatever its grade, and whether or not it is gradable.

    Label tables say which photographs a person could grade; the judge is not asked.

    Args:
        path: of its file.
        image: as in the label table.
        networks: of the bundles in use.

    Returns:
        What was found, and the field of view.
    """
    detector = networks.detector
    try:
        content = sources.content(path)
        photo = sources.photo(content, min_side=networks.grader.input.decode_side)
        fov = field.find(photo, textured=networks.grader.judge is None)
        if fov.radius is None:
            return Unread(image, *NO_FIELD.get(fov.reason or "no_disc", OTHERWISE))
        photo = sources.photo(content, min_side=detector.decode_side)
        return looking.look(detector, networks.landmarker, photo, fov), fov
    except PhotoError as error:
        return Unread(image, error.why, error.remedy)
    except MemoryError:
        return Unread(image, *TOO_LARGE)
