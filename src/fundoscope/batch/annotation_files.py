"""Where the boxes of a run are written; existing files may have been corrected, so they stay.

Pascal VOC has a file a photograph: each is written at once, and a photograph that has one already
is skipped. Where existing files are replaced, and in the other formats, all are written when the
run ends, so that boxes of two runs are never mixed.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from fundoscope.batch.inputs import Input
from fundoscope.data.annotations import features, formats
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet, Loss
from fundoscope.data.annotations.format import Format
from fundoscope.data.annotations.names import without_suffix
from fundoscope.data.annotations.voc.format import VOC
from fundoscope.data.annotations.voc.layout import ANNOTATIONS, SUFFIX
from fundoscope.data.annotations.voc.write import photo_xml
from fundoscope.errors import UsageError
from fundoscope.kinds import KINDS
from fundoscope.writing import write_bytes, write_files


class AnnotationFiles(Protocol):
    """Where annotations go."""

    def keeps(self, photograph: Input) -> bool:
        """Whether a photograph has annotations that must not be replaced."""

    def add(self, photograph: Input, photo: AnnotatedPhoto) -> None:
        """Add the boxes of a photograph.

        Raises:
            OutputError: they could not be written.
        """

    def finish(self) -> tuple[Loss, ...]:
        """Write what is not written yet.

        Returns:
            What the format could not hold.

        Raises:
            OutputError: it could not be written.
        """


@dataclass(slots=True)
class VocFiles:
    """``Annotations/NAME.xml`` in a folder; or ``NAME.xml`` beside each photograph (labelImg).

    Attributes:
        out: the folder; ``None`` writes beside the photographs.
        names: the name of each photograph by its path.
        overwrite: replace existing files.
    """

    out: Path | None
    names: Mapping[Path, str]
    overwrite: bool = False
    _losses: Counter[str] = field(default_factory=Counter)
    _waiting: list[tuple[Path, bytes]] = field(default_factory=list)

    def keeps(self, photograph: Input) -> bool:
        """Whether a photograph has its file already."""
        return not self.overwrite and self._path(photograph).exists()

    def add(self, photograph: Input, photo: AnnotatedPhoto) -> None:
        """Write the file of a photograph, or keep it until the end if it may replace another."""
        if self.out is None:
            photo = replace(photo, image=photograph.path.name)
        path = self._path(photograph)
        content = photo_xml(photo, path)
        if self.overwrite:
            self._waiting.append((path, content))
        else:
            write_bytes(path, content)
        alone = AnnotationSet(photos=(photo,))
        alone = replace(alone, kinds=features.kinds_in(alone))
        losses = features.losses(alone, VOC.holds)
        self._losses.update({loss.what: loss.count for loss in losses})

    def finish(self) -> tuple[Loss, ...]:
        """Write the files that replace others; return what VOC could not hold."""
        if self._waiting:
            write_files(self._waiting, folder=self.out, overwrite=True)
        return tuple(Loss(what, count) for what, count in self._losses.items())

    def _path(self, photograph: Input) -> Path:
        if self.out is None:
            return photograph.path.with_suffix(SUFFIX)
        return self.out / ANNOTATIONS / f"{without_suffix(self.names[photograph.path])}{SUFFIX}"


@dataclass(slots=True)
class CommonFiles:
    """Files that hold all photographs together, written when the run ends.

    Attributes:
        form: their format.
        out: the folder.
        overwrite: replace existing files.
    """

    form: Format
    out: Path
    overwrite: bool = False
    _photos: list[AnnotatedPhoto] = field(default_factory=list)

    def keeps(self, photograph: Input) -> bool:  # noqa: ARG002 (of the protocol)
        """Never: :func:`files_for` rejects a folder that has such files."""
        return False

    def add(self, photograph: Input, photo: AnnotatedPhoto) -> None:  # noqa: ARG002
        """Keep the boxes of a photograph."""
        self._photos.append(photo)

    def finish(self) -> tuple[Loss, ...]:
        """Write all; the list of classes has every kind, so that an annotator can choose it."""
        if not self._photos:
            return ()
        photos = tuple(sorted(self._photos, key=lambda photo: photo.image))
        annotations = AnnotationSet(photos=photos, kinds=tuple(KINDS))
        return self.form.write(annotations, self.out, overwrite=self.overwrite)


def files_for(
    name: str, out: Path | None, names: Mapping[Path, str], *, overwrite: bool
) -> AnnotationFiles:
    """Where the annotations of a run go, checked before anything is computed.

    Args:
        name: of the format, see :data:`fundoscope.data.annotations.formats.FORMATS`.
        out: the folder; ``None`` puts VOC beside the photographs.
        names: the names of the photographs by path, see :func:`names_of`.
        overwrite: replace existing files.

    Raises:
        UsageError: two photographs would share a file, ``out`` is a file, or it holds such
            annotations already and ``overwrite`` is false.
    """
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}", "is not a folder", "name a folder")
    form = formats.named(name)
    if form.named_by_stem:
        _reject_same_stem(names.values())
    if form is VOC:
        return VocFiles(out, names, overwrite)
    if out is None:
        raise UsageError(f"--format {name}", "goes into a folder", "name it with --out DIR")
    existing = [file for file in form.written if (out / file).exists()]
    if existing and not overwrite:
        raise UsageError(
            f"--out {out}",
            f"holds annotations already ({', '.join(existing)}), which somebody may have corrected",
            "name another folder, or add --overwrite to lose them",
        )
    return CommonFiles(form, out, overwrite)


def names_of(photographs: Sequence[Input], folder: Path | None) -> dict[Path, str]:
    """The name of each photograph in annotations, by its path.

    Args:
        photographs: what is annotated.
        folder: the folder that holds them all; by default the lowest such folder.

    Returns:
        Paths relative to the folder, with "/" between the parts.
    """
    absolute = [plain(photograph.path) for photograph in photographs]
    root = _common(absolute) if folder is None else plain(folder)
    return {
        photograph.path: path.relative_to(root).as_posix()
        for photograph, path in zip(photographs, absolute, strict=True)
    }


def plain(path: Path) -> Path:
    """An absolute path without ``..``, which would lead out of the folder of annotations."""
    return Path(os.path.normpath(path.absolute()))


def _common(paths: Sequence[Path]) -> Path:
    """The lowest folder that holds all files."""
    common = paths[0].parent if paths else Path.cwd()
    while not all(path.is_relative_to(common) for path in paths):
        common = common.parent
    return common


def _reject_same_stem(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(without_suffix(name), name)
        if other != name:
            raise UsageError(
                f"{other} and {name}",
                "would share one file of annotations",
                "rename one of them, or choose a --format with a single file",
            )
