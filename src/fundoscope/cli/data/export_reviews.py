"""``fundoscope data export-reviews``: what people reviewed on the page, for the next training."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from fundoscope.cli.extras import SERVE, require
from fundoscope.cli.options import DATA, Data, Database, Overwrite
from fundoscope.cli.store.accounts import account


class Form(StrEnum):
    """The formats of annotations that reviews are exported to."""

    VOC = "voc"
    COCO = "coco"
    LABELSTUDIO = "labelstudio"


FORMS: Final = "|".join(Form)


def export_reviews(
    out: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to write.", show_default=False)
    ],
    to: Annotated[Form, typer.Option(metavar=FORMS, help="Format of the annotations.")] = Form.VOC,
    patients: Annotated[
        bool,
        typer.Option(
            "--patients", help="Name the patients in labels.csv, so that splits can be by patient."
        ),
    ] = False,
    data: Data = DATA,
    database: Database = None,
    overwrite: Overwrite = False,
) -> None:
    """Export the reviews of the service: photographs, labels.csv, and the corrected boxes.

    Of several reviews of a photograph the latest counts. A photograph whose boxes nobody went
    through is in labels.csv only. The files are named by hashes, and work with train and calibrate.

    Exit codes: 0 if done, 2 for wrong use, 1 for any other failure.
    """
    require("fundoscope data export-reviews", SERVE)
    from fundoscope.quoting import printable
    from fundoscope.serve import export
    from fundoscope.serve.store import store

    with store.opened(data, database) as opened:
        done = export.export(
            opened, out, to.value, by=account(), patients=patients, overwrite=overwrite
        )
    counts = f"{done.photographs} photographs, {done.graded} with a grade, {done.boxed} with boxes"
    typer.echo(printable(f"{counts}: {out}"))
    for loss in done.losses:
        typer.echo(f"not kept: {loss.what} ({loss.count})")
