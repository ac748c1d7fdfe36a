"""What a person should know of annotations before using them, whatever their format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope import kinds
from fundoscope.data.annotations.annotation import AnnotationSet
from fundoscope.data.annotations.machine import is_machine_made
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.annotations.voc.layout import PHOTOS
from fundoscope.errors import FundoscopeError, PhotoError
from fundoscope.quoting import shown

BESIDE: Final = (PHOTOS, "images")
"""Folders of photographs beside annotations."""


def remarks(annotations: AnnotationSet) -> Iterator[str]:
    """Sentences about unknown classes and several authors."""
    yield from _unknown_classes(annotations)
    yield from _several_authors(annotations)


def _unknown_classes(annotations: AnnotationSet) -> Iterator[str]:
    counts = Counter(item.kind for photo in annotations.photos for item in photo.annotations)
    for name, count in sorted(counts.items()):
        if kinds.find(name) is None:
            near = kinds.nearest(name)
            hint = "no known one is near" if near is None else f"the nearest known one is {near}"
            yield (f"{shown(name)} is an unknown class, kept as it is ({count} objects; {hint})")


def repeated(annotations: AnnotationSet) -> Iterator[str]:
    """A sentence about objects that occur twice, which data check lists one by one."""
    count = 0
    for photo in annotations.photos:
        objects = Counter(
            (item.kind, item.box, item.author, item.outlines, item.score is None)
            for item in photo.annotations
        )
        count += sum(number - 1 for number in objects.values())
    if count:
        yield (
            f"{count} objects occur twice: the same class, place and author (all are kept;"
            " data check names them)"
        )


def _several_authors(annotations: AnnotationSet) -> Iterator[str]:
    crowded: list[int] = []
    for photo in annotations.photos:
        people = {item.author for item in photo.annotations if not is_machine_made(item)} - {""}
        if len(people) > 1:
            crowded.append(len(people))
    if crowded:
        has = "photograph has" if len(crowded) == 1 else "photographs have"
        yield (
            f"{len(crowded)} {has} annotations of {max(crowded)} people; all are kept (each lesion"
            " may occur twice)"
        )


def other_sizes(
    annotations: AnnotationSet, source: Path, images: Path | None = None
) -> Iterator[str]:
    """A sentence if annotations contradict the sizes of their photographs.

    Args:
        annotations: what was read.
        source: the file or folder that they were read from, beside which photographs may lie.
        images: the folder of photographs, if it was named.
    """
    pictures = Pictures.of(images) if images is not None else _beside(source)
    wrong: list[str] = []
    turned = 0
    for photo in () if pictures is None else annotations.photos:
        known = None if pictures is None else pictures.find(photo.image)
        if pictures is None or known is None:
            continue
        try:
            width, height = pictures.size(known)
        except PhotoError:
            continue
        if (width, height) != (photo.width, photo.height):
            turned += (height, width) == (photo.width, photo.height)
            wrong.append(
                f"{shown(photo.image)}: annotations say {photo.width} x {photo.height}, the"
                f" photograph has {width} x {height}"
            )
    if wrong:
        which = f"; {turned} are turned by 90 degrees" if turned else ""
        yield (
            f"{len(wrong)} photographs have another size than their annotations say{which}, so that"
            f" boxes may lie in the wrong place ({wrong[0]}"
            f"{': one of them is turned' if turned else ''})"
        )


def _beside(source: Path) -> Pictures | None:
    """The photographs in the usual places beside annotations."""
    folder = source if source.is_dir() else source.parent
    place = next((folder / name for name in BESIDE if (folder / name).is_dir()), None)
    if place is None and source.is_dir():
        place = folder
    try:
        return None if place is None else Pictures.of(place)
    except FundoscopeError:
        return None
