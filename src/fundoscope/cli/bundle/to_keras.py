"""``fundoscope bundle to-keras``: write a bundle's network as a Keras file."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.cli.extras import KERAS, require
from fundoscope.cli.options import Overwrite

if TYPE_CHECKING:
    from fundoscope.train.keras.export import Exported

INPUTS: Final = {
    "imagenet": "(pixels - 127) / 128",
    "rescale": "pixels / 255, e.g. ImageDataGenerator(rescale=1/255)",
    "samplewise": "pixels / 255 less the photograph's own mean, e.g. ImageDataGenerator("
    "rescale=1/255, samplewise_center=True)",
}
"""What the Keras network expects as its input, for each normalisation."""


LOADING: Final = "import keras; keras.models.load_model({!r}).summary()"
"""Python that opens a Keras file. Without KERAS_BACKEND=torch Keras looks for TensorFlow."""


def to_keras(
    bundle: Annotated[
        Path,
        typer.Argument(
            metavar="BUNDLE",
            help="Bundle of a grader whose network is sequential or sequential-spp.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Keras file to write, .h5 or .keras.", show_default=False
        ),
    ],
    overwrite: Overwrite = False,
) -> None:
    """Write the network of a bundle as a Keras file, for keras.models.load_model."""
    require("fundoscope bundle", KERAS)
    from fundoscope.train.keras import export as keras_export

    for line in _lines(keras_export.to_keras(bundle, out, overwrite=overwrite)):
        typer.echo(line)


def _lines(written: Exported) -> Iterator[str]:
    size = "any height and width" if written.shape is None else "x".join(map(str, written.shape))
    yield (
        f"Keras against ONNX Runtime: largest difference of a probability {written.difference:.1e}"
    )
    yield f"layers: {', '.join(written.layers)}"
    yield f"{written.path}: {written.network}, {written.parameters:,} weights, head {written.head}"
    yield f"input: float32 RGB of {size}, normalised: {INPUTS[written.normalise]}"
    loading = shlex.quote(LOADING.format(str(written.path)))
    yield f"load it with: KERAS_BACKEND=torch python -c {loading}"
