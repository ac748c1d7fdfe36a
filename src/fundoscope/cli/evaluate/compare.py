"""``fundoscope evaluate compare``: compare two bundles on the same photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.options import Overwrite, Results


def compare(
    old: Annotated[
        Path,
        typer.Argument(
            metavar="OLD",
            help="Results folder of evaluate grading or evaluate lesions for one bundle.",
            show_default=False,
        ),
    ],
    new: Annotated[
        Path,
        typer.Argument(
            metavar="NEW", help="Results folder for the other bundle.", show_default=False
        ),
    ],
    out: Results,
    by: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN",
            help="For graders: compare for each value of this column, too. Repeat for more"
            " columns.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare two bundles that were evaluated on the same photographs, by a paired bootstrap.

    Writes compare.json and compare.md. No photograph is read again: the results hold all that is
    needed.
    """
    from fundoscope.evaluate import folder
    from fundoscope.evaluate.compare import results

    comparison = results.compare(old, new, by=tuple(by or ()))
    folder.check(out, results.FILES, overwrite=overwrite)
    results.write(comparison, out)
    for line in results.lines(comparison):
        typer.echo(line)
    typer.echo(f"written: {out / results.TABLE}")
