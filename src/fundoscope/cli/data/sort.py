"""``fundoscope data sort``: sort photographs into class folders."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.options import Labels, Overwrite


class Link(StrEnum):
    """Kinds of links, which take no space on the disk."""

    HARD = "hard"
    SYMBOLIC = "symbolic"


def sort(
    labels: Labels,
    out: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder to write the class folders into.", show_default=False
        ),
    ],
    link: Annotated[
        Link | None,
        typer.Option(metavar="|".join(Link), help="Make links of this kind instead of copies."),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Sort photographs into folders by split and grade: train/0 to test/4, or 0 to 4.

    The originals stay where they are. Rows of the split excluded are left out. The table is copied
    as labels.csv. To make a table from such folders: fundoscope data import class-folders DIR.
    """
    from fundoscope.cli.labels import read
    from fundoscope.data.sort import COPY
    from fundoscope.data.sort import sort as sort_table

    table = read(labels)
    written = sort_table(table, out, way=link or COPY, overwrite=overwrite)
    counts = Counter(Path(row.image).parent for row in written.rows)
    for folder, count in sorted(counts.items()):
        typer.echo(f"{out / folder}: {count}")
    if excluded := len(table.rows) - len(written.rows):
        typer.echo(f"{excluded} excluded rows were left out", err=True)
