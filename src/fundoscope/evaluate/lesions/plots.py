"""Plots of a detector: FROC, and precision over recall, with a line for each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fundoscope.evaluate.arrays import Floats
from fundoscope.evaluate.canvas import new_canvas, save
from fundoscope.evaluate.lesions import froc, ranked
from fundoscope.evaluate.lesions.figures import (
    AP_HIT,
    FROC_MEAN,
    PRECISION,
    RECALL,
    KindFigures,
    LesionFigures,
)
from fundoscope.kinds import KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES: Final = (
    ("#0072b2", "-"), ("#d55e00", "-"), ("#009e73", "-"), ("#cc79a7", "-"), ("#e69f00", "--"),
    ("#56b4e9", "--"), ("#000000", "--"), ("#0072b2", ":"), ("#d55e00", ":"), ("#009e73", ":"),
)  # fmt: skip
"""Okabe and Ito's colours, which colour-blind people can tell apart; dashed from the fifth on."""
WIDTH_INCHES: Final = 8.5
FAR: Final = 1e6
"""A rate beyond the end of the axis."""
GRID: Final = "#dddddd"
LEAST_RATE, MARGIN = froc.RATES[0] / 1.25, 1.25
THRESHOLD: Final = "dots: at the bundle's thresholds"


def draw_froc(figures: LesionFigures, photographs: int, path: Path) -> None:
    """Write the FROC curves as PNG; a dot marks the bundle's threshold.

    Args:
        figures: of the evaluation.
        photographs: number of photographs.
        path: of the file.
    """
    canvas, axes = new_canvas(width=WIDTH_INCHES)
    most = froc.RATES[-1]
    for kind, measured, colour, line in _kinds(figures):
        curve = ranked.curve(measured.ranked, np.ones((1, photographs)))
        rates = (curve.count - curve.true)[0] / photographs
        label = f"{KINDS[kind].name}: mean {measured.figures[FROC_MEAN].in_words(2)}"
        start = np.array([LEAST_RATE / 2])
        axes.plot(
            np.concatenate([start, np.maximum(rates, start), [FAR]]),
            _extended(curve.recall[0]),
            color=colour,
            linestyle=line,
            drawstyle="steps-post",
            label=label,
        )
        if measured.found:
            false = max((measured.found - measured.hits) / photographs, LEAST_RATE)
            axes.plot(false, measured.hits / measured.lesions, "o", color=colour, clip_on=False)
            most = max(most, false)
    axes.set_xscale("log", base=2)
    axes.set_xlim(LEAST_RATE, most * MARGIN)
    ticks = [2.0**power for power in range(-3, int(np.log2(most)) + 1)]
    axes.set_xticks(ticks, [f"{t:g}" if t >= 1 else f"1/{1 / t:g}" for t in ticks])
    axes.set_xlabel("false boxes a photograph")
    axes.set_ylabel("sensitivity")
    _finish(axes, f"{photographs} photographs; means over 1 to 32 false boxes")
    save(canvas, path)


def draw_precision_recall(figures: LesionFigures, photographs: int, path: Path) -> None:
    """Write precision over recall as PNG; a dot marks the bundle's threshold.

    Args:
        figures: of the evaluation.
        photographs: number of photographs.
        path: of the file.
    """
    canvas, axes = new_canvas(width=WIDTH_INCHES)
    for kind, measured, colour, line in _kinds(figures):
        curve = ranked.curve(measured.ranked, np.ones((1, photographs)))
        axes.plot(
            curve.recall[0],
            curve.precision[0],
            color=colour,
            linestyle=line,
            label=f"{KINDS[kind].name}: average {measured.figures[AP_HIT].in_words(2)}",
        )
        precision = measured.figures[PRECISION].value
        recall = measured.figures[RECALL].value
        if precision is not None and recall is not None:
            axes.plot(recall, precision, "o", color=colour)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_xlim(-0.01, 1.01)
    _finish(axes, f"{photographs} photographs, by the hit rule")
    save(canvas, path)


def _kinds(figures: LesionFigures) -> Iterator[tuple[str, KindFigures, str, str]]:
    """List the kinds of which there are lesions, with their figures, a colour and a line style."""
    present = [(kind, measured) for kind, measured in figures.kinds.items() if measured.lesions]
    for place, (kind, measured) in enumerate(present):
        yield (kind, measured, *STYLES[place % len(STYLES)])


def _extended(recall: Floats) -> Floats:
    """Start the curve at a recall of 0, and continue it at its last height."""
    return np.concatenate([[0.0], recall, recall[-1:] if len(recall) else [0.0]])


def _finish(axes: Axes, title: str) -> None:
    axes.set_ylim(-0.01, 1.01)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize="medium")
    if axes.get_legend_handles_labels()[0]:
        # Beside the plot: a curve may pass through any corner of it.
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            fontsize="small",
            frameon=False,
            title=THRESHOLD,
            title_fontsize="small",
        )
