"""``fundoscope train``: train a grader or a detector, and export it as a bundle."""

from __future__ import annotations

import typer

from fundoscope.cli.train import average, config, detector, export, grader, pack

app = typer.Typer(
    help="Train a grader or a lesion detector (needs the optional part train).",
    no_args_is_help=True,
)

app.command()(grader.grader)
app.command()(detector.detector)
app.command()(config.config)
app.command()(export.export)
app.command()(average.average)
app.add_typer(pack.app, name="pack")
