"""Figures of landmarks against marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.lesions.landmarks import Peak

USUAL_DIAMETER: Final = 0.3
"""In radii of the field: the unit where a photograph's disc was not measured."""
HALF: Final = 0.5
"""Disc diameters within which a landmark counts as right."""
CLOSE: Final = 0.15
"""Relative error within which a diameter counts as right."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Errors of the landmarks of N photographs; NaN where nothing is marked.

    Attributes:
        disc: distance of the disc's centre from its mark, in disc diameters.
        fovea: likewise.
        diameter: relative error of the disc's diameter.
        scores: ``(N, 2)``: of disc and fovea.
    """

    disc: NDArray[np.float64]
    fovea: NDArray[np.float64]
    diameter: NDArray[np.float64]
    scores: NDArray[np.float64]


def errors(found: Sequence[tuple[Peak, Peak]], truth: NDArray[np.float32]) -> Errors:
    """The errors of some photographs.

    Args:
        found: the peaks of disc and fovea of each.
        truth: their marks, as in :class:`fundoscope.train.landmarks.marks.Crops`.
    """
    disc_x, disc_y, diameter, fovea_x, fovea_y = truth.astype(np.float64).T
    unit = np.where(np.isnan(diameter), USUAL_DIAMETER, diameter)
    discs, foveas = [pair[0] for pair in found], [pair[1] for pair in found]

    def distance(peaks: list[Peak], x: NDArray[np.float64], y: NDArray[np.float64]):  # type: ignore[no-untyped-def]
        places = np.array([(peak.x, peak.y) for peak in peaks]).reshape(-1, 2)
        return np.hypot(places[:, 0] - x, places[:, 1] - y) / unit

    sizes = np.array([peak.diameter for peak in discs])
    return Errors(
        distance(discs, disc_x, disc_y),
        distance(foveas, fovea_x, fovea_y),
        np.abs(sizes / diameter - 1),
        np.array([(d.score, f.score) for d, f in found]).reshape(-1, 2),
    )


def summary(errors: Errors) -> dict[str, float]:
    """The figures of some photographs: medians, and shares that are right."""
    return {
        "photographs": float(len(errors.scores)),
        "disc_median": _median(errors.disc),
        "disc_within_half": _share(errors.disc, HALF),
        "diameter_within_15": _share(errors.diameter, CLOSE),
        "fovea_median": _median(errors.fovea),
        "fovea_within_half": _share(errors.fovea, HALF),
    }


def _median(values: NDArray[np.float64]) -> float:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else float("nan")


def _share(values: NDArray[np.float64], limit: float) -> float:
    known = values[~np.isnan(values)]
    return float((known <= limit).mean()) if len(known) else float("nan")
