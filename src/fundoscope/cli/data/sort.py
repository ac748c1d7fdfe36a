"""``fundoscope data sort``: a label table as class folders."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Link(StrEnum):
    """Links instead of copies."""

    hard = "hard"
    symbolic = "symbolic"


def sort(
    labels: Annotated[Path, typer.Argument(metavar="TABLE", help="Label table.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the class folders.")],
    link: Annotated[Link | None, typer.Option(help="Link instead of copying.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
) -> None:
    """Sort photographs into folders by split and grade: train/0 … test/4, or 0 … 4.

    Nothing is deleted or moved; excluded rows are left out, and the table goes along as labels.csv.
    The way back: fundoscope data import class-folders OUT.
    """
    from fundoscope.data import manifest as manifests
    from fundoscope.data.sort import COPY
    from fundoscope.data.sort import sort as sort_table

    table = manifests.read(labels)
    done = sort_table(table, out, way=link or COPY, overwrite=overwrite)
    for folder, count in sorted(Counter(Path(row.image).parent for row in done.rows).items()):
        typer.echo(f"{out / folder}: {count}")
    if left := len(table.rows) - len(done.rows):
        typer.echo(f"{left} excluded rows were left out", err=True)
