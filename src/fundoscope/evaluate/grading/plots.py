"""Plots of a grader: confusion matrix, receiver operating characteristic, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.evaluate.canvas import SIDE_INCHES, new_canvas, save
from fundoscope.evaluate.grading.calibration import Bin
from fundoscope.evaluate.grading.certainty import DeferralPoint
from fundoscope.evaluate.grading.figures import NOT_GRADED, VISION_THREATENING_GRADE, Scores
from fundoscope.evaluate.intervals import Figure
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DARK_SHARE: Final = 0.6
"""Above this share a cell is dark enough for its number to be written in white."""
GRADE_NAMES: Final = ("0 none", "1 mild", "2 moderate", "3 severe", "4 proliferative")
REFERABLE_COLOUR, THREATENING_COLOUR, GUIDE_COLOUR = "#1f5a96", "#c2571a", "#9a9a9a"


def draw_confusion(matrix: Ints, path: Path) -> None:
    """Write the confusion matrix as PNG: counts, shaded by their share of the row.

    Args:
        matrix: ``int64 (5, 6)``, label by given grade; the last column counts those not graded.
        path: of the file.
    """
    canvas, axes = new_canvas(width=SIDE_INCHES + 1.0)
    confusion_cells(axes, matrix)
    save(canvas, path)


def confusion_cells(axes: Axes, matrix: Ints) -> None:
    """Draw a confusion matrix on axes; see :func:`draw_confusion`."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0, aspect="auto")
    for (label, given), count in np.ndenumerate(matrix):
        share = shares[label, given]
        axes.text(
            given,
            label,
            f"{count}\n{share:.0%}" if count else "0",
            ha="center",
            va="center",
            color="white" if share > DARK_SHARE else "black" if count else GUIDE_COLOUR,
        )
    axes.set_xticks(range(GRADE_COUNT + 1), [*map(str, range(GRADE_COUNT)), "not\ngraded"])
    axes.set_yticks(range(GRADE_COUNT), GRADE_NAMES)
    axes.set_xlabel("grade given")
    axes.set_ylabel("label")
    axes.set_title(f"{matrix.sum()} photographs; per cent of each label")
    axes.axvline(GRADE_COUNT - 0.5, color="black", linewidth=0.8)


def draw_roc(
    scores: Scores,
    referable_auc: Figure,
    threatening_auc: Figure,
    threshold: float | None,
    path: Path,
) -> None:
    """Write the receiver operating characteristics as PNG, with the operating point.

    Args:
        scores: of all photographs; those not graded have probability 1.
        referable_auc: area under the curve of referable, for the legend.
        threatening_auc: area under the curve of vision-threatening, for the legend.
        threshold: the operating point of the referable call, for the legend.
        path: of the file.
    """
    canvas, axes = new_canvas()
    axes.plot([0, 1], [0, 1], color=GUIDE_COLOUR, linewidth=0.8, linestyle=":")
    referable = scores.label >= REFERABLE_GRADE
    threatening = scores.label >= VISION_THREATENING_GRADE
    _curve(axes, referable, scores.referable, "referable", referable_auc, REFERABLE_COLOUR)
    _curve(
        axes,
        threatening,
        scores.vision_threatening,
        "vision-threatening",
        threatening_auc,
        THREATENING_COLOUR,
    )
    if referable.any() and not referable.all():
        point = "operating point"
        if threshold is not None:
            point += f": referable from {threshold:.3f}"
        axes.plot(
            scores.positive[~referable].mean(),
            scores.positive[referable].mean(),
            marker="o",
            linestyle="none",
            color=REFERABLE_COLOUR,
            label=point,
        )
    axes.set_xlabel("1 − specificity")
    axes.set_ylabel("sensitivity")
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(-0.01, 1.01)
    axes.set_aspect("equal")
    axes.legend(loc="lower right", frameon=False)
    not_graded = int((scores.given == NOT_GRADED).sum())
    axes.set_title(f"{len(scores)} photographs, {not_graded} of them not graded")
    save(canvas, path)


def draw_reliability(
    table: Sequence[Bin],
    error: float | None,
    path: Path,
    *,
    predicted: str = "predicted probability of referable",
    observed: str = "observed share of referable",
) -> None:
    """Write the reliability diagram of a probability as PNG.

    Args:
        table: the bins of :func:`fundoscope.evaluate.grading.calibration.reliability`.
        error: the expected calibration error, for the title.
        path: of the file.
        predicted: what the horizontal axis shows.
        observed: what the vertical axis shows.
    """
    canvas, axes = new_canvas()
    filled = [
        (row.predicted, row.observed, row.n)
        for row in table
        if row.predicted is not None and row.observed is not None
    ]
    axes.plot([0, 1], [0, 1], color=GUIDE_COLOUR, linewidth=0.8, linestyle=":")
    axes.plot(
        [x for x, _, _ in filled],
        [y for _, y, _ in filled],
        marker="o",
        color=REFERABLE_COLOUR,
    )
    for x, y, n in filled:
        axes.annotate(
            str(n),
            (x, y),
            textcoords="offset points",
            xytext=(0, 6),
            ha="center",
            fontsize="small",
        )
    axes.set_xlabel(predicted)
    axes.set_ylabel(observed)
    axes.set_xlim(-0.05, 1.05)
    axes.set_ylim(-0.03, 1.07)
    axes.set_aspect("equal")
    title = (
        "no photograph was graded" if error is None else f"expected calibration error {error:.3f}"
    )
    axes.set_title(f"{title} (numbers: photographs)")
    save(canvas, path)


def draw_reader_share(curve: Sequence[DeferralPoint], path: Path) -> None:
    """Write the accuracy over the share of photographs that is referred to a reader as PNG.

    Args:
        curve: from :func:`fundoscope.evaluate.grading.certainty.evaluate`.
        path: of the file.
    """
    canvas, axes = new_canvas()
    known = [(row.share * 100, row.accuracy * 100) for row in curve if row.accuracy is not None]
    axes.plot([x for x, _ in known], [y for _, y in known], marker="o", color=REFERABLE_COLOUR)
    axes.set_xlabel("least certain photographs referred to a reader, %")
    axes.set_ylabel("accuracy of the rest, %")
    axes.set_ylim(top=101)
    graded = curve[0].n if curve else 0
    axes.set_title(f"{graded} graded photographs" if graded else "no photograph was graded")
    save(canvas, path)


def _curve(
    axes: Axes, positive: Flags, score: Floats, name: str, area: Figure, colour: str
) -> None:
    from sklearn.metrics import roc_curve

    if area.value is None:
        axes.plot([], [], color=colour, label=f"{name}: undefined")
        return
    false_positive, true_positive, _ = roc_curve(positive, score)
    label = f"{name}: area {area.in_words()}"
    axes.plot(false_positive, true_positive, color=colour, label=label)
