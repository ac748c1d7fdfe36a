"""``fundoscope train average``: average the networks of several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.extras import TRAIN, require
from fundoscope.errors import UsageError
from fundoscope.quoting import printable


def average(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Run folders. Settings are taken from the last one. The others may be bundles with"
            " float weights, or a detector's of eight bits from which one of the runs started.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="RUN", help="Run folder to write the average into.")],
    share: Annotated[
        list[float] | None,
        typer.Option(
            metavar="SHARE",
            min=0,
            max=1,
            help="Share of a run, in the order of the runs; give one for each, with a sum of 1."
            " Default: equal shares.",
        ),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS",
            min=1,
            help="Input size of a grader, as the side of a square. Default: that of the last run.",
        ),
    ] = None,
) -> None:
    """Average the weights of several runs, each started from an earlier one of them.

    The average often does better on new photographs than any of the runs. Export it like any run.
    """
    require("fundoscope train", TRAIN)
    from fundoscope.train import average as averaging

    shares = share or [1 / len(runs)] * len(runs)
    if len(shares) != len(runs):
        raise UsageError(
            "--share",
            f"is given {len(shares)} times for {len(runs)} runs",
            "give it once for each run",
        )
    averaging.average(list(zip(runs, shares, strict=True)), out, size=size)
    for name in averaging.on_other_photographs(runs):
        warning = (
            f"{name} was trained on other data than {runs[-1]}: if it learnt from photographs on"
            " which that run is validated, the figures of the average are too good"
        )
        typer.echo(printable(warning), err=True)
    typer.echo(f"{out}: averaged; export it with: fundoscope train export {out} BUNDLE")
