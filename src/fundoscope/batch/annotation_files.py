"""Where the boxes of a run are written, and what is there already: somebody may have corrected it.

Pascal VOC has a file a photograph: each is written as it comes, and a photograph that has one is
left alone. The other formats are written when the run ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from fundoscope.batch.inputs import Input
from fundoscope.data.annotations import features, formats
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet, Loss
from fundoscope.data.annotations.coco import format as coco
from fundoscope.data.annotations.cvat import format as cvat
from fundoscope.data.annotations.labelstudio import format as labelstudio
from fundoscope.data.annotations.voc import format as voc
from fundoscope.data.annotations.voc.document import to_xml
from fundoscope.data.annotations.yolo import format as yolo
from fundoscope.errors import UsageError
from fundoscope.kinds import KINDS
from fundoscope.writing import write_bytes

XML: Final = ".xml"
WRITTEN: Final = {
    formats.COCO: (f"{coco.ANNOTATIONS}/{coco.INSTANCES}.json",),
    formats.YOLO: (yolo.CONFIG, yolo.LABELS),
    formats.LABEL_STUDIO: (labelstudio.TASKS, labelstudio.INTERFACE),
    formats.CVAT: (cvat.DOCUMENT,),
}
"""What each format puts into its folder."""
BY_STEM: Final = (formats.VOC, formats.YOLO)
"""Formats whose files are called as the photographs, without their suffixes."""


class AnnotationFiles(Protocol):
    """Where annotations go."""

    def keeps(self, one: Input) -> bool:
        """Whether a photograph has annotations already that are not to be replaced."""

    def add(self, one: Input, photo: AnnotatedPhoto) -> None:
        """Take the boxes of a photograph.

        Raises:
            OutputError: they could not be written.
        """

    def finish(self) -> tuple[Loss, ...]:
        """Write what is not written yet, and say what the format could not hold.

        Raises:
            OutputError: it could not be written.
        """


@dataclass(slots=True)
class VocFiles:
    """``Annotations/NAME.xml`` in a folder; or ``NAME.xml`` beside each photograph, as labelImg's.

    Attributes:
        out: the folder; ``None`` writes beside the photographs.
        names: each photograph's name by its path.
        overwrite: replace files that are there.
    """

    out: Path | None
    names: Mapping[Path, str]
    overwrite: bool = False
    _losses: Counter[str] = field(default_factory=Counter)

    def keeps(self, one: Input) -> bool:
        """Whether a photograph has its file already."""
        return not self.overwrite and self._path(one).exists()

    def add(self, one: Input, photo: AnnotatedPhoto) -> None:
        """Write the file of a photograph."""
        if self.out is None:
            photo = replace(photo, image=one.path.name)
        path = self._path(one)
        write_bytes(path, to_xml(voc.document(photo), str(path)), overwrite=self.overwrite)
        alone = AnnotationSet(photos=(photo,))
        alone = replace(alone, kinds=features.kinds_in(alone))
        self._losses.update({loss.what: loss.count for loss in features.losses(alone, voc.HOLDS)})

    def finish(self) -> tuple[Loss, ...]:
        """What VOC could not hold; everything is written."""
        return tuple(Loss(what, count) for what, count in self._losses.items())

    def _path(self, one: Input) -> Path:
        if self.out is None:
            return one.path.with_suffix(XML)
        return self.out / voc.ANNOTATIONS / f"{_stem(self.names[one.path])}{XML}"


@dataclass(slots=True)
class Document:
    """Files that hold all photographs together.

    Attributes:
        form: one of :data:`WRITTEN`.
        out: the folder.
        overwrite: replace files that are there.
    """

    form: str
    out: Path
    overwrite: bool = False
    _photos: list[AnnotatedPhoto] = field(default_factory=list)

    def keeps(self, one: Input) -> bool:  # noqa: ARG002 (both kinds are asked)
        """Nothing: :func:`files_for` refuses a folder that has such files."""
        return False

    def add(self, one: Input, photo: AnnotatedPhoto) -> None:  # noqa: ARG002
        """Keep the boxes of a photograph."""
        self._photos.append(photo)

    def finish(self) -> tuple[Loss, ...]:
        """Write all; every kind is in the list of classes, so that an annotator can choose it."""
        if not self._photos:
            return ()
        photos = tuple(sorted(self._photos, key=lambda photo: photo.image))
        found = AnnotationSet(photos=photos, kinds=tuple(KINDS))
        return formats.write(found, self.out, self.form, overwrite=self.overwrite)


def files_for(
    form: str, out: Path | None, names: Mapping[Path, str], *, overwrite: bool
) -> AnnotationFiles:
    """Where the annotations of a run go, checked before anything is computed.

    Args:
        form: one of :data:`fundoscope.data.annotations.formats.FORMATS`, masks apart.
        out: the folder; ``None`` puts VOC beside the photographs.
        names: name by path of the photographs, see :func:`names_of`.
        overwrite: replace files that are there.

    Raises:
        UsageError: two photographs would have one file, ``out`` is a file, or it holds such
            annotations already and ``overwrite`` is false.
    """
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}", "is not a folder", "name a folder")
    if form in BY_STEM:
        _refuse_twins(names.values())
    if form == formats.VOC:
        return VocFiles(out, names, overwrite)
    if out is None:
        raise UsageError(f"--format {form}", "goes into a folder", "name it with --out DIR")
    there = [name for name in WRITTEN[form] if (out / name).exists()]
    if there and not overwrite:
        raise UsageError(
            f"--out {out}",
            f"holds annotations already ({', '.join(there)}), which somebody may have corrected",
            "name another folder, or add --overwrite to lose them",
        )
    return Document(form, out, overwrite)


def names_of(photographs: Sequence[Input], folder: Path | None) -> dict[Path, str]:
    """What each photograph is called in annotations, by its path.

    Args:
        photographs: that are to be annotated.
        folder: that they were all found in; by default the lowest that holds them all.

    Returns:
        Paths relative to that folder, with "/" between the parts.
    """
    absolute = [Path(one.path).absolute() for one in photographs]
    root = _common(absolute) if folder is None else folder.absolute()
    return {
        one.path: path.relative_to(root).as_posix()
        for one, path in zip(photographs, absolute, strict=True)
    }


def _common(paths: Sequence[Path]) -> Path:
    """The lowest folder that holds all files."""
    common = paths[0].parent if paths else Path.cwd()
    while not all(path.is_relative_to(common) for path in paths):
        common = common.parent
    return common


def _refuse_twins(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(_stem(name), name)
        if other != name:
            raise UsageError(
                f"{other} and {name}",
                "would have one file of annotations",
                "rename one of them, or choose a --format with all in one file",
            )


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()
