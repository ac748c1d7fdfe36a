"""``fundoscope train pack``: put everything that a training needs into one file."""

from __future__ import annotations

import typer

from fundoscope.cli.train.pack import detector, grader

app = typer.Typer(
    help="Pack all that a training needs into one file, to train on another machine.",
    no_args_is_help=True,
)

app.command()(grader.grader)
app.command()(detector.detector)
