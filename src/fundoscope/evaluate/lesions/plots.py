"""Plots of an evaluation of lesions: FROC, and precision over recall, one line a kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fundoscope.evaluate.grading.plots import new_canvas, save
from fundoscope.evaluate.lesions import froc, ranked
from fundoscope.evaluate.lesions.figures import (
    AP_HIT,
    FROC_MEAN,
    PRECISION,
    RECALL,
    KindFigures,
    LesionFigures,
)
from fundoscope.evaluate.lesions.ranked import Floats
from fundoscope.kinds import KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES: Final = (
    ("#0072b2", "-"), ("#d55e00", "-"), ("#009e73", "-"), ("#cc79a7", "-"), ("#e69f00", "--"),
    ("#56b4e9", "--"), ("#000000", "--"), ("#0072b2", ":"), ("#d55e00", ":"), ("#009e73", ":"),
)  # fmt: skip
"""Okabe and Ito's colours, told apart by the colour-blind; other lines where kinds are many."""
WIDTH_INCHES: Final = 8.5
FAR: Final = 1e6
"""A rate that no axis reaches."""
GRID: Final = "#dddddd"
LEAST_RATE, MARGIN = froc.RATES[0] / 1.25, 1.25
THRESHOLD: Final = "dots: at the bundle's thresholds"


def draw_froc(figures: LesionFigures, photographs: int, path: Path) -> None:
    """Write the FROC curves as PNG; a dot marks the threshold in use.

    Args:
        figures: of the evaluation.
        photographs: how many there were.
        path: the file.
    """
    canvas, axes = new_canvas(width=WIDTH_INCHES)
    most = froc.RATES[-1]
    for kind, each, colour, line in _kinds(figures):
        curve = ranked.curve(each.ranked, np.ones((1, photographs)))
        rates = (curve.count - curve.true)[0] / photographs
        label = f"{KINDS[kind].name}: mean {_said(each, FROC_MEAN)}"
        start = np.array([LEAST_RATE / 2])
        axes.plot(
            np.concatenate([start, np.maximum(rates, start), [FAR]]),
            _extended(curve.recall[0]),
            color=colour,
            linestyle=line,
            drawstyle="steps-post",
            label=label,
        )
        if each.found:
            false = max((each.found - each.hits) / photographs, LEAST_RATE)
            axes.plot(false, each.hits / each.lesions, "o", color=colour, clip_on=False)
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
    """Write precision over recall as PNG; a dot marks the threshold in use.

    Args: as :func:`draw_froc`.
    """
    canvas, axes = new_canvas(width=WIDTH_INCHES)
    for kind, each, colour, line in _kinds(figures):
        curve = ranked.curve(each.ranked, np.ones((1, photographs)))
        axes.plot(
            curve.recall[0],
            curve.precision[0],
            color=colour,
            linestyle=line,
            label=f"{KINDS[kind].name}: average {_said(each, AP_HIT)}",
        )
        precision, recall = each.figures[PRECISION].value, each.figures[RECALL].value
        if precision is not None and recall is not None:
            axes.plot(recall, precision, "o", color=colour)
    axes.set_xlabel("recall")
    axes.set_ylabel("precision")
    axes.set_xlim(-0.01, 1.01)
    _finish(axes, f"{photographs} photographs, by the hit rule")
    save(canvas, path)


def _kinds(figures: LesionFigures) -> Iterator[tuple[str, KindFigures, str, str]]:
    """Kinds of which there are lesions, with a colour and a line; those that are lesions first."""
    there = [(kind, each) for kind, each in figures.kinds.items() if each.lesions]
    for place, (kind, each) in enumerate(there):
        yield (kind, each, *STYLES[place % len(STYLES)])


def _extended(recall: Floats) -> Floats:
    """From nothing found at first, on at the last one's height."""
    return np.concatenate([[0.0], recall, recall[-1:] if len(recall) else [0.0]])


def _said(each: KindFigures, name: str) -> str:
    figure = each.figures[name]
    if figure.value is None:
        return "undefined"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.2f}"
    return f"{figure.value:.2f} ({figure.low:.2f} to {figure.high:.2f})"


def _finish(axes: Axes, title: str) -> None:
    axes.set_ylim(-0.01, 1.01)
    axes.grid(color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_title(title, fontsize="medium")
    if axes.get_legend_handles_labels()[0]:
        # Beside the curves, which may go anywhere.
        axes.legend(
            loc="upper left",
            bbox_to_anchor=(1.0, 1.0),
            fontsize="small",
            frameon=False,
            title=THRESHOLD,
            title_fontsize="small",
        )
