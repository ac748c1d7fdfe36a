"""Arguments and options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

Labels = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE|FOLDER",
        help="Label table (.csv, .xlsx or .parquet) with the columns image and grade, or a folder"
        " with class folders: 0 to 4, or No_DR, Mild, Moderate, Severe, Proliferative.",
        show_default=False,
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE",
        help="Use only the rows with this value; with COLUMN!=VALUE, the others. Repeat the option"
        " to narrow further.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Number of photographs to process at the same time. Default: one per CPU.",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]
WithPaths = Annotated[
    bool,
    typer.Option(
        "--paths",
        help="Write the paths of the photographs into the results, not only their file names."
        " Folders may be named after patients.",
    ),
]
GraderBundle = Annotated[
    Path | None,
    typer.Option(
        "--grader",
        metavar="BUNDLE",
        help="Bundle of the grader to use. Default: the one that comes with fundoscope.",
    ),
]
DetectorBundle = Annotated[
    Path | None,
    typer.Option(
        "--detector",
        metavar="BUNDLE",
        help="Bundle of the lesion detector to use. Default: the one that comes with fundoscope.",
    ),
]
Results = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder to write the results into.")
]
DATA: Final = Path("fundoscope-data")
"""Where the service keeps its data unless another folder is named."""
Data = Annotated[
    Path,
    typer.Option(
        metavar="DIR", help="Folder of the service: its photographs and, with SQLite, its database."
    ),
]
Database = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="FUNDOSCOPE_DATABASE",
        help="PostgreSQL instead of SQLite: postgresql://USER@HOST/NAME. A URL with a password"
        " belongs in the environment variable.",
    ),
]
