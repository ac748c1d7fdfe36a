"""A plot of a label table: grades by split, source and camera, and the sizes of the retinas.

Drawn on matplotlib's Agg canvas, without a window system or global state. Needs the extra
[evaluate].
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.fingerprint_cache import FingerprintResult
from fundoscope.data.manifest import Row
from fundoscope.data.stats import Counts, Stats
from fundoscope.grading.heads import GRADE_COUNT

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DPI: Final = 130
PANEL_INCHES: Final = (5.2, 3.6)
MOST_BARS: Final = 14
"""Values of a column with their own bar; the rarest share another."""
MOST_LINES: Final = 8
BINS: Final = 40
OTHERS: Final = "others"
UNKNOWN: Final = "unknown"
LONGEST: Final = 18
"""Characters of a name beside its bar."""
COLOURS: Final = ("#d9e6f2", "#9dc3e0", "#5a96c8", "#c2571a", "#7d1d0c")
"""Of the grades 0 to 4: blue up to grade 2, then orange and dark red."""


def draw(stats: Stats, rows: Sequence[Row], results: Sequence[FingerprintResult]) -> bytes:
    """The plot as PNG.

    Args:
        stats: of the same rows and fingerprints.
        rows: of the label table.
        results: their fingerprints.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = len(stats.by) + 2
    rows_of_panels = -(-panels // 2)
    width, height = PANEL_INCHES
    figure = Figure(figsize=(2 * width, rows_of_panels * height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows_of_panels, 2, squeeze=False).ravel()
    _grades(axes[0], stats)
    for panel, (column, counts) in zip(axes[1:], stats.by.items(), strict=False):
        _bars(panel, column, counts)
    _diameters(axes[len(stats.by) + 1], rows, results)
    for unused in axes[panels:]:
        unused.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _grades(axes: Axes, stats: Stats) -> None:
    counts = [stats.grades.get(grade, 0) for grade in range(GRADE_COUNT)]
    bars = axes.bar(range(GRADE_COUNT), counts, color=COLOURS, edgecolor="black", linewidth=0.4)
    axes.bar_label(bars, [f"{n}\n{n / max(sum(counts), 1):.1%}" for n in counts], fontsize="small")
    axes.margins(y=0.18)
    axes.set_xticks(range(GRADE_COUNT))
    axes.set_xlabel("grade")
    axes.set_title(f"{stats.photographs} photographs")


def _bars(axes: Axes, column: str, counts: Counts) -> None:
    """A bar for each value, with the shares of the grades as parts and the count at its end."""
    numbers = {value: [of.get(g, 0) for g in range(GRADE_COUNT)] for value, of in counts.items()}
    by_size = sorted(numbers, key=lambda value: -sum(numbers[value]))
    shown = {value: numbers[value] for value in by_size[:MOST_BARS]}
    if len(by_size) > MOST_BARS:
        rest = np.sum([numbers[value] for value in by_size[MOST_BARS:]], axis=0).tolist()
        shown[f"{len(by_size) - MOST_BARS} {OTHERS}"] = rest
    names = [_short(value) for value in shown]
    table = np.array(list(shown.values()), dtype=np.float64)
    totals = table.sum(axis=1)
    left = np.zeros(len(names))
    places = np.arange(len(names))
    for grade, colour in enumerate(COLOURS):
        share = table[:, grade] / totals
        axes.barh(
            places, share, left=left, color=colour, edgecolor="black", linewidth=0.3, label=grade
        )
        left += share
    for place, total in enumerate(totals.tolist()):
        axes.text(1.01, place, f"{total:.0f}", va="center", fontsize="small")
    axes.set_yticks(places, names, fontsize="small")
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12)
    axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "25 %", "50 %", "75 %", "100 %"))
    axes.set_title(f"grades by {column}")
    axes.legend(
        ncols=GRADE_COUNT, fontsize="x-small", frameon=False, loc="lower left",
        bbox_to_anchor=(0, -0.22), handlelength=1.0,
    )  # fmt: skip


def _diameters(axes: Axes, rows: Sequence[Row], results: Sequence[FingerprintResult]) -> None:
    by_source: dict[str, list[float]] = {}
    for row, result in zip(rows, results, strict=True):
        if isinstance(result, Fingerprint) and result.field.radius is not None:
            by_source.setdefault(row.source, []).append(2 * result.field.radius)
    axes.set_title("diameter of the retina's disc")
    axes.set_xlabel("pixels, from top to bottom")
    axes.set_ylabel("share of the source's photographs")
    if not by_source:
        axes.text(0.5, 0.5, "none was found", ha="center", transform=axes.transAxes)
        return
    sizes = np.concatenate([np.asarray(values) for values in by_source.values()])
    edges = np.linspace(0.95 * sizes.min(), 1.05 * sizes.max(), BINS + 1)
    largest = sorted(by_source, key=lambda name: -len(by_source[name]))[:MOST_LINES]
    for name in largest:
        values = by_source[name]
        axes.hist(
            values,
            edges.tolist(),
            weights=np.full(len(values), 1 / len(values)),
            histtype="step",
            linewidth=1.2,
            label=_short(name),
        )
    if len(by_source) > 1:
        axes.legend(fontsize="x-small", frameon=False)


def _short(name: str) -> str:
    """A name that fits beside a bar; "?" replaces what matplotlib's own font cannot draw."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    if not name:
        return UNKNOWN
    font = get_font(findfont(FontProperties()))
    # Matplotlib draws text between dollar signs as a formula.
    drawn = "".join(c if font.get_char_index(ord(c)) and c != "$" else "?" for c in name)
    return drawn if len(drawn) <= LONGEST else drawn[: LONGEST - 1] + "…"
