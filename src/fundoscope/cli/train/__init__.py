"""``fundoscope train``: train a network, and export it as a bundle."""

from __future__ import annotations

import typer

from fundoscope.cli.train import average, config, detector, export, grader, landmarks, pack

app = typer.Typer(
    help="Train a grader, a lesion detector or a landmark network (needs the optional part train).",
    no_args_is_help=True,
)

app.command()(grader.grader)
app.command()(detector.detector)
app.command()(landmarks.landmarks)
app.command()(config.config)
app.command()(export.export)
app.command()(average.average)
app.add_typer(pack.app, name="pack")
