"""``fundoscope data split``: split a label table into train, validation and test, or into folds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.cli import labels as label_tables
from fundoscope.cli.extras import DATA_SPLIT, require
from fundoscope.cli.options import Labels, Overwrite
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.data.manifest import Manifest

TEST_SHARE: Final = 0.2
VAL_SHARE: Final = 0.1
LARGEST_SEED: Final = 2**32 - 1
"""Of numpy's generators, which scikit-learn uses."""
ALL: Final = "all"
NAME_WIDTH, NUMBER_WIDTH = 10, 8
"""Columns of the printed table, in characters."""


def split(
    labels: Labels,
    out: Annotated[
        Path, typer.Option(metavar="TABLE", help="Label table to write, .csv or .parquet.")
    ],
    test: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Share of the rows for test.", show_default=str(TEST_SHARE)
        ),
    ] = None,
    val: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Share of the rows for validation.", show_default=str(VAL_SHARE)
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K", help="Make K folds instead, for cross-validation: fold1 to foldK."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=LARGEST_SEED, help="Seed of the random choice."),
    ] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Split a label table into train, validation and test, or into folds.

    Photographs of one patient or one group stay together, and grades and sources are spread evenly.
    The same table, options and seed give the same split. Rows of the split excluded stay excluded;
    any other split in the table is replaced. Needs the optional part evaluate.
    """
    require("fundoscope data split", DATA_SPLIT)
    if folds is not None and (test is not None or val is not None):
        raise UsageError("--folds", "cannot be combined with --test or --val", "leave one out")
    from fundoscope.data import manifest
    from fundoscope.data.split import into_folds, into_shares
    from fundoscope.writing import refuse_existing

    refuse_existing(out, overwrite=overwrite)
    manifest.require_table_name(out)
    table = label_tables.read(labels)
    if folds is None:
        new = into_shares(
            table,
            test=TEST_SHARE if test is None else test,
            val=VAL_SHARE if val is None else val,
            seed=seed,
        )
    else:
        new = into_folds(table, folds=folds, seed=seed)
    manifest.write(new, out, overwrite=overwrite)
    _print_counts(new)
    unnamed = sum(not (row.patient or row.group) for row in new.rows)
    if unnamed:
        typer.echo(
            f"{unnamed:,} of {len(new.rows):,} photographs name neither patient nor group: two eyes"
            " of such a patient may stand in different splits",
            err=True,
        )


def _print_counts(table: Manifest) -> None:
    """Print the number of photographs of each grade in each split."""
    from fundoscope.data.manifest import GRADES
    from fundoscope.data.split import counts

    typer.echo(_line("grade", [*GRADES, ALL]))
    for name, grades in counts(table.rows).items():
        numbers = [grades[int(grade)] for grade in GRADES]
        typer.echo(_line(name, [*numbers, sum(numbers)]))


def _line(name: str, cells: list[str] | list[int]) -> str:
    return f"{name:{NAME_WIDTH}}" + "".join(f"{cell:>{NUMBER_WIDTH}}" for cell in cells)
