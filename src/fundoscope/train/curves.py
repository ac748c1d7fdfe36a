"""The curves of a run: loss, kappa and accuracy of training and validation, an epoch a point."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final

from fundoscope.errors import OutputError
from fundoscope.train import runs

NAME: Final = "curves.png"
WIDTH, HEIGHT, DOTS = 11.0, 3.4, 110
"""Inches, and dots an inch."""
TRAINING, VALIDATION, MEAN = "#7a7a7a", "#0072b2", "#d55e00"
"""Grey, blue and vermilion of Okabe and Ito, which everyone can tell apart."""


def draw(folder: Path) -> None:
    """Draw ``curves.png`` into a run folder; nothing where no epoch is finished.

    Raises:
        OutputError: it cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    lines = runs.metrics(folder)
    if not lines:
        return
    figure = Figure(figsize=(WIDTH, HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    loss, kappa, accuracy = figure.subplots(1, 3)
    for axes, title in ((loss, "loss"), (kappa, "quadratic kappa"), (accuracy, "accuracy")):
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    epochs = [line["epoch"] + 1 for line in lines]
    for axes, training, validation in (
        (loss, ("loss",), ("validation_loss",)),
        (kappa, ("training", "kappa"), ("kappa",)),
        (accuracy, ("training", "accuracy"), ("accuracy",)),
    ):
        axes.plot(epochs, _values(lines, training), "o-", color=TRAINING, label="training")
        axes.plot(epochs, _values(lines, validation), "o-", color=VALIDATION, label="validation")
    kappa.plot(epochs, _values(lines, ("score",)), "o--", color=MEAN, label="mean of sources")
    best = max(lines, key=lambda line: line["score"] if line["score"] is not None else -math.inf)
    for axes in (loss, kappa, accuracy):
        axes.axvline(best["epoch"] + 1, color="black", linewidth=0.8, alpha=0.5)
    kappa.legend(loc="lower right")
    figure.suptitle(f"{folder.name}: the line marks the epoch that is kept")
    try:
        figure.savefig(folder / NAME, dpi=DOTS)
    except OSError as error:
        raise OutputError(
            str(folder / NAME), f"cannot be written ({error.strerror})", "free some space"
        ) from None


def _values(lines: list[dict[str, Any]], keys: tuple[str, ...]) -> list[float]:
    """One figure of each epoch; NaN where it is undefined."""
    values = []
    for line in lines:
        value: Any = line
        for key in keys:
            value = value[key]
        values.append(math.nan if value is None else float(value))
    return values
