"""``fundoscope data import``: make a label table and annotations from a data set."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.cli.options import Overwrite
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.data.annotations.annotation import AnnotationSet
    from fundoscope.data.manifest import Manifest

SOURCES: Final = (
    "class-folders",
    "table",
    "aptos",
    "eyepacs",
    "idrid",
    "messidor2",
    "ddr",
    "deepdrid",
    "diaretdb1",
    "e-ophtha",
)
"""The keys of :data:`fundoscope.data.importers.registry.MODULES`, for the help."""
LABELS: Final = Path("labels.csv")


def import_source(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help=f"Kind of data set. One of: {', '.join(SOURCES)}.",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder of the unpacked data set.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option(metavar="TABLE", help="Label table to write, .csv or .parquet.")
    ] = LABELS,
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write the lesions in COCO format: into one file (name.json), or into a folder"
            " with one file for each split.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Make a label table, and a file of lesions, from a public data set or your own folders.

    Photographs are not copied: the table refers to them. Whatever is left out is reported. For
    other annotation formats, use fundoscope data convert.
    """
    from fundoscope.data import manifest
    from fundoscope.data.importers.registry import reader
    from fundoscope.quoting import printable
    from fundoscope.writing import refuse_existing

    read = reader(source)
    for path in filter(None, (out, annotations)):
        refuse_existing(path, overwrite=overwrite)
    manifest.require_table_name(out)
    imported = read(folder)
    if imported.table is None and annotations is None:
        raise UsageError(
            str(folder), "has lesions, but no grades", "name a file for them with --annotations"
        )
    if imported.annotations is None and annotations is not None:
        raise UsageError(str(folder), "has no lesions", "leave out --annotations")
    if imported.annotations is not None and annotations is not None:
        _write_annotations(imported.annotations, annotations, overwrite=overwrite)
    if imported.table is not None:
        manifest.write(imported.table, out, overwrite=overwrite)
        _print_counts(imported.table, out)
    warnings = imported.annotations.warnings if imported.annotations is not None else ()
    for note in (*imported.notes, *warnings):
        typer.echo(printable(note), err=True)
    if imported.annotations is not None and annotations is None:
        typer.echo(
            "there are lesions as well: to write them, name a file with --annotations", err=True
        )


def _write_annotations(lesions: AnnotationSet, out: Path, *, overwrite: bool) -> None:
    from fundoscope.data.annotations.coco.write import write_coco

    for lost in (*lesions.left_out, *write_coco(lesions, out, overwrite=overwrite)):
        typer.echo(f"COCO cannot hold: {lost.what} ({lost.count})", err=True)
    objects = sum(len(photo.annotations) for photo in lesions.photos)
    typer.echo(f"{out}: {objects} objects on {len(lesions.photos)} photographs")


def _print_counts(table: Manifest, out: Path) -> None:
    grades = Counter(row.grade for row in table.rows)
    by_grade = ", ".join(f"{grades[grade]} of grade {grade}" for grade in sorted(grades))
    typer.echo(f"{out}: {len(table.rows)} photographs ({by_grade})")
