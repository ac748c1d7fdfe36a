"""``fundoscope data stats``: count the photographs of a label table and show some of them."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.cli import labels as label_tables
from fundoscope.cli.data.options import Cache
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.extras import DATA_STATS, require
from fundoscope.cli.options import Labels, Overwrite, Results, Where, Workers

if TYPE_CHECKING:
    from fundoscope.data.stats import Stats

STATS: Final = "stats.json"
COUNTS: Final = "counts.csv"
PLOT: Final = "stats.png"
SHEET: Final = "contact-sheet.png"


def stats(
    labels: Labels,
    out: Results,
    where: Where = None,
    cache: Cache = None,
    workers: Workers = None,
    seed: Annotated[
        int,
        typer.Option(
            metavar="N", min=0, help="Seed of the choice of photographs on the contact sheet."
        ),
    ] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Count photographs by grade, split, source and camera, measure them, and show some of each.

    Writes stats.json, counts.csv, stats.png and contact-sheet.png. Needs the optional part
    evaluate.

    Exit codes: 0 if all photographs were opened, 3 if some could not be, 2 for wrong use, 1 for any
    other failure.
    """
    require("fundoscope data stats", DATA_STATS)
    import msgspec

    from fundoscope.cli.terminal import quiet_libraries, terminal
    from fundoscope.data import contact_sheet, stats_plot
    from fundoscope.data.fingerprint_cache import fingerprints, user_cache
    from fundoscope.data.selection import select
    from fundoscope.data.stats import stats as count
    from fundoscope.writing import refuse_existing, write_files

    for name in (STATS, COUNTS, PLOT, SHEET):
        refuse_existing(out / name, overwrite=overwrite)
    table = label_tables.read(labels)
    rows = select(table, where=where) if where else table.rows
    with quiet_libraries(), terminal(len(rows)) as screen:
        seen = fingerprints(
            [table.photograph(row) for row in rows],
            cache=cache or user_cache(),
            workers=workers or os.cpu_count() or 1,
            on_done=screen.advance,
        )
        counted = count(rows, seen)
        files = {
            STATS: msgspec.json.format(msgspec.json.encode(counted), indent=2) + b"\n",
            COUNTS: _csv(counted),
            PLOT: stats_plot.draw(counted, rows, seen),
            SHEET: contact_sheet.draw(table, rows, seed=seed),
        }
    contents = [(out / name, data) for name, data in files.items()]
    write_files(contents, folder=out, overwrite=overwrite)
    _print_counts(counted, out)
    if counted.unopened:
        raise typer.Exit(INCOMPLETE)


def _csv(counted: Stats) -> bytes:
    """A table with a row for each value of a column: the number of photographs of each grade."""
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


def _print_counts(counted: Stats, out: Path) -> None:
    typer.echo(f"{counted.photographs} photographs: {_by_grade(counted.grades)}")
    if counted.patients:
        typer.echo(f"patients named: {counted.patients}")
    if counted.unopened:
        typer.echo(f"could not be opened: {counted.unopened} (fundoscope data check names them)")
    typer.echo(f"written to {out}: {STATS}, {COUNTS}, {PLOT}, {SHEET}")


def _by_grade(grades: Mapping[int, int]) -> str:
    return ", ".join(f"{count} of grade {grade}" for grade, count in sorted(grades.items()))
