"""``fundoscope bundle``: convert bundles to Keras models and back."""

from __future__ import annotations

import typer

from fundoscope.cli.bundle import from_keras, to_keras

app = typer.Typer(
    help="Convert bundles to Keras models and back (needs the optional part keras).",
    no_args_is_help=True,
)

app.command("to-keras")(to_keras.to_keras)
app.command("from-keras")(from_keras.from_keras)
