"""``fundoscope bundle from-keras``: turn a Keras classifier into a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.cli.extras import KERAS, require
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.train.keras.imported import Imported

SIDES: Final = 2
"""Height and width."""


def from_keras(
    model: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Keras file, .h5 or .keras, of any Keras version.",
            show_default=False,
        ),
    ],
    bundle: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder to write the bundle into.", show_default=False),
    ],
    framing: Annotated[
        str,
        typer.Option(
            "--input",
            metavar="squash|crop",
            help="What the network was trained on: squash (the whole photograph, resized) or crop"
            " (cut to the retina).",
        ),
    ],
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="GRADES",
            help="The grade that each output stands for, in the order of the outputs, e.g."
            " 0,1,2,3,4.",
        ),
    ] = None,
    normalise: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="How training normalised the pixels: rescale, samplewise, none, lite, signed or"
            " imagenet (see the page about Keras in the documentation).",
        ),
    ] = "rescale",
    head: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="What the outputs mean: cumulative, corn or softmax. Needed only where the file"
            " does not show it.",
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="HEIGHTxWIDTH",
            help="Input size in pixels, e.g. 300x450. Needed only for a network that takes any"
            " size.",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the bundle. Default: after the file."),
    ] = None,
    licence: Annotated[
        str, typer.Option(metavar="TEXT", help="Licence of the weights.")
    ] = "not stated",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing bundle in that folder.")
    ] = False,
) -> None:
    """Turn a Keras classifier, Sequential or functional, into a bundle."""
    grades = None if classes is None else _numbers(classes, ",", "classes", "0,1,2,3,4")
    height_and_width = None if size is None else _height_and_width(size)
    require("fundoscope bundle", KERAS)
    from fundoscope.train.keras import importing

    options = importing.ImportOptions(
        input=framing,
        classes=grades,
        normalise=normalise,
        head=head,
        size=height_and_width,
        name=name,
        licence=licence,
    )
    for line in _lines(importing.from_keras(model, bundle, options, overwrite=overwrite)):
        typer.echo(line)


def _numbers(text: str, separator: str, option: str, example: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(separator)]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"--{option} {text}", "is invalid", f"write it like {example}")
    return tuple(int(part) for part in parts)


def _height_and_width(text: str) -> tuple[int, int]:
    sides = _numbers(text.lower(), "x", "size", "300x450")
    if len(sides) != SIDES or min(sides) < 1:
        raise UsageError(f"--size {text}", "is invalid", "write it like 300x450, height first")
    return sides[0], sides[1]


def _lines(made: Imported) -> Iterator[str]:
    grades = f", classes {','.join(map(str, made.grades))}" if made.grades else ""
    yield (
        f"ONNX Runtime against Keras on {made.compared} pictures: largest difference of a"
        f" probability {made.difference:.1e}"
    )
    yield (
        f"{made.folder}: {made.name}, {made.height}x{made.width}, head {made.head}{grades},"
        f" {made.parameters:,} weights, {made.megabytes:.1f} MB"
    )
    if made.unused:
        yield (
            "five outputs are read as `grade 0 or more` to `4 or more`; the first is always true"
            " and not used. If yours are five separate classes, do not use this bundle"
        )
    yield "it is unknown what the network was trained on; evaluate it before you rely on it"
    if made.rescales:
        yield "the network rescales its input itself; check whether --normalise none is right"
