"""From a photograph to its findings (boxes, landmarks and summary), as a reading has them."""

from __future__ import annotations

from fundoscope.lesions import detector as detectors
from fundoscope.lesions import landmarks, placing, summary
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.landmarks import Landmarker
from fundoscope.lesions.summary import Findings
from fundoscope.photo.decode import Photo
from fundoscope.reading import Anatomy, FieldOfView


def look(
    detector: Detector,
    landmarker: Landmarker | None,
    photo: Photo,
    fov: FieldOfView,
    eye: str | None = None,
) -> Findings:
    """Look for lesions and landmarks.

    Args:
        detector: from :func:`fundoscope.lesions.detector.load`.
        landmarker: from :func:`fundoscope.lesions.landmarks.load`; ``None``: the detector's disc is
            taken.
        photo: decoded with ``detector.decode_side``.
        fov: its field of view, found.
        eye: which eye it is, if somebody said so.

    Raises:
        MemoryError: there is too little memory for the network.
        PhotoError: the network failed, or gave values that are not finite.
    """
    boxes = detectors.assessable(detector, photo, fov)
    placed = _anatomy(landmarker, photo, fov, eye)
    return summary.findings(boxes, detector, photo, fov, placed=placed, eye=eye)


def _anatomy(
    landmarker: Landmarker | None, photo: Photo, fov: FieldOfView, eye: str | None
) -> Anatomy | None:
    """The landmarks; ``None`` where no landmark network can see them."""
    if landmarker is None or (fov.radius or 0.0) < landmarker.manifest.minimum_radius:
        return None
    return placing.anatomy_of(landmarks.find(landmarker, photo, fov), landmarker.manifest, fov, eye)
