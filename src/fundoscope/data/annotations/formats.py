"""Every format by its name: told from its files, read, written, and converted into another."""

from __future__ import annotations

import importlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol, cast

from fundoscope import kinds
from fundoscope.data.annotations.annotation import AnnotationSet, Loss
from fundoscope.data.annotations.documents import read_bytes
from fundoscope.data.annotations.masks.layout import MASK_SUFFIXES
from fundoscope.errors import TableError, UsageError

FORMATS: Final = ("voc", "coco", "yolo", "labelstudio", "cvat", "masks")
"""Each is a module of this package with ``HOLDS``, ``read`` and ``write``."""
VOC, COCO, YOLO, LABEL_STUDIO, CVAT, MASKS = FORMATS

ROOT: Final = re.compile(rb"<([A-Za-z][\w.-]*)[\s>/]")
ROOTS: Final = {b"annotation": VOC, b"annotations": CVAT}
"""The first element of a document."""
MASK_TABLE: Final = "masks.csv"
YOLO_CLASSES: Final = "classes.txt"
SNIFFED_BYTES: Final = 65_536
"""Of an XML file, enough to pass declarations and comments."""


class Format(Protocol):
    """What the module of a format offers."""

    HOLDS: frozenset[str]

    def read(self, path: Path, *, images: Path | None = None, **options: Any) -> AnnotationSet:
        """Read a file or folder."""

    def write(
        self,
        found: AnnotationSet,
        out: Path,
        *,
        images: Path | None = None,
        overwrite: bool = False,
    ) -> tuple[Loss, ...]:
        """Write a file or folder, and say what is lost."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a conversion did.

    Attributes:
        form: the format that was read.
        found: what was read.
        losses: what the reader passed over and the writer could not keep.
    """

    form: str
    found: AnnotationSet
    losses: tuple[Loss, ...]


def module(form: str) -> Format:
    """The module of a format.

    Raises:
        UsageError: there is no such format.
    """
    if form not in FORMATS:
        raise UsageError(form, "is no format of annotations", f"take one of {', '.join(FORMATS)}")
    return cast(Format, importlib.import_module(f"{__package__}.{form}"))


def detect(path: Path) -> str:
    """The format of a file or folder.

    By content for XML and JSON. A folder is looked through for a table of masks, ``data.yaml``,
    XML, JSON, YOLO's text files and masks, in this order.

    Raises:
        TableError: it does not exist, or is of none of the formats.
    """
    if not path.exists():
        raise TableError(str(path), "does not exist", "check the path")
    form = next(_forms(path), None)
    if form is None:
        raise TableError(
            str(path), "has no annotations of a format that is known", "name its format with --from"
        )
    return form


def _forms(path: Path) -> Iterator[str]:
    """The formats that a path may be of, the likeliest first."""
    if path.is_file():
        yield from _forms_of_file(path)
        return
    if (path / MASK_TABLE).is_file():
        yield MASKS
    if any(path.glob("*.yaml")) or any(path.glob("*.yml")):
        yield YOLO
    for pattern in ("Annotations/**/*.xml", "*.xml", "annotations/*.json", "*.json", "*/*.json"):
        for file in sorted(path.glob(pattern))[:1]:
            yield from _forms_of_file(file)
    if any(path.glob("**/labels/**/*.txt")) or _has_labels_and_classes(path):
        yield YOLO
    if any(file.suffix.lower() in MASK_SUFFIXES for file in path.rglob("*")):
        yield MASKS
    if any(path.rglob("*.xml")):
        yield VOC


def _has_labels_and_classes(folder: Path) -> bool:
    # Indexed masks may have a table of classes of this name as well, but nothing beside it.
    texts = {file.name for file in folder.glob("*.txt")}
    return YOLO_CLASSES in texts and len(texts) > 1


def _forms_of_file(path: Path) -> Iterator[str]:
    suffix = path.suffix.lower()
    if suffix == ".xml":
        with path.open("rb") as stream:
            start = stream.read(SNIFFED_BYTES).replace(b"\x00", b"")
        root = ROOT.search(re.sub(rb"<!--.*?-->", b"", start, flags=re.DOTALL))
        if root is not None and root[1] in ROOTS:
            yield ROOTS[root[1]]
    elif suffix == ".json":
        yield from _forms_of_json(path)
    elif suffix in (".yaml", ".yml"):
        yield YOLO


def _forms_of_json(path: Path) -> Iterator[str]:
    import msgspec

    try:
        document = msgspec.json.decode(
            read_bytes(path).removeprefix(b"\xef\xbb\xbf"),
            type=dict[str, msgspec.Raw] | list[msgspec.Raw],
        )
    except msgspec.DecodeError as error:
        raise TableError(str(path), f"is not JSON ({error})", "export it again") from None
    if isinstance(document, list):
        if document and b'"image_id"' in bytes(document[0]):
            raise TableError(
                str(path),
                "holds COCO results, which do not say their photographs",
                "put them under annotations, beside images and categories",
            )
        yield LABEL_STUDIO
    elif "images" in document:
        yield COCO


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
        form: one of :data:`FORMATS`; told from the files when left out.
        images: folder of photographs.
        origin: what VOC calls the first pixel, 0 or 1, where it does not follow from the file.

    Returns:
        The set; its warnings name the classes that are unknown, and the nearest known ones.

    Raises:
        TableError: a file is wrong.
        UsageError: the format is unknown, or ``origin`` is given for another than VOC.
        PhotoError: a photograph whose size is needed cannot be read.
    """
    form = form or detect(path)
    if origin is not None and form != VOC:
        raise UsageError("--origin", f"has no meaning for {form}", "leave it out")
    options = {"origin": origin} if form == VOC else {}
    found = module(form).read(path, images=images, **options)
    return replace(found, warnings=(*found.warnings, *_unknown(found)))


def _unknown(found: AnnotationSet) -> Iterator[str]:
    """A sentence for each class that is in no table of ours."""
    counts = Counter(item.kind for photo in found.photos for item in photo.annotations)
    for name, count in sorted(counts.items()):
        if kinds.find(name) is None:
            near = kinds.nearest(name)
            hint = "no known one is near" if near is None else f"the nearest known one is {near}"
            yield f"{name} is an unknown class, kept as it is ({count} objects; {hint})"


def write(
    found: AnnotationSet,
    out: Path,
    form: str,
    *,
    images: Path | None = None,
    overwrite: bool = False,
) -> tuple[Loss, ...]:
    """Write annotations in any format.

    Args:
        found: what to write.
        out: the file or folder.
        form: one of :data:`FORMATS`.
        images: folder of photographs.
        overwrite: replace files that are there.

    Returns:
        What the format cannot hold.

    Raises:
        UsageError: the format is unknown.
        OutputError: a file is there already or cannot be written; nothing was changed then.
    """
    return module(form).write(found, out, images=images, overwrite=overwrite)


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
        to: one of :data:`FORMATS`.
        form: of ``source``, ``origin``, ``images``: see :func:`read`.
        origin: see there.
        images: see there.
        overwrite: replace files that are there.

    Raises:
        TableError, UsageError, PhotoError, OutputError: as :func:`read` and :func:`write`.
    """
    module(to)  # before a long time of reading
    form = form or detect(source)
    found = read(source, form=form, images=images, origin=origin)
    losses = write(found, out, to, images=images, overwrite=overwrite)
    return Conversion(form, found, (*found.left_out, *losses))
