"""Layouts of other tools: recognised, and refused with the export that can be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.errors import TableError

if TYPE_CHECKING:
    from msgspec import Raw

OF_DICT: Final = (
    (
        {"shapes", "imagePath"},
        "a file of LabelMe",
        "convert it with labelme's labelme2coco.py or labelme2voc.py",
    ),
    (
        {"_via_img_metadata"},
        "a project of the VGG Image Annotator",
        "export it there: Annotation, Export Annotations (COCO format)",
    ),
    ({"assets", "tags", "version"}, "a project of VoTT", "export it there as Pascal VOC"),
    (
        {"objects", "size"},
        "a file of Supervisely",
        "export the project there with the app Export to COCO or Export to Pascal VOC",
    ),
    (
        {"classes", "tags", "projectType"},
        "a project of Supervisely",
        "export the project there with the app Export to COCO or Export to Pascal VOC",
    ),
)
"""Keys of a document, whose it is, and what to do."""
VIA_REGIONS: Final = (b'"regions"', b'"filename"')
CREATE_ML: Final = (b'"coordinates"', b'"label"')
CSV_COLUMNS: Final = (b"xmin", b"ymin", b"xmax", b"ymax")
VIA_COLUMNS: Final = (b"region_shape_attributes", b"region_attributes")
SNIFFED_BYTES: Final = 4_096


def reject(document: dict[str, Raw] | list[Raw], path: Path) -> None:
    """Reject a JSON document of a tool whose files are not read.

    Raises:
        TableError: it is one; the message says which export to make.
    """
    if isinstance(document, list):
        first = bytes(document[0]) if document else b""
        if all(key in first for key in CREATE_ML):
            raise _error(path, "a file of CreateML", "export it as COCO JSON or Pascal VOC")
        return
    for keys, tool, remedy in OF_DICT:
        if keys <= document.keys():
            raise _error(path, tool, remedy)
    first = bytes(next(iter(document.values()), b""))
    if all(key in first for key in VIA_REGIONS):
        raise _error(
            path,
            "an export of the VGG Image Annotator",
            "export it there: Annotation, Export Annotations (COCO format)",
        )


def reject_table(path: Path) -> None:
    """Reject a table of boxes.

    Args:
        path: a CSV file, or a folder that may hold some.

    Raises:
        TableError: it is one; the message says which export to make.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    for file in files:
        if file.suffix.lower() != ".csv" or not file.is_file():
            continue
        with file.open("rb") as stream:
            header = stream.read(SNIFFED_BYTES).partition(b"\n")[0]
        if all(column in header for column in VIA_COLUMNS):
            raise _error(
                file,
                "an export of the VGG Image Annotator",
                "export it there: Annotation, Export Annotations (COCO format)",
            )
        if all(column in header.lower() for column in CSV_COLUMNS):
            raise _error(
                file, "a table of boxes", "export the annotations as Pascal VOC or COCO JSON"
            )


def _error(path: Path, tool: str, remedy: str) -> TableError:
    return TableError(str(path), f"is {tool}, which cannot be read", remedy)
