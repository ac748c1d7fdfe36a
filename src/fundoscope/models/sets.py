"""The fitted values of a grader's sets of grades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_PHOTOGRAPHS: Final = 10**12


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeSets:
    """How the set of plausible grades is made; see :mod:`fundoscope.grading.conformal`.

    Attributes:
        coverage: the share of photographs whose true grade is in its set, more than 0 and less
            than 1.
        limits: by grade, the highest score with which it belongs to the set, 0 to 1.
        photographs: number of photographs that the limits were fitted to.
    """

    coverage: float
    limits: tuple[float, float, float, float, float]
    photographs: int


def fault(sets: GradeSets | None) -> str | None:
    """The first value that is not valid, in words; ``None`` if all are valid."""
    if sets is None:
        return None
    if not 0.0 < sets.coverage < 1.0:
        return f"conformal.coverage is {sets.coverage:g}, not between 0 and 1"
    for limit in sets.limits:
        if not 0.0 <= limit <= 1.0:
            return f"conformal.limits has {limit:g}, not 0 to 1"
    if not 0 < sets.photographs <= MAX_PHOTOGRAPHS:
        return f"conformal.photographs is {sets.photographs}, not 1 to {MAX_PHOTOGRAPHS:g}"
    return None
