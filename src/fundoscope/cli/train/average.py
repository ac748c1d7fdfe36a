"""``fundoscope train average``: one network from several runs that began from one another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.errors import UsageError


def average(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders; the settings are those of the one named last."),
    ],
    out: Annotated[Path, typer.Option(help="Run folder of the average.")],
    share: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="Of each run, in their order; equal ones by default."),
    ] = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=1, help="Side in pixels of what a grader is shown; that of the run named last."
        ),
    ] = None,
) -> None:
    """Average the weights of runs that began from one another; export the result as any run."""
    from fundoscope.cli.train import require_extra

    require_extra()
    from fundoscope.train import average as averaging

    shares = share or [1 / len(runs)] * len(runs)
    if len(shares) != len(runs):
        raise UsageError("--share", f"is given {len(shares)} times", f"give it {len(runs)} times")
    averaging.average(list(zip(runs, shares, strict=True)), out, size=size)
    typer.echo(f"{out}: averaged; export it with: fundoscope train export {out} BUNDLE")
