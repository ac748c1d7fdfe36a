"""``fundoscope bundle``: exchange bundles with Keras."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.keras.export import Exported
    from fundoscope.train.keras.imported import Imported

app = typer.Typer(help="Exchange bundles with Keras (needs the extra keras).", no_args_is_help=True)

NEEDED: Final = ("keras", "h5py", "torch", "onnx", "onnxscript")
INPUTS: Final = {
    "imagenet": "(pixels - 127) / 128",
    "rescale": "pixels / 255, e.g. ImageDataGenerator(rescale=1/255)",
    "samplewise": "pixels / 255 less the photograph's own mean, e.g. ImageDataGenerator("
    "rescale=1/255, samplewise_center=True)",
}
"""By normalisation: what the Keras network's inputs need."""


Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]


@app.command("to-keras")
def to_keras(
    bundle: Annotated[
        Path, typer.Argument(help="Bundle of a network sequential or sequential-spp.")
    ],
    out: Annotated[Path, typer.Argument(help="Keras file, .h5 or .keras.")],
    overwrite: Overwrite = False,
) -> None:
    """Write a bundle's network as a Keras file, for keras.models.load_model."""
    _require_extra()
    from fundoscope.train.keras import export as keras_export

    for line in _told_of_file(keras_export.to_keras(bundle, out, overwrite=overwrite)):
        typer.echo(line)


@app.command("from-keras")
def from_keras(
    model: Annotated[Path, typer.Argument(help="Keras file, .h5 or .keras, of any age.")],
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    taken: Annotated[
        str,
        typer.Option(
            "--input", help="What goes in: squash (the whole photograph) or crop (the field)."
        ),
    ],
    classes: Annotated[
        str | None,
        typer.Option(help="Grade that each output stands for, in their order, e.g. 0,1,2,3,4."),
    ] = None,
    normalise: Annotated[
        str,
        typer.Option(
            help="What training did with pixels: rescale, samplewise, none, lite, signed or "
            "imagenet (see docs/how-to/keras.md)."
        ),
    ] = "rescale",
    head: Annotated[
        str | None, typer.Option(help="cumulative, corn or softmax, where the file leaves it open.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="HEIGHTxWIDTH, where the network takes any.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the grader.")] = None,
    licence: Annotated[str, typer.Option(help="Of the weights.")] = "not stated",
    overwrite: Overwrite = False,
) -> None:
    """Turn a Keras classifier, Sequential or functional, into a bundle."""
    grades = None if classes is None else _numbers(classes, ",", "classes", "0,1,2,3,4")
    sides = None if size is None else _sides(size)
    _require_extra()
    from fundoscope.train.keras import importing as keras_import

    options = keras_import.ImportOptions(
        input=taken,
        classes=grades,
        normalise=normalise,
        head=head,
        size=sides,
        name=name,
        licence=licence,
    )
    made = keras_import.from_keras(model, bundle, options, overwrite=overwrite)
    for line in _told_of_bundle(made):
        typer.echo(line)


def _require_extra() -> None:
    from importlib.util import find_spec

    from fundoscope.errors import MissingExtraError

    if any(find_spec(package) is None for package in NEEDED):
        raise MissingExtraError("fundoscope bundle", "keras")


def _numbers(text: str, separator: str, option: str, example: str) -> tuple[int, ...]:
    from fundoscope.errors import UsageError

    parts = [part.strip() for part in text.split(separator)]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"--{option} {text}", "is wrong", f"write it as {example}")
    return tuple(int(part) for part in parts)


def _sides(text: str) -> tuple[int, int]:
    from fundoscope.errors import UsageError

    sides = _numbers(text.lower(), "x", "size", "300x450")
    if len(sides) != 2 or min(sides) < 1:
        raise UsageError(f"--size {text}", "is wrong", "write it as 300x450, height first")
    return sides[0], sides[1]


def _told_of_file(written: Exported) -> list[str]:
    size = "any height and width" if written.shape is None else "x".join(map(str, written.shape))
    return [
        f"Keras against ONNX Runtime: largest difference of a probability {written.difference:.1e}",
        f"layers: {', '.join(written.layers)}",
        f"{written.path}: {written.network}, {written.parameters:,} weights, head {written.head}",
        f"it takes float32 RGB of {size}, normalised: {INPUTS[written.normalise]}",
    ]


def _told_of_bundle(made: Imported) -> list[str]:
    grades = f", classes {','.join(map(str, made.grades))}" if made.grades else ""
    lines = [
        f"ONNX Runtime against Keras on {made.compared} pictures: largest difference of a"
        f" probability {made.difference:.1e}",
        f"{made.folder}: {made.name}, {made.height}x{made.width}, head {made.head}{grades},"
        f" {made.parameters:,} weights, {made.megabytes:.1f} MB",
        "what it was trained on is not known here; evaluate it before you believe it",
    ]
    if made.rescales:
        lines.append("it rescales its input itself: is --normalise none what was meant?")
    return lines
