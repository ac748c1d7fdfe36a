"""``fundoscope data check``: find problems in labelled photographs and their annotations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli.data.options import Cache
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.extras import DATA_CHECK, require
from fundoscope.cli.options import Overwrite, Where, Workers
from fundoscope.errors import PhotoError, TableError, UsageError

if TYPE_CHECKING:
    from fundoscope.data.annotations.faults import Fault
    from fundoscope.data.checked_photographs import CheckedPhotograph
    from fundoscope.data.manifest import Manifest


def check(
    labels: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE|FOLDER",
            help="Label table (.csv, .xlsx or .parquet), a folder with class folders (0 to 4, or"
            " No_DR, Mild, Moderate, Severe, Proliferative), or any folder of photographs without"
            " labels.",
            show_default=False,
        ),
    ],
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="ANNOTATIONS",
            help="Check these annotations too; file or folder in any format that data convert"
            " reads.",
        ),
    ] = None,
    where: Where = None,
    json: Annotated[
        Path | None,
        typer.Option(metavar="FILE.json", help="Write all findings into this file."),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="Write the label table again, with duplicates marked in its column group, so that"
            " data split keeps them together.",
        ),
    ] = None,
    cache: Cache = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Find missing, damaged and duplicate photographs, leaks, and shortcuts to the grade.

    A leak is a patient or a duplicate in two parts of a split. A shortcut is a grade that image
    size, shape, border or source alone predict. Needs the optional part evaluate.

    Exit codes: 0 if nothing was found, 3 if something was, 2 for wrong use, 1 for any other
    failure.
    """
    require("fundoscope data check", DATA_CHECK)
    from fundoscope.cli.data import findings
    from fundoscope.cli.terminal import quiet_libraries, terminal
    from fundoscope.data import check as checking
    from fundoscope.data import manifest
    from fundoscope.data.fingerprint_cache import user_cache
    from fundoscope.data.grouping import with_groups
    from fundoscope.writing import refuse_existing, write_bytes

    for file in filter(None, (json, groups)):
        refuse_existing(file, overwrite=overwrite)
    if groups is not None:
        manifest.require_table_name(groups)
    table, photographs = _photographs(labels, where or ())
    if groups is not None and table is None:
        raise UsageError("--groups", "needs labels", "name a label table")
    folder = labels if table is None else table.photograph_folder()
    faults = () if annotations is None else _faults(annotations, folder)
    with quiet_libraries(), terminal(len(photographs)) as screen:
        report = checking.check(
            photographs,
            faults=faults,
            cache=cache or user_cache(),
            workers=workers or os.cpu_count() or 1,
            on_done=screen.advance,
        )
    if json is not None:
        write_bytes(json, checking.to_json(report), overwrite=overwrite)
    if groups is not None and table is not None:
        manifest.write(with_groups(table, report.duplicates), groups, overwrite=overwrite)
    with terminal(0) as screen:
        for line in findings.lines(report):
            screen.out(line)
        for file in filter(None, (json, groups)):
            screen.out(f"written: {file}")
    if any(report.findings.values()):
        raise typer.Exit(INCOMPLETE)


def _photographs(
    labels: Path, where: Sequence[str]
) -> tuple[Manifest | None, tuple[CheckedPhotograph, ...]]:
    """The label table, if there is one, and the photographs to check."""
    from fundoscope.cli import labels as label_tables
    from fundoscope.data import checked_photographs
    from fundoscope.data.selection import select

    table = checked_photographs.labelled(labels) if labels.is_dir() else label_tables.read(labels)
    if table is None:
        if where:
            raise UsageError("--where", "needs labels", "name a label table")
        return None, checked_photographs.of_folder(labels)
    # Excluded rows are checked as well: often they were excluded because they are duplicates.
    rows = select(table, where=where) if where else table.rows
    return table, checked_photographs.of_rows(table, rows)


def _faults(annotations: Path, images: Path) -> tuple[Fault, ...]:
    """What is wrong with annotations. If a file cannot be read, this is the only fault."""
    from fundoscope.data.annotations import formats
    from fundoscope.data.annotations.faults import MALFORMED, Fault, faults
    from fundoscope.quoting import printable

    try:
        annotated = formats.read(annotations, images=images)
    except (TableError, PhotoError) as error:
        sentence = f"{error.why}; the other annotations were not checked"
        return (Fault(error.what, 0, MALFORMED, sentence),)
    for warning in annotated.warnings:
        typer.echo(printable(warning), err=True)
    return faults(annotated, images)
