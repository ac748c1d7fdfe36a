"""What the commands of ``fundoscope evaluate`` print in the same way."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

if TYPE_CHECKING:
    from fundoscope.evaluate.intervals import Figure

TEST: Final = "test"
LOOKS: Final = "docs/test-looks.csv"
"""Where this project records every look at a test split."""
REPOSITORY: Final = ".git"
"""What the topmost folder of a repository holds."""
NAMED_AT_MOST: Final = 20
"""Photographs without a result that are named on the terminal; run.json names all."""


def now() -> str:
    """The time in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def with_interval(figure: Figure) -> str:
    """A figure and its interval in words."""
    if figure.value is None:
        return f"undefined ({figure.reason})"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"


def command_line(words: Sequence[str], options: Mapping[str, str | Sequence[str] | None]) -> str:
    """A command as it can be typed again.

    Args:
        words: the command and its arguments.
        options: by name; an option with several values is repeated, one without is left out.
    """
    line = [*words]
    for name, given in options.items():
        values = [given] if isinstance(given, str) else given or []
        for value in values:
            line += [f"--{name}", value]
    return shlex.join(line)


def remind(bundles: str, command: str, split: str, photographs: int, figures: str) -> None:
    """Print the row that records a look at a test split, so that nobody tunes on it unnoticed.

    Only where the working folder belongs to a repository that keeps such a table.

    Args:
        bundles: their sha256.
        command: as it can be typed again.
        split: that was looked at.
        photographs: their number.
        figures: the main ones, in words.
    """
    if not keeps_looks(Path.cwd()):
        return
    row = io.StringIO()
    today = datetime.now(UTC).date().isoformat()
    cells = [today, bundles, command, split, photographs, figures]
    csv.writer(row, lineterminator="").writerow(cells)
    typer.echo(f"this was a look at a test split; add this row to {LOOKS}:", err=True)
    typer.echo(row.getvalue(), err=True)


def keeps_looks(folder: Path) -> bool:
    """Whether a folder, or one above it in the same repository, holds :data:`LOOKS`."""
    for each in (folder, *folder.parents):
        if (each / LOOKS).is_file():
            return True
        if (each / REPOSITORY).exists():
            return False
    return False


def name_lacking(lacking: Sequence[tuple[str, str, str]], run: Path | None = None) -> bool:
    """Name the photographs without a result; returns whether there are any.

    Args:
        lacking: image, reason and remedy of each.
        run: the file that names them all, if there is one.
    """
    from fundoscope.quoting import printable

    for image, reason, remedy in lacking[:NAMED_AT_MOST]:
        typer.echo(f"{printable(image)}: {reason}; {remedy}", err=True)
    if len(lacking) > NAMED_AT_MOST:
        where = "" if run is None else f", named in {run}"
        typer.echo(f"and {len(lacking) - NAMED_AT_MOST} more{where}", err=True)
    return bool(lacking)
