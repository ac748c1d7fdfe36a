"""The curves of a run, with a point for each epoch and a mark at the epoch that is kept.

For a grader: loss, kappa and accuracy of training and validation. For a detector: its losses, and
the average precision of each kind. For a landmark network: its loss, distances and shares.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fundoscope.errors import OutputError
from fundoscope.kinds import ANATOMY, KINDS
from fundoscope.train.run import folder as runs
from fundoscope.train.run.loss_names import loss_names

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME: Final = "curves.png"
WIDTH, HEIGHT, DOTS = 11.0, 3.4, 110
"""In inches, and dots per inch."""
TRAINING, VALIDATION, MEAN = "#7a7a7a", "#0072b2", "#d55e00"
"""Grey, blue and vermilion of Okabe and Ito, which colour-blind readers can distinguish."""
STYLES: Final = ("o-", "s--", "^-.", "D:", "v-", "P--", "X-.")
"""Of curves in one plot. The colours of kinds are chosen for retina, not for white paper."""
HUES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a")
"""Those colours of Okabe and Ito that are visible on white."""


def draw(folder: Path) -> None:
    """Draw ``curves.png`` into a run folder; nothing where no epoch is finished.

    Args:
        folder: the run folder.

    Raises:
        OutputError: the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = runs.metrics(folder)
    if not lines:
        return
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    if "average_precision" in lines[0]:
        plots = _of_detector(figure, lines)
    elif "disc_median" in lines[0]:
        plots = _of_landmarks(figure, lines)
    else:
        plots = _of_grader(figure, lines)
    best = max(lines, key=lambda line: line["score"] if line["score"] is not None else -math.inf)
    for axes in plots:
        axes.axvline(best["epoch"] + 1, color="black", linewidth=0.8, alpha=0.5)
    figure.suptitle(f"{folder.name}: the line marks the epoch that is kept")
    try:
        figure.savefig(folder / NAME, dpi=DOTS)
    except OSError as error:
        raise OutputError(
            str(folder / NAME), f"cannot be written ({error.strerror})", "free some space"
        ) from None


def _of_grader(figure: Figure, lines: list[dict[str, Any]]) -> list[Axes]:
    # Runs of version 0.1 have no accuracy by the rule of the training.
    same = "_rounded" if all("accuracy_rounded" in line for line in lines) else ""
    loss, kappa, accuracy = plots = _plots(figure, ("loss", "quadratic kappa", "accuracy"))
    epochs = [line["epoch"] + 1 for line in lines]
    for axes, training, validation in (
        (loss, ("loss",), ("validation_loss",)),
        (kappa, ("training", "kappa"), (f"kappa{same}",)),
        (accuracy, ("training", "accuracy"), (f"accuracy{same}",)),
    ):
        axes.plot(epochs, _values(lines, training), "o-", color=TRAINING, label="training")
        axes.plot(epochs, _values(lines, validation), "o-", color=VALIDATION, label="validation")
    # Earlier runs chose by the mean kappa alone, and have it as their score.
    mean = "mean_kappa" if all("mean_kappa" in line for line in lines) else "score"
    kappa.plot(epochs, _values(lines, (mean,)), "o--", color=MEAN, label="mean of sources")
    kappa.legend(loc="lower right")
    return plots


def _of_detector(figure: Figure, lines: list[dict[str, Any]]) -> list[Axes]:
    loss, precision = plots = _plots(figure, ("loss in training", "average precision, validation"))
    epochs = [line["epoch"] + 1 for line in lines]
    loss.plot(epochs, _values(lines, ("loss",)), "o-", color="black", label="together")
    for i, (key, name) in enumerate(loss_names(lines[0]["training"]).items()):
        _curve(loss, epochs, _values(lines, ("training", key)), i, name)
    kinds = list(lines[0]["average_precision"])
    for i, kind in enumerate(kinds):
        _curve(precision, epochs, _values(lines, ("average_precision", kind)), i, KINDS[kind].name)
    mean = "mean of lesions" if any(kind not in ANATOMY for kind in kinds) else "mean"
    precision.plot(epochs, _values(lines, ("score",)), "-", color="black", linewidth=2, label=mean)
    precision.set_ylim(0, 1)
    for axes in plots:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize="small")
    return plots


def _of_landmarks(figure: Figure, lines: list[dict[str, Any]]) -> list[Axes]:
    titles = ("loss in training", "median distance, disc diameters", "shares that are right")
    loss, distance, share = plots = _plots(figure, titles)
    epochs = [line["epoch"] + 1 for line in lines]
    loss.plot(epochs, _values(lines, ("loss",)), "o-", color=TRAINING)
    for i, name in enumerate(("disc", "fovea")):
        _curve(distance, epochs, _values(lines, (f"{name}_median",)), i, name)
        _curve(share, epochs, _values(lines, (f"{name}_within_half",)), i, f"{name}, within half")
    _curve(share, epochs, _values(lines, ("diameter_within_15",)), 2, "diameter, within 15 %")
    for axes in (distance, share):
        axes.legend(fontsize="small")
    return plots


def _plots(figure: Figure, titles: Sequence[str]) -> list[Axes]:
    """Plots side by side, with epochs on the x axis."""
    from matplotlib.ticker import MaxNLocator

    plots: list[Axes] = list(figure.subplots(1, len(titles)))
    for axes, title in zip(plots, titles, strict=True):
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    return plots


def _curve(axes: Axes, epochs: list[int], values: list[float], number: int, name: str) -> None:
    style = STYLES[number % len(STYLES)]
    axes.plot(epochs, values, style, color=HUES[number % len(HUES)], markersize=3.5, label=name)


def _values(lines: list[dict[str, Any]], keys: tuple[str, ...]) -> list[float]:
    """A figure of each epoch; NaN where it is undefined."""
    values = []
    for line in lines:
        value: Any = line
        for key in keys:
            value = value[key]
        values.append(math.nan if value is None else float(value))
    return values
