"""All formats by name: recognise, read, write, and convert one into another.

A new format is a folder beside this module and a name in :data:`FORMATS`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fundoscope.data.annotations import foreign, remarks
from fundoscope.data.annotations.annotation import AnnotationSet, Loss
from fundoscope.data.annotations.coco.format import COCO
from fundoscope.data.annotations.cvat.format import CVAT
from fundoscope.data.annotations.format import Format
from fundoscope.data.annotations.labelstudio.format import LABEL_STUDIO
from fundoscope.data.annotations.masks.format import MASKS
from fundoscope.data.annotations.voc.format import VOC
from fundoscope.data.annotations.yolo.format import YOLO
from fundoscope.errors import TableError, UsageError
from fundoscope.quoting import quoted, shown

INNER: Final = ("ann", "annotations", "labels", "export")
"""Folders in which some tools put what they export."""
SPLIT_NAME: Final = re.compile(r'[^\x00-\x1f/\\:*?"<>|]+')
LONGEST_SPLIT: Final = 100
"""Characters: it becomes part of a file's name."""
FORMATS: Final = {each.name: each for each in (VOC, COCO, YOLO, LABEL_STUDIO, CVAT, MASKS)}
"""Every format by its name."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion.

    Attributes:
        form: the name of the format that was read.
        annotations: what was read.
        losses: what the reader left out, and what the writer could not keep.
        removed: the number of files of earlier annotations that were not written again.
    """

    form: str
    annotations: AnnotationSet
    losses: tuple[Loss, ...]
    removed: int = 0


def named(name: str) -> Format:
    """The format of this name.

    Raises:
        UsageError: there is no such format.
    """
    if name not in FORMATS:
        raise UsageError(
            name, "is not a format of annotations", f"take one of {', '.join(FORMATS)}"
        )
    return FORMATS[name]


def detect(path: Path) -> str:
    """The name of the format of a file or folder.

    XML and JSON are recognised by their content. A folder is searched for a table of masks,
    ``data.yaml``, XML, JSON, YOLO's text files and masks, in this order.

    Raises:
        TableError: it does not exist, or has none of the formats.
    """
    if not path.exists():
        raise TableError(str(path), "does not exist", "check the path")
    signs = [(sign, form.name) for form in FORMATS.values() for sign in form.files]
    for sign, name in sorted(signs, key=lambda pair: pair[0].order):
        if sign.shown_by(path):
            return name
    foreign.reject_table(path)
    inside = [path / name for name in INNER if (path / name).is_dir()]
    if inside:
        return detect(inside[0])
    raise TableError(
        str(path),
        "has no annotations of a known format",
        f"export them as one of {', '.join(FORMATS)}, or name its format with --from",
    )


def read(
    path: Path,
    *,
    form: str | None = None,
    images: Path | None = None,
    origin: int | None = None,
) -> AnnotationSet:
    """Read annotations of any format.

    Args:
        path: the file or folder.
        form: the name of its format; detected when left out.
        images: the folder of photographs.
        origin: VOC only: the number of the first pixel, 0 or 1, where the file does not show it.

    Returns:
        The annotations; warnings name the unknown classes, and the known ones nearest to them.

    Raises:
        TableError: a file is not valid.
        UsageError: the format is unknown, or ``origin`` is given for a format other than VOC.
        PhotoError: a photograph whose size is needed cannot be read.
    """
    chosen = named(form or detect(path))
    if origin is not None and chosen.read_from is None:
        raise UsageError("--origin", f"has no meaning for {chosen.name}", "leave it out")
    with _explained(path):
        annotations = (
            chosen.read(path, images=images)
            if origin is None or chosen.read_from is None
            else chosen.read_from(path, images=images, origin=origin)
        )
    _require_split_names(annotations, path)
    warnings = (*annotations.warnings, *remarks.remarks(annotations))
    return replace(annotations, warnings=warnings)


def _require_split_names(annotations: AnnotationSet, path: Path) -> None:
    """Splits become names of files: reject those that would lie elsewhere or cannot exist."""
    for name in annotations.splits:
        if not SPLIT_NAME.fullmatch(name) or name.startswith(".") or len(name) > LONGEST_SPLIT:
            raise TableError(str(path), f"has a split called {quoted(name)}", "rename it: train")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """The border of the readers: what Python's own functions say of names and numbers in a file.

    Raises:
        TableError: a name cannot be that of a file, or a value cannot be converted.
    """
    try:
        yield
    except (OSError, ValueError, RecursionError) as error:
        raise TableError(
            str(path),
            f"holds a name or value that cannot be used ({shown(error)})",
            "correct it, or export the annotations again",
        ) from None


def write(
    annotations: AnnotationSet, out: Path, form: str, *, overwrite: bool = False
) -> tuple[Loss, ...]:
    """Write annotations in any format.

    Args:
        annotations: what to write.
        out: the file or folder.
        form: the name of the format.
        overwrite: replace existing files.

    Returns:
        What the format cannot hold.

    Raises:
        UsageError: the format is unknown, or the annotations lack something that it needs.
        OutputError: a file exists or cannot be written; then nothing was changed.
    """
    return named(form).write(annotations, out, overwrite=overwrite)


def convert(
    source: Path,
    out: Path,
    to: str,
    *,
    form: str | None = None,
    origin: int | None = None,
    images: Path | None = None,
    overwrite: bool = False,
) -> Conversion:
    """Read annotations of one format and write them in another.

    Args:
        source: the file or folder to read.
        out: the file or folder to write.
        to: the name of the format to write.
        form: the name of the format of ``source``; detected when left out.
        origin: see :func:`read`.
        images: the folder of photographs.
        overwrite: replace existing annotations, see
            :class:`fundoscope.data.annotations.format.Write`.

    Raises:
        TableError, UsageError, PhotoError, OutputError: as :func:`read` and :func:`write`.
    """
    target = named(to)  # Reading may take long: reject an unknown name before it.
    form = form or detect(source)
    annotations = read(source, form=form, images=images, origin=origin)
    twice = remarks.repeated(annotations)
    sizes = remarks.other_sizes(annotations, source, images)
    annotations = replace(annotations, warnings=(*annotations.warnings, *twice, *sizes))
    earlier = target.earlier(out)
    losses = target.write(annotations, out, overwrite=overwrite)
    removed = sum(not path.exists() for path in earlier)
    return Conversion(form, annotations, (*annotations.left_out, *losses), removed)
