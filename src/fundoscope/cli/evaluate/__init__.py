"""``fundoscope evaluate``: measure a grader or a detector on labelled photographs."""

from __future__ import annotations

import typer

from fundoscope.cli.evaluate import compare, grading, lesions, report

app = typer.Typer(
    help="Measure a grader or a detector on labelled photographs (needs the optional part"
    " evaluate).",
    no_args_is_help=True,
)

app.command()(grading.grading)
app.command()(lesions.lesions)
app.command()(compare.compare)
app.command()(report.report)
