"""The model that decides from a detector's boxes whether a kind of lesion is in the eye at all."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MAX_COEFFICIENT: Final = 50.0
"""Highest absolute value of a coefficient. Those that are fitted stay below 10
(:mod:`fundoscope.calibrate.presence`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceModel:
    """A logistic model of one kind of lesion; see :func:`fundoscope.lesions.presence.probability`.

    Attributes:
        intercept: the log-odds where both features are 0.
        top_score: multiplies the log-odds of the highest score; at least 0.
        boxes: multiplies the logarithm of 1 + the number of boxes; at least 0.
        floor: the lowest score of a box that counts, more than 0 and less than 1.
        limit: the probability from which the kind is present, 0 to 1.
    """

    intercept: float
    top_score: float
    boxes: float
    floor: float
    limit: float


def fault(models: Mapping[str, PresenceModel]) -> str | None:
    """The first value that is not valid, in words; ``None`` if all are valid."""
    for kind, model in models.items():
        ranges = {
            "intercept": (model.intercept, -MAX_COEFFICIENT, MAX_COEFFICIENT),
            "top_score": (model.top_score, 0.0, MAX_COEFFICIENT),
            "boxes": (model.boxes, 0.0, MAX_COEFFICIENT),
            "limit": (model.limit, 0.0, 1.0),
        }
        for name, (value, low, high) in ranges.items():
            if not (math.isfinite(value) and low <= value <= high):
                return f"presence.{kind}.{name} is {value:g}, not {low:g} to {high:g}"
        if not 0.0 < model.floor < 1.0:
            return f"presence.{kind}.floor is {model.floor:g}, not between 0 and 1"
    return None
