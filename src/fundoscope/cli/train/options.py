"""Arguments and options that several commands of ``fundoscope train`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunFolder = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="RUN", help="Run folder. Default: runs/NAME, after the configuration."
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        help="Continue an interrupted run in the run folder. With --no-resume, start again."
    ),
]
Threads = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Number of CPU threads; 0 uses all. Default: as configured.",
    ),
]
Devices = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Number of GPUs, or of processes where there is no GPU. Default: as configured.",
    ),
]
Cache = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="Folder that keeps prepared photographs. Default: as configured."
    ),
]
Preview = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png",
        help="Draw a sheet of training examples into this file, and do not train.",
    ),
]
Epochs = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Number of epochs; several stages share them. Default: as configured.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what would be trained on what, and train nothing."),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Choose the number of epochs so that training and export take at most N minutes.",
    ),
]
BundleAtTheEnd = Annotated[
    Path | None,
    typer.Option(
        "--bundle",
        metavar="DIR",
        help="After training, export the best network as a bundle into this folder.",
    ),
]
OverwriteBundle = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing bundle in that folder.")
]
