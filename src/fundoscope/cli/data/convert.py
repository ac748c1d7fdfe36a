"""``fundoscope data convert``: boxes, outlines and masks from any format to any other."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fundoscope.data.annotations.formats import Conversion


class Form(StrEnum):
    """The formats, see :data:`fundoscope.data.annotations.formats.FORMATS`."""

    VOC = "voc"
    COCO = "coco"
    YOLO = "yolo"
    LABELSTUDIO = "labelstudio"
    CVAT = "cvat"
    MASKS = "masks"


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="File or folder of annotations.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File or folder to write.")],
    to: Annotated[Form, typer.Option(help="Format to write.")],
    form: Annotated[
        Form | None, typer.Option("--from", help="Format of IN; told from its files by default.")
    ] = None,
    origin: Annotated[
        int | None,
        typer.Option(
            min=0, max=1, help="What VOC files call the first pixel; 1 unless they show a 0."
        ),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the photographs, for their sizes.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
) -> None:
    """Convert annotations; what the other format cannot hold is told, not dropped in silence.

    Photographs stay where they are.

    Exit code 0: done. 3: a picture cannot be opened. 2: misuse, or a faulty file. 1: failure.
    """
    from fundoscope.data.annotations import formats

    done = formats.convert(
        source,
        out,
        to.value,
        form=None if form is None else form.value,
        origin=origin,
        images=images,
        overwrite=overwrite,
    )
    for warning in done.annotations.warnings:
        typer.echo(warning, err=True)
    typer.echo(_told(done, out, to))
    for loss in done.losses:
        typer.echo(f"not kept: {loss.what} ({loss.count})")


def _told(done: Conversion, out: Path, to: Form) -> str:
    photos = done.annotations.photos
    objects = sum(len(photo.annotations) for photo in photos)
    return f"{done.form} -> {to.value}: {len(photos)} photographs, {objects} objects, in {out}"
