"""``fundoscope data import``: a public set, or your folders, as label table and annotations."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

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
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"One of: {', '.join(SOURCES)}.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where it lies, unpacked.")],
    out: Annotated[
        Path, typer.Option(metavar="TABLE", help="The label table, .csv or .parquet.")
    ] = LABELS,
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Write its lesions as COCO: into one file (.json), or a folder (a file a split).",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
) -> None:
    """Make a label table, and a file of lesions, of a public set or of your own folders.

    Nothing is copied: the table names the photographs where they lie. What was left out is told.
    Lesions in another form: fundoscope data convert.
    """
    from fundoscope.data import manifest as manifests
    from fundoscope.data.importers.registry import reader
    from fundoscope.writing import refuse_existing

    read = reader(source)
    for path in filter(None, (out, annotations)):
        refuse_existing(path, overwrite=overwrite)
    found = read(folder)
    if found.table is None and annotations is None:
        raise UsageError(
            str(folder), "has lesions, but no grades", "name a file for them with --annotations"
        )
    if found.annotations is None and annotations is not None:
        raise UsageError(str(folder), "has no lesions", "leave out --annotations")
    if found.annotations is not None and annotations is not None:
        _write_annotations(found.annotations, annotations, overwrite=overwrite)
    if found.table is not None:
        manifests.write(found.table, out, overwrite=overwrite)
        _tell_table(found.table, out)
    warnings = found.annotations.warnings if found.annotations is not None else ()
    for note in (*found.notes, *warnings):
        typer.echo(note, err=True)
    if found.annotations is not None and annotations is None:
        typer.echo("it has lesions as well: name a file with --annotations", err=True)


def _write_annotations(found: AnnotationSet, out: Path, *, overwrite: bool) -> None:
    from fundoscope.data.annotations.coco.write import write_coco

    for lost in (*found.left_out, *write_coco(found, out, overwrite=overwrite)):
        typer.echo(f"COCO cannot hold: {lost.what} ({lost.count})", err=True)
    objects = sum(len(photo.annotations) for photo in found.photos)
    typer.echo(f"{out}: {objects} objects on {len(found.photos)} photographs")


def _tell_table(table: Manifest, out: Path) -> None:
    grades = Counter(row.grade for row in table.rows)
    by_grade = ", ".join(f"{grades[grade]} of grade {grade}" for grade in sorted(grades))
    typer.echo(f"{out}: {len(table.rows)} photographs ({by_grade})")
