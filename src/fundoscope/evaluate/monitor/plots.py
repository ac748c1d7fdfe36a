"""The control charts of a monitor, as SVG."""

from __future__ import annotations

from typing import Final

from fundoscope.evaluate.canvas import new_canvas
from fundoscope.evaluate.monitor.charts import Chart, Quartiles
from fundoscope.evaluate.report.document import Picture
from fundoscope.evaluate.report.plots import COLOURS, GUIDE, STYLE, SVG, svg

WIDTH, HEIGHT = 6.5, 3.2
MOST_NAMES: Final = 12
"""Periods that are named below a chart; of more, some."""
BAND: Final = "#56B4E9"
SIGNAL: Final = COLOURS[1]
ROOM: Final = 1.15
"""Of the largest value, for the marks at the top."""


def control(chart: Chart) -> Picture:
    """Draw a chart: values, the reference, the band of the limits, and marks beyond it."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        canvas, axes = new_canvas(WIDTH, HEIGHT)
        places = list(range(len(chart.points)))
        banded = [(x, p.low, p.high) for x, p in zip(places, chart.points, strict=True)]
        known = [(x, low, high) for x, low, high in banded if low is not None and high is not None]
        for x, low, high in known:
            axes.fill_between([x - 0.5, x + 0.5], low, high, color=BAND, alpha=0.25, linewidth=0)
        if chart.centre is not None:
            axes.axhline(chart.centre, color=GUIDE, linewidth=1.0, linestyle="--")
        values = [float("nan") if p.value is None else p.value for p in chart.points]
        axes.plot(places, values, color=COLOURS[0], marker="o", markersize=5, linewidth=1.4)
        marked = [(x, p.value) for x, p in zip(places, chart.points, strict=True) if p.beyond]
        if marked:
            axes.plot(*zip(*marked, strict=True), color=SIGNAL, marker="D", markersize=9,
                      linestyle="none", clip_on=False)  # fmt: skip
        top = max([v for v in values if v == v] + [high for *_, high in known] + [0.05])
        axes.set_ylim(-0.02 * top, min(ROOM * top, 1.05))
        axes.set_xlim(-0.6, len(places) - 0.4)
        step = max(1, -(-len(places) // MOST_NAMES))
        axes.set_xticks(places[::step], [p.period for p in chart.points][::step], rotation=30,
                        ha="right")  # fmt: skip
        axes.set_ylabel("distance" if chart.centre is None else "share")
        axes.grid(color=GUIDE, alpha=0.25)
        data = svg(canvas)
    return Picture(_caption(chart), _alt(chart), SVG, data)


def _caption(chart: Chart) -> str:
    reference = "" if chart.centre is None else f"; reference {chart.centre:.3f} (dashed)"
    return f"{chart.name[0].upper()}{chart.name[1:]}{reference}."


def _alt(chart: Chart) -> str:
    described = "; ".join(
        f"{p.period} no photographs" if p.value is None else f"{p.period} {p.value:.3f}"
        + (" beyond its limits" if p.beyond else "")
        for p in chart.points
    )  # fmt: skip
    return f"Control chart, {chart.name}. {described}."


def scores(reference: Quartiles, periods: tuple[Quartiles, ...]) -> Picture | None:
    """Draw median and middle half of the scores of each period; ``None`` without any."""
    import matplotlib as mpl

    if reference.values is None:
        return None
    with mpl.rc_context(STYLE):
        canvas, axes = new_canvas(WIDTH, HEIGHT)
        named = (reference, *periods)
        for x, each in enumerate(named):
            if each.values is not None:
                low, median, high = each.values
                colour = GUIDE if x == 0 else COLOURS[0]
                axes.vlines(x, low, high, color=colour, linewidth=6, alpha=0.5)
                axes.plot(x, median, color=colour, marker="o", markersize=7)
        axes.set_ylim(-0.02, 1.02)
        step = max(1, -(-len(named) // MOST_NAMES))
        names = ["reference", *(each.period for each in periods)]
        axes.set_xticks(range(0, len(named), step), names[::step], rotation=30, ha="right")
        axes.set_ylabel("probability of referable")
        axes.grid(color=GUIDE, alpha=0.25)
        data = svg(canvas)
    described = "; ".join(
        f"{name} {each.values[0]:.3f}, {each.values[1]:.3f}, {each.values[2]:.3f}"
        for name, each in zip(names, named, strict=True)
        if each.values is not None
    )
    return Picture(
        "Scores: the dot is the median, the bar the middle half of the photographs.",
        f"Quartiles of the probability of referable. {described}.",
        SVG,
        data,
    )
