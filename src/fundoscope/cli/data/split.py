"""``fundoscope data split``: draw train, validation and test, or folds."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from fundoscope.data.manifest import Manifest

TEST_SHARE: Final = 0.2
VAL_SHARE: Final = 0.1
ALL: Final = "all"
NAME_WIDTH, NUMBER_WIDTH = 10, 8


def split(
    labels: Annotated[
        Path, typer.Argument(metavar="TABLE|FOLDER", help="Label table, or class folders 0 … 4.")
    ],
    out: Annotated[Path, typer.Option(metavar="TABLE", help="The new table, .csv or .parquet.")],
    test: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Share of the rows for test.", show_default=str(TEST_SHARE)
        ),
    ] = None,
    val: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Share for validation.", show_default=str(VAL_SHARE)),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(metavar="K", help="Draw folds instead: fold1 to foldK.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Of the draw.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the new table.")] = False,
) -> None:
    """Draw splits by patient and group, stratified by grade and source; the same each time.

    Rows that share a patient or a group stay together, rows of the split excluded stay excluded,
    and other splits that the table has are drawn anew. Needs the extra evaluate.
    """
    if importlib.util.find_spec("sklearn") is None:
        raise MissingExtraError("fundoscope data split", "evaluate")
    if folds is not None and (test is not None or val is not None):
        raise UsageError("--folds", "goes with neither --test nor --val", "give one of them")
    from fundoscope.data import manifest as manifests
    from fundoscope.data.class_folders import from_class_folders
    from fundoscope.data.split import into_folds, into_shares
    from fundoscope.writing import refuse_existing

    refuse_existing(out, overwrite=overwrite)
    table = from_class_folders(labels) if labels.is_dir() else manifests.read(labels)
    if folds is None:
        drawn = into_shares(
            table,
            test=TEST_SHARE if test is None else test,
            val=VAL_SHARE if val is None else val,
            seed=seed,
        )
    else:
        drawn = into_folds(table, folds=folds, seed=seed)
    manifests.write(drawn, out, overwrite=overwrite)
    _tell(drawn)


def _tell(table: Manifest) -> None:
    from fundoscope.data.manifest import GRADES
    from fundoscope.data.split import counts

    typer.echo(_line("grade", [*GRADES, ALL]))
    for name, grades in counts(table.rows).items():
        numbers = [grades[int(grade)] for grade in GRADES]
        typer.echo(_line(name, [*numbers, sum(numbers)]))


def _line(name: str, cells: list[str] | list[int]) -> str:
    return f"{name:{NAME_WIDTH}}" + "".join(f"{cell:>{NUMBER_WIDTH}}" for cell in cells)
