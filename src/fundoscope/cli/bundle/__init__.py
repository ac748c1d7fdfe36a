"""``fundoscope bundle``: seal bundles, write their cards, convert them to Keras and back."""

from __future__ import annotations

import typer

from fundoscope.cli.bundle import card, features, from_keras, reference, seal, to_keras

app = typer.Typer(
    help="Seal bundles, write their cards, or convert them to Keras models and back.",
    no_args_is_help=True,
)

app.command("to-keras")(to_keras.to_keras)
app.command("from-keras")(from_keras.from_keras)
app.command("seal")(seal.seal)
app.command("features")(features.features)
app.command("card")(card.card)
app.command("reference")(reference.reference)
