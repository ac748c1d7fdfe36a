"""``fundoscope verify``: check that results are as they were written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.exit_codes import INCOMPLETE


def verify(
    folders: Annotated[
        list[Path],
        typer.Argument(
            metavar="DIR", help="Folders that read or evaluate wrote.", show_default=False
        ),
    ],
) -> None:
    """Check results against the checksums in their run.json.

    Files that do not belong to the run are ignored.

    Exit codes: 0 if all files are as they were written, 3 if one was changed or is missing,
    2 for wrong use, 1 for any other failure.
    """
    from fundoscope import checksums
    from fundoscope.quoting import printable

    faulty = False
    for folder in folders:
        result = checksums.verify(folder)
        faulty = faulty or bool(result.faults)
        for name, why in result.faults:
            typer.echo(printable(f"{folder / name}: {why}"), err=True)
        noun = "file is" if result.intact == 1 else "files are"
        if not result.faults:
            stopped = "; the run was stopped before its end" if result.interrupted else ""
            said = f"{folder}: all {result.intact} {noun} as they were written{stopped}"
            typer.echo(printable(said))
        elif result.intact:
            typer.echo(printable(f"{folder}: {result.intact} {noun} as they were written"))
    if faulty:
        raise typer.Exit(INCOMPLETE)
