"""The plots of a report, as SVG: Okabe and Ito's colours, and dashes for print in black."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.evaluate.canvas import SIDE_INCHES, new_canvas
from fundoscope.evaluate.grading.calibration import BINS, reliability
from fundoscope.evaluate.grading.certainty import DeferralPoint
from fundoscope.evaluate.grading.plots import confusion_cells
from fundoscope.evaluate.intervals import Figure
from fundoscope.evaluate.report.document import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

Corner = Literal["lower right", "lower left", "upper left"]
"""Where a legend stands."""
SVG: Final = "image/svg+xml"
COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Okabe and Ito, Color Universal Design, 2008; their yellow is too pale for a line on white."""
DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
GUIDE: Final = "#767676"
"""The lightest grey that has a contrast of 4.5 with white."""
LEAST, MOST = -0.02, 1.02
"""Ends of an axis from 0 to 1: lines along its edge stay visible."""
STYLE: Final[Any] = {"svg.hashsalt": "fundoscope", "svg.fonttype": "path", "font.size": 11}
"""The same figures give the same bytes, and the same letters on every machine."""


def confusion_matrix(matrix: Ints, name: str) -> Picture:
    """Draw the confusion matrix.

    Args:
        matrix: ``int64 (5, 6)``, label by given grade; the last column counts those not graded.
        name: of the evaluation.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        canvas, axes = new_canvas(width=SIDE_INCHES + 1.0)
        confusion_cells(axes, matrix)
        data = svg(canvas)
    correct = int(np.trace(matrix[:, : len(matrix)]))
    alt = (
        f"Confusion matrix of {name}: {correct} of {matrix.sum()} photographs got their label."
        f" Rows are labels 0 to 4, columns grades 0 to 4 and not graded:"
        f" {'; '.join(' '.join(map(str, row)) for row in matrix.tolist())}."
    )
    return Picture(f"Confusion matrix of {name}, with per cent of each label.", alt, SVG, data)


def roc(curves: Mapping[str, tuple[Flags, Floats, Flags, float | None]]) -> Picture:
    """Draw the ROC curves of referable, each with a dot at its operating point.

    Args:
        curves: by name: referable ``bool (N,)``, score ``float64 (N,)``, called ``bool (N,)`` and
            the threshold; with referable and other photographs in each.
    """
    from sklearn.metrics import roc_curve

    def draw(axes: Axes) -> list[str]:
        axes.plot([0, 1], [0, 1], color=GUIDE, linewidth=0.8, linestyle=":")
        described = []
        for (name, (referable, score, called, threshold)), look in zip(
            curves.items(), _looks(), strict=False
        ):
            false_positive, true_positive, _ = roc_curve(referable, score)
            axes.plot(false_positive, true_positive, label=name, **look)
            point = called[~referable].mean(), called[referable].mean()
            at = "" if threshold is None else f" at {threshold:.3f}"
            axes.plot(*point, marker="o", color=look["color"], markersize=9, linestyle="none")
            described.append(
                f"{name}: sensitivity {point[1]:.3f} and specificity {1 - point[0]:.3f}{at}"
            )
        axes.set_xlabel("1 − specificity: share of grade 0 and 1 called referable")
        axes.set_ylabel("sensitivity: share of grade 2 to 4 called referable")
        return described

    caption = "ROC curve of referable. The dot is the operating point that was fixed beforehand."
    return _unit_square(draw, caption, "ROC curve of referable", "lower right")


def precision_recall(curves: Mapping[str, tuple[Flags, Floats]]) -> Picture:
    """Draw precision over recall of referable.

    Args:
        curves: by name: referable ``bool (N,)`` and score ``float64 (N,)``; with referable ones in
            each.
    """
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def draw(axes: Axes) -> list[str]:
        described = []
        for (name, (referable, score)), look in zip(curves.items(), _looks(), strict=False):
            precision, recall, _ = precision_recall_curve(referable, score)
            area = average_precision_score(referable, score)
            axes.step(recall, precision, where="post", label=f"{name}: AP {area:.3f}", **look)
            axes.axhline(referable.mean(), color=look["color"], linewidth=0.8, linestyle=":")
            described.append(
                f"{name}: average precision {area:.3f},"
                f" prevalence of referable {referable.mean():.3f}"
            )
        axes.set_xlabel("recall (sensitivity)")
        axes.set_ylabel("precision (PPV among these photographs)")
        return described

    caption = "Precision over recall of referable. The dotted line is the prevalence of referable."
    return _unit_square(draw, caption, "Precision over recall of referable", "lower left")


def calibration(curves: Mapping[str, tuple[Flags, Floats]]) -> Picture:
    """Draw the observed share of referable over the predicted probability, in ten bins.

    Args:
        curves: by name: referable ``bool (N,)`` and probability ``float64 (N,)``.
    """

    def draw(axes: Axes) -> list[str]:
        axes.plot([0, 1], [0, 1], color=GUIDE, linewidth=0.8, linestyle=":")
        described = []
        for (name, (referable, score)), look in zip(curves.items(), _looks(), strict=False):
            filled = [
                (row.predicted, row.observed, row.n)
                for row in reliability(score, referable)
                if row.predicted is not None and row.observed is not None
            ]
            predicted, observed, n = np.array(filled).T
            axes.plot(predicted, observed, marker="o", label=name, **look)
            error = float((n * np.abs(predicted - observed)).sum() / n.sum())
            described.append(f"{name}: expected calibration error {error:.3f} of {int(n.sum())}")
        axes.set_xlabel("predicted probability of referable")
        axes.set_ylabel("observed share of referable")
        return described

    caption = f"Calibration of the graded photographs in {BINS} bins; the diagonal is perfect."
    return _unit_square(draw, caption, "Calibration of referable", "upper left")


def reader_curve(curves: Mapping[str, Sequence[DeferralPoint]]) -> Picture:
    """Draw the accuracy of the rest over the share referred to a reader.

    Args:
        curves: by name, the points of :func:`fundoscope.evaluate.grading.certainty.curve`.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        canvas, axes = new_canvas()
        described = []
        for (name, points), look in zip(curves.items(), _looks(), strict=False):
            known = [(p.share, p.accuracy) for p in points if p.accuracy is not None]
            axes.plot(*zip(*known, strict=True), marker="o", label=name, **look)
            described.append(f"{name}: " + ", ".join(f"{v:.3f} at {s:.0%}" for s, v in known))
        axes.set_xlabel("share referred to a reader, the least certain first")
        axes.set_ylabel("accuracy of the other photographs")
        axes.legend(loc="upper left")
        axes.grid(color=GUIDE, alpha=0.3)
        data = svg(canvas)
    return Picture(
        "Accuracy of the rest when the least certain photographs go to a reader.",
        f"Accuracy over the share referred to a reader. {'; '.join(described)}.",
        SVG,
        data,
    )


def froc(name: str, kinds: Mapping[str, Mapping[float, Figure]]) -> Picture:
    """Draw sensitivity over false boxes per photograph of a detector.

    Args:
        name: of the evaluation.
        kinds: by kind: sensitivity by false boxes per photograph.
    """
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        canvas, axes = new_canvas()
        described = []
        for (kind, by_rate), look in zip(kinds.items(), _looks(), strict=False):
            points = [(rate, f.value) for rate, f in by_rate.items() if f.value is not None]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", label=kind, **look)
                described.append(f"{kind}: " + ", ".join(f"{v:.2f} at {r:g}" for r, v in points))
        axes.set_xscale("log", base=2)
        rates = sorted({rate for by_rate in kinds.values() for rate in by_rate})
        axes.set_xticks(rates, [str(Fraction(rate)) for rate in rates])
        axes.set_xlabel("false boxes per photograph, at most")
        axes.set_ylabel("sensitivity")
        axes.set_ylim(LEAST, MOST)
        axes.legend(loc="upper left")
        axes.grid(color=GUIDE, alpha=0.3)
        data = svg(canvas)
    return Picture(
        f"FROC of {name}: lesions found over false boxes per photograph.",
        f"FROC curves of {name}. {'; '.join(described)}.",
        SVG,
        data,
    )


def _looks() -> list[dict[str, Any]]:
    return [
        {"color": colour, "linestyle": dash, "linewidth": 1.8}
        for colour, dash in zip(COLOURS, DASHES, strict=True)
    ]


def _unit_square(
    draw: Callable[[Axes], list[str]], caption: str, what: str, legend: Corner
) -> Picture:
    """Draw on square axes from 0 to 1; ``draw`` returns the sentences of the alternative text."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        canvas, axes = new_canvas()
        described = draw(axes)
        axes.set_xlim(LEAST, MOST)
        axes.set_ylim(LEAST, MOST)
        axes.set_aspect("equal")
        axes.grid(color=GUIDE, alpha=0.3)
        axes.legend(loc=legend)
        data = svg(canvas)
    return Picture(caption, f"{what}. {'; '.join(described)}.", SVG, data)


def svg(canvas: Canvas) -> bytes:
    """A canvas as SVG; the same drawing gives the same bytes."""
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
