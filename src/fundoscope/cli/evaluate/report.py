"""``fundoscope evaluate report``: one page from one or several evaluations."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli import repeated
from fundoscope.cli.extras import EVALUATE_GRADING, require
from fundoscope.cli.options import Overwrite, Workers


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESULTS…",
            help="Results folders of evaluate grading or evaluate lesions.",
            show_default=False,
        ),
    ],
    out: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="The page to write: FILE.html or FILE.md. Repeat for both.",
        ),
    ],
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of the label table for subgroups, beside those of the evaluations. Repeat"
            " for more columns.",
        ),
    ] = None,
    photographs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the photographs. With it the page shows pictures of the worst errors,"
            " and how well image size, shape, border and source alone predict the grade."
            " Photographs are found by their paths, else by their names in the folder or below.",
        ),
    ] = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Write one page from one or several evaluations: figures, curves, subgroups, worst errors.

    The page needs no network. It names photographs, and with --photographs it holds pictures of
    patients' eyes: keep it as you keep the photographs.
    """
    require("fundoscope evaluate", EVALUATE_GRADING)
    from fundoscope.errors import UsageError
    from fundoscope.evaluate.report import results as reports
    from fundoscope.writing import refuse_existing

    repeated.refuse(out, "file")
    for file in out:
        reports.require_name(file)
        refuse_existing(file, overwrite=overwrite)
    if photographs is not None and not photographs.is_dir():
        raise UsageError(str(photographs), "is not a folder", "name the folder of the photographs")
    made = reports.make(
        results,
        by=by or (),
        photographs=photographs,
        workers=workers or os.cpu_count() or 1,
    )
    for file in out:
        reports.write(made, file, overwrite=overwrite)
        typer.echo(f"written: {file}")
