"""Sentences and tables that the model cards of graders and detectors share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from fundoscope.models import bundle as bundles

if TYPE_CHECKING:
    from fundoscope.models.bundle import Stored

WEIGHTS: Final[Mapping[str, str]] = {
    bundles.FLOAT32: "Weights are stored in full precision.",
    bundles.FLOAT16: "Large weights are stored in half precision.",
    bundles.INT8: "Weights and activations have eight bits but for the first convolutions.",
}
"""How the weights are stored."""
DIGITS: Final = 4
"""Decimals of what that costs; adding 0.0 turns -0.0 into 0.0."""


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


def settings_table(configuration: Mapping[str, Any]) -> str:
    """The settings of a run as a Markdown table.

    A nested setting has a dotted name (``data.radius``); the tables of a list are numbered.
    Settings without a value are left out.

    Args:
        configuration: settings as plain values by name.
    """
    rows = "\n".join(f"| `{name}` | {value} |" for name, value in _flat("", configuration))
    return f"| setting | value |\n|---|---|\n{rows}"


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """The plain settings within one: their dotted names and their values as a cell."""
    within = f"{name}." if name else ""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(f"{within}{key}", inner)
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        for number, inner in enumerate(value, start=1):
            yield from _flat(f"{within}{number}", inner)
    else:
        values = value if isinstance(value, list | tuple) else (value,)
        cell = ", ".join(str(inner) for inner in values if inner is not None)
        if cell:
            yield name, cell.replace("|", "\\|").replace("\n", " ")


def stored_text(stored: Stored | None) -> str:
    """How weights are stored, and what that costs; empty where a bundle does not say."""
    if stored is None:
        return ""
    rows = "\n".join(
        f"| {key} | {round(value or 0, DIGITS) + 0.0:.{DIGITS}f} |"
        for key, value in stored.cost.items()
    )
    cost = f"\n\n| figure on validation | cost of that |\n|---|---|\n{rows}" if rows else ""
    return WEIGHTS[stored.weights] + cost
