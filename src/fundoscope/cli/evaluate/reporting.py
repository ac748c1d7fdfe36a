"""What the commands of ``fundoscope evaluate`` have in common: how they say what they found."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from fundoscope.evaluate.intervals import Figure

TEST: Final = "test"
LOOKS: Final = "docs/test-looks.csv"
NAMED_AT_MOST: Final = 20
"""Photographs in trouble that are named on the terminal; run.json names all."""


def now() -> str:
    """The time in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def span(figure: Figure) -> str:
    """A figure and its interval in words."""
    if figure.value is None:
        return f"undefined ({figure.reason})"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def remind(bundles: str, command: str, split: str, photographs: int, figures: str) -> None:
    """Print the row of a look at a test split: it is recorded, so that nobody tunes on it unseen.

    Args:
        bundles: their sha256.
        command: as it can be given again.
        split: that was looked at.
        photographs: how many.
        figures: the main ones, in words.
    """
    row = io.StringIO()
    today = datetime.now(UTC).date().isoformat()
    cells = [today, bundles, command, split, photographs, figures]
    csv.writer(row, lineterminator="").writerow(cells)
    typer.echo(f"a look at a test split: add this row to {LOOKS}", err=True)
    typer.echo(row.getvalue(), err=True)


def name_lacking(lacking: Sequence[tuple[str, str, str]], run: Path) -> bool:
    """Name the photographs in trouble; whether there are any.

    Args:
        lacking: image, reason and remedy of each.
        run: the file that names them all.
    """
    from fundoscope.report.wording import printable

    for image, reason, remedy in lacking[:NAMED_AT_MOST]:
        typer.echo(f"{printable(image)}: {reason}; {remedy}", err=True)
    if len(lacking) > NAMED_AT_MOST:
        typer.echo(f"and {len(lacking) - NAMED_AT_MOST} more, named in {run}", err=True)
    return bool(lacking)
