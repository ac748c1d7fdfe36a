"""``fundoscope monitor``: are runs still like a reference?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli import repeated
from fundoscope.cli.extras import EVALUATE_GRADING, require
from fundoscope.cli.options import Overwrite


def monitor(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUNS…",
            help="Folders that fundoscope read wrote with --out, in any order.",
            show_default=False,
        ),
    ],
    against: Annotated[
        Path,
        typer.Option(
            metavar="REFERENCE",
            help="Folder of a run to compare with, or of evaluate grading: some hundred"
            " photographs of a time when all was well. Or a bundle that has a reference.",
        ),
    ],
    out: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            help="What to write: FILE.html, FILE.md or FILE.json. Repeat for more.",
        ),
    ],
    every: Annotated[
        str,
        typer.Option(
            metavar="PERIOD", help="Make a point of each run, or of each day, week or month."
        ),
    ] = "run",
    overwrite: Overwrite = False,
) -> None:
    """Compare runs with a reference over time: grades, failures, unfamiliar photographs, scores.

    Control limits show what is more than chance, and whether the camera has changed. The command
    cannot say whether grades are right, only that something has changed. The page needs no network
    and names no photograph.
    """
    require("fundoscope monitor", EVALUATE_GRADING)
    from fundoscope.errors import UsageError
    from fundoscope.evaluate.monitor import reference, results
    from fundoscope.evaluate.monitor import runs as reading
    from fundoscope.quoting import printable
    from fundoscope.writing import refuse_existing

    if every not in reading.EVERY:
        raise UsageError(f"--every {every}", "is not a period", f"give {', '.join(reading.EVERY)}")
    repeated.refuse(runs, "folder")
    repeated.refuse(out, "file")
    for file in out:
        results.require_name(file)
        refuse_existing(file, overwrite=overwrite)
    periods = reading.grouped([reading.read(run) for run in runs], every)
    watched = results.watch(reference.find(against), periods)
    for file in out:
        results.write(watched, file, overwrite=overwrite)
    for change in watched.changes:
        typer.echo(printable(change.words))
    for sentence in results.headline(watched):
        typer.echo(sentence)
    for file in out:
        typer.echo(f"written: {file}")
