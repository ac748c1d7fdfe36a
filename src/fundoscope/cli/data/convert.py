"""``fundoscope data convert``: convert boxes, outlines and masks between formats."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from fundoscope.data.annotations.formats import Conversion


class Format(StrEnum):
    """The formats, see :data:`fundoscope.data.annotations.formats.FORMATS`."""

    VOC = "voc"
    COCO = "coco"
    YOLO = "yolo"
    LABELSTUDIO = "labelstudio"
    CVAT = "cvat"
    MASKS = "masks"


FORMATS: Final = "|".join(Format)


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="File or folder of annotations to read.", show_default=False
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="File or folder to write.", show_default=False)
    ],
    to: Annotated[Format, typer.Option(metavar=FORMATS, help="Format to write.")],
    form: Annotated[
        Format | None,
        typer.Option(
            "--from", metavar=FORMATS, help="Format of IN. Default: recognised from its files."
        ),
    ] = None,
    origin: Annotated[
        int | None,
        typer.Option(
            metavar="0|1",
            min=0,
            max=1,
            help="Coordinate of the first pixel in VOC files. Default: 1, or 0 if a file has a 0.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the photographs; needed where IN does not hold their sizes.",
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace the annotations in OUT, also those of photographs that IN does not have.",
        ),
    ] = False,
) -> None:
    """Convert annotations to another format. Photographs stay where they are.

    Whatever the new format cannot hold is listed.

    Exit codes: 0 if done, 3 if a photograph could not be opened, 2 for wrong use or a faulty file,
    1 for any other failure.
    """
    from fundoscope.data.annotations import formats
    from fundoscope.quoting import printable

    conversion = formats.convert(
        source,
        out,
        to.value,
        form=None if form is None else form.value,
        origin=origin,
        images=images,
        overwrite=overwrite,
    )
    for warning in conversion.annotations.warnings:
        typer.echo(printable(warning), err=True)
    typer.echo(printable(_in_words(conversion, out, to)))
    if conversion.removed:
        files = "file" if conversion.removed == 1 else "files"
        typer.echo(f"removed: {conversion.removed} {files} of earlier annotations")
    for loss in conversion.losses:
        typer.echo(f"not kept: {loss.what} ({loss.count})")


def _in_words(conversion: Conversion, out: Path, to: Format) -> str:
    photos = conversion.annotations.photos
    objects = sum(len(photo.annotations) for photo in photos)
    counts = f"{len(photos)} photographs, {objects} objects"
    return f"{conversion.form} -> {to.value}: {counts}, in {out}"
