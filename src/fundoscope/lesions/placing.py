"""From what a landmark network saw to the anatomy: what was found, estimated, or not found."""

from __future__ import annotations

import math
from typing import Final

from fundoscope.geometry import Affine
from fundoscope.lesions import anatomy, laterality
from fundoscope.lesions.landmarks import Peak
from fundoscope.models.manifest import LANDMARK_NAMES, LandmarksManifest
from fundoscope.reading import (
    ESTIMATED,
    FOUND,
    NOT_FOUND,
    Anatomy,
    FieldOfView,
    Fovea,
    OpticDisc,
)

APART: Final = (1.5, 3.75)
"""Disc diameters between disc and fovea. On the photographs marked in ``bench/reference`` it is 1.6
to 3.5 (APTOS's, which are squashed, left out)."""


def anatomy_of(
    seen: tuple[Peak, Peak],
    manifest: LandmarksManifest,
    fov: FieldOfView,
    given: str | None = None,
) -> Anatomy:
    """The landmarks of a photograph.

    A fovea that was not seen is estimated from the disc, if the eye is known and the photograph
    does not show the other one.

    Args:
        seen: the likeliest disc and fovea.
        manifest: for the limits of their scores.
        fov: the field of view, found.
        given: the eye that was given, one of :data:`fundoscope.reading.EYES`; ``None``: none.
    """
    disc_peak, fovea_peak = seen
    disc_name, fovea_name = LANDMARK_NAMES
    disc = _disc(disc_peak, _state(disc_peak, disc_name, manifest), fov)
    # One of two places that look alike: the other one is too far away for any estimate.
    ambiguous = fovea_peak.rival >= manifest.found[fovea_name]
    state = NOT_FOUND if ambiguous else _state(fovea_peak, fovea_name, manifest)
    fovea = _fovea(fovea_peak, state, fov)
    disc, fovea = _plausible(disc, fovea, fov)
    eye = laterality.of(disc, fovea, fov, given)
    if fovea.state == NOT_FOUND and disc.state == FOUND and not eye.contradiction:
        fovea = anatomy.estimated_fovea(disc, fov, eye.eye)
    return Anatomy(disc, fovea, eye)


def _state(peak: Peak, name: str, manifest: LandmarksManifest) -> str:
    if peak.score >= manifest.found[name]:
        # Two places that look alike: it is not certain which of them it is.
        return ESTIMATED if peak.rival >= manifest.found[name] else FOUND
    return ESTIMATED if peak.score >= manifest.estimated[name] else NOT_FOUND


def _disc(peak: Peak, state: str, fov: FieldOfView) -> OpticDisc:
    if state == NOT_FOUND or fov.radius is None:
        return OpticDisc(False, score=peak.score, state=NOT_FOUND)
    to_photo, half = _to_photo(fov), peak.diameter / 2
    box = to_photo.box((peak.x - half, peak.y - half, peak.x + half, peak.y + half))
    return OpticDisc(
        state == FOUND,
        box if state == FOUND else None,
        to_photo.point(peak.x, peak.y),
        peak.diameter * fov.radius,
        peak.score,
        state,
    )


def _fovea(peak: Peak, state: str, fov: FieldOfView) -> Fovea:
    if state == NOT_FOUND:
        return Fovea(NOT_FOUND)
    error = 0.0 if state == FOUND else anatomy.FOVEA_ERROR
    return Fovea(state, _to_photo(fov).point(peak.x, peak.y), peak.score, error)


def _plausible(disc: OpticDisc, fovea: Fovea, fov: FieldOfView) -> tuple[OpticDisc, Fovea]:
    """Drop the less certain of two landmarks that cannot belong to one eye."""
    if disc.centre is None or fovea.centre is None or not disc.diameter:
        return disc, fovea
    across = (disc.centre[0] - fovea.centre[0]) * (fov.stretch or 1.0)
    apart = math.hypot(across, disc.centre[1] - fovea.centre[1]) / disc.diameter
    if APART[0] <= apart <= APART[1]:
        return disc, fovea
    if (disc.score or 0.0) >= (fovea.score or 0.0):
        return disc, Fovea(NOT_FOUND)
    return OpticDisc(False, score=disc.score, state=NOT_FOUND), fovea


def _to_photo(fov: FieldOfView) -> Affine:
    return fov.to_unit().inverse()
