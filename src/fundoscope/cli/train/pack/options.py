"""What the commands of ``fundoscope train pack`` share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.pack.pack import Packed

LIMIT: Final = math.inf
QUALITY: Final = 95
"""The defaults of :mod:`fundoscope.train.pack.pack`, which a help text must not import."""
BEST_QUALITY: Final = 100

Config = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="Configuration file of the training.", show_default=False
    ),
]
Pack = Annotated[
    Path, typer.Option("--out", metavar="FILE.zip", help="The pack to write, a zip file.")
]
Limit = Annotated[
    float,
    typer.Option(
        metavar="MIB",
        min=0,
        show_default=False,
        help="Largest size that a file may have, in mebibytes. Default: no limit.",
    ),
]


def print_packed(packed: Packed) -> None:
    """Print the number of photographs in a pack, and its size."""
    sizes = " + ".join(f"{size:.1f}" for size in packed.mebibytes)
    files = "" if len(packed.mebibytes) == 1 else f" in {len(packed.mebibytes)} files"
    typer.echo(
        f"{packed.path}: {packed.train} photographs to train on, {packed.val} to validate on,"
        f" {sizes} MiB{files}"
    )
