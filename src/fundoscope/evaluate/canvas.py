"""Canvases for plots, drawn straight into a file: no window system and no global state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI: Final = 150
SIDE_INCHES: Final = 5.5


def new_canvas(width: float = SIDE_INCHES, height: float = SIDE_INCHES) -> tuple[Figure, Axes]:
    """Make a canvas of a width and height in inches, with axes to draw on."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(canvas)
    return canvas, canvas.add_subplot()


def save(canvas: Figure, path: Path) -> None:
    """Write a canvas as PNG; the same drawing gives the same bytes."""
    canvas.savefig(path, format="png", metadata={"Software": None})
