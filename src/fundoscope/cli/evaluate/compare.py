"""``fundoscope evaluate compare``: two bundles on the same photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compare(
    old: Annotated[
        Path,
        typer.Argument(
            metavar="OLD", help="Results of evaluate grading or evaluate lesions, of one bundle."
        ),
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same of another bundle.")],
    out: Annotated[Path, typer.Option(help="Folder for compare.json and compare.md.")],
    by: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Graders: for each value of this column as well."),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a comparison in the folder.")] = False,
) -> None:
    """Compare two bundles that were evaluated on the same photographs, by a paired bootstrap.

    Nothing is read again: what each said of every photograph is in its results.
    """
    from fundoscope.evaluate import folder
    from fundoscope.evaluate.compare import results as compare_results

    comparison = compare_results.compare(old, new, by=tuple(by or ()))
    folder.check(out, compare_results.FILES, overwrite=overwrite)
    compare_results.write(comparison, out)
    for line in compare_results.lines(comparison):
        typer.echo(line)
    typer.echo(f"{out / compare_results.TABLE}: the table")
