"""The parts of a grader's ``bundle.json`` that are fitted to photographs after training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Interval = tuple[float | None, float | None, float | None]
"""A figure with the low and the high bound of its 95 % interval; ``None`` where undefined."""
MIN_SLOPE, MAX_SLOPE = 0.05, 20.0
MAX_OFFSET: Final = 20.0
"""Valid values of a correction. Those that are fitted have slopes from 0.2 to 5, and offsets up to
4 (:mod:`fundoscope.calibrate.fitting`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeCorrection:
    """A correction of a grader's probabilities; see :func:`fundoscope.grading.heads.corrected`.

    Attributes:
        slope: multiplies the log-odds that the grade is above 0, 1, 2, 3; more than 0.
        offsets: are added to them.
    """

    slope: float
    offsets: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalibration:
    """How a clinic fitted a bundle to its own photographs (``fundoscope calibrate grading``).

    Attributes:
        given: name of the bundle that was recalibrated.
        table_sha256: of the label table's content.
        photographs: number of photographs that were used.
        referable: how many of them have grade 2 or more.
        fitted_at: the time, in ISO 8601.
        sensitivity: of "referable" that was asked for.
        folds: parts of the cross-validation that measured ``after``.
        before: figures of the given bundle on these photographs: value, low and high bound of the
            95 % interval.
        after: the same with the new values, on photographs that they were not fitted to.
    """

    given: str
    table_sha256: str
    photographs: int
    referable: int
    fitted_at: str
    sensitivity: float
    folds: int
    before: Mapping[str, Interval]
    after: Mapping[str, Interval]


def fault(correction: GradeCorrection | None) -> str | None:
    """The first value of a correction that is not valid, in words; ``None`` if all are valid."""
    if correction is None:
        return None
    if not MIN_SLOPE <= correction.slope <= MAX_SLOPE:
        return f"correction.slope is {correction.slope:g}, not {MIN_SLOPE:g} to {MAX_SLOPE:g}"
    for offset in correction.offsets:
        if not math.isfinite(offset) or abs(offset) > MAX_OFFSET:
            return f"correction.offsets has {offset:g}, not {-MAX_OFFSET:g} to {MAX_OFFSET:g}"
    return None
