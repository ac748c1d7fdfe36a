"""Sentences that the model cards of graders and detectors share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from fundoscope.models import bundle as bundles

if TYPE_CHECKING:
    from fundoscope.models.bundle import Stored

WEIGHTS: Final[Mapping[str, str]] = {
    bundles.FLOAT32: "Weights are stored in full precision.",
    bundles.FLOAT16: "Large weights are stored in half precision.",
    bundles.INT8: "Weights and activations have eight bits but for the first convolutions.",
}
"""How the weights are stored."""


def averaged_text(averaged: Mapping[str, float], chosen: str) -> str:
    """What an average of runs is made of, and how its parts were chosen.

    Args:
        averaged: the share of each run.
        chosen: the rest of a sentence on how the best epochs and the shares were chosen.
    """
    runs = ", ".join(f"`{run}` ({share:g})" for run, share in averaged.items())
    return (
        f"The average of the weights of the runs {runs}, the best epoch of each {chosen}"
        " chosen on validation. Settings and seed are the last run's."
    )


def stored_text(stored: Stored | None) -> str:
    """How weights are stored, and what that costs; empty where a bundle does not say."""
    if stored is None:
        return ""
    falls = ", ".join(f"{key} {value or 0:.4f}" for key, value in stored.cost.items())
    cost = f" By how much figures on validation fall with that: {falls}." if falls else ""
    return WEIGHTS[stored.weights] + cost
