"""Options that the commands of ``fundoscope calibrate`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

NewBundle = Annotated[
    Path, typer.Option("--out", metavar="BUNDLE", help="Folder to write the new bundle into.")
]
Split = Annotated[str | None, typer.Option(metavar="NAME", help="Use only the rows of this split.")]
NewName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Name of the bundle. Default: the given one's name with -calibrated added.",
    ),
]


def share(help_: str) -> Any:
    """An option that takes a share, 0 to 1."""
    return typer.Option(metavar="SHARE", min=0.0, max=1.0, help=help_)
