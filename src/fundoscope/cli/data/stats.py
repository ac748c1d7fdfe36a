"""``fundoscope data stats``: what a label table holds, in numbers and pictures."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.errors import MissingExtraError, PhotoError

if TYPE_CHECKING:
    from fundoscope.data.stats import Stats

STATS: Final = "stats.json"
COUNTS: Final = "counts.csv"
PLOT: Final = "stats.png"
SHEET: Final = "contact-sheet.png"


def stats(
    labels: Annotated[
        Path,
        typer.Argument(metavar="TABLE|FOLDER", help="Label table, or class folders 0 … 4."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for numbers and pictures.")],
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="Only these rows; repeat to narrow further."),
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="As of data check; in your folder for caches by default."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Photographs opened at a time; as many as processors by default."),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the draw of those that the sheet shows.")
    ] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
) -> None:
    """Count photographs by grade, split, source and camera, measure them, and show some of each.

    Writes stats.json, counts.csv, stats.png and contact-sheet.png. Needs the extra evaluate.

    Exit code 0: all were opened. 3: some could not be. 2: misuse. 1: failure.
    """
    _require_extra()
    import msgspec

    from fundoscope.cli.terminal import quiet_libraries, terminal
    from fundoscope.data import contact_sheet, manifest, stats_plot
    from fundoscope.data.class_folders import from_class_folders
    from fundoscope.data.fingerprint_cache import fingerprints, user_cache
    from fundoscope.data.selection import select
    from fundoscope.data.stats import stats as count
    from fundoscope.writing import refuse_existing, write_files

    for name in (STATS, COUNTS, PLOT, SHEET):
        refuse_existing(out / name, overwrite=overwrite)
    table = from_class_folders(labels) if labels.is_dir() else manifest.read(labels)
    rows = select(table, where=where) if where else table.rows
    with quiet_libraries(), terminal(len(rows)) as screen:
        found = fingerprints(
            [table.photograph(row) for row in rows],
            cache=cache or user_cache(),
            workers=workers or os.cpu_count() or 1,
            on_done=screen.advance,
        )
        counted = count(rows, found)
        files = {
            STATS: msgspec.json.format(msgspec.json.encode(counted), indent=2) + b"\n",
            COUNTS: _csv(counted),
            PLOT: stats_plot.draw(counted, rows, found),
            SHEET: contact_sheet.draw(table, rows, seed=seed),
        }
    write_files([(out / name, data) for name, data in files.items()], overwrite=overwrite)
    _tell(counted, out)
    if counted.unopened:
        raise typer.Exit(PhotoError.exit_code)


def _require_extra() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("fundoscope data stats", "evaluate")


def _csv(counted: Stats) -> bytes:
    """A row for each value of a column: how many of each grade."""
    import csv
    import io

    from fundoscope.grading.heads import GRADE_COUNT

    grades = range(GRADE_COUNT)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["column", "value", *grades, "all"])
    lines = {("all", ""): counted.grades}
    lines |= {(column, value): of for column, by in counted.by.items() for value, of in by.items()}
    for names, of_grade in lines.items():
        numbers = [of_grade.get(grade, 0) for grade in grades]
        writer.writerow([*names, *numbers, sum(numbers)])
    return text.getvalue().encode("utf-8", "backslashreplace")


def _tell(counted: Stats, out: Path) -> None:
    typer.echo(f"{counted.photographs} photographs: {_by_grade(counted.grades)}")
    if counted.patients:
        typer.echo(f"patients named: {counted.patients}")
    if counted.unopened:
        typer.echo(f"could not be opened: {counted.unopened} (fundoscope data check names them)")
    typer.echo(f"written to {out}: {STATS}, {COUNTS}, {PLOT}, {SHEET}")


def _by_grade(grades: Mapping[int, int]) -> str:
    return ", ".join(f"{n} of grade {grade}" for grade, n in sorted(grades.items()))
