"""Options that several commands of ``fundoscope data`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Folder that keeps what was measured of each photograph, so that the next call opens"
        " only changed files. Default: your cache folder, e.g. ~/.cache/fundoscope.",
    ),
]
