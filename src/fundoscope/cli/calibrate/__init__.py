"""``fundoscope calibrate``: fit a bundle to photographs of your own."""

from __future__ import annotations

import typer

from fundoscope.cli.calibrate import grading, judge, lesion_grade, lesions, quality

app = typer.Typer(
    help="Fit a bundle to labelled photographs of your own, without training.",
    no_args_is_help=True,
)


@app.callback()
def root() -> None:
    """Fit a bundle to labelled photographs of your own, without training."""


app.command()(grading.grading)
app.command()(judge.judge)
app.command()(quality.quality)
app.command()(lesions.lesions)
app.command("lesion-grade")(lesion_grade.lesion_grade)
