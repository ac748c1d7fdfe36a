"""``fundoscope bundle reference``: keep a run as what later runs are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.options import Overwrite


def reference(
    bundle: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a grader.", show_default=False)
    ],
    run: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Folder that fundoscope read or evaluate grading wrote with this grader.",
        ),
    ],
    overwrite: Overwrite = False,
) -> None:
    """Keep a run as a bundle's reference, for fundoscope monitor --against DIR.

    Writes reference.json into the folder: grades, scores and sizes of photographs, without names.
    """
    from fundoscope.evaluate.monitor import reference as references
    from fundoscope.quoting import printable

    kept = references.write(bundle, run, overwrite=overwrite)
    typer.echo(printable(f"{bundle}: reference of {len(kept.photographs):,} photographs"))
