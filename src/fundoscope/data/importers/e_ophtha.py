"""e-ophtha: ``e_optha_EX`` and ``e_optha_MA``, each with photographs, masks and healthy eyes.

``e_optha_EX/EX/E0019457/C0001273.jpg`` has its mask in ``e_optha_EX/Annotation_EX/E0019457/``, as
``C0001273_EX.png`` or ``C0001273.png``; ``healthy`` holds photographs without lesions. The folder
``E…`` is an examination. A photograph in both halves is imported twice, once for each kind of
lesion. The photographs are not graded.

Layout from documentation: the set's page (adcis.net/en/third-party/e-ophtha) and programs that read
the set, which spell its folders like this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope import kinds
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.mask_pictures import annotations_of
from fundoscope.data.importers.source import NO_GRADES, Imported, Part, joined, nothing_of

HALVES: Final = {"EX": kinds.HARD_EXUDATE.key, "MA": kinds.MICROANEURYSM.key}
MASKS: Final = "Annotation_"
HEALTHY: Final = "healthy"
ONE_KIND: Final = (
    "on each half only one kind was looked for: hard exudates on EX, microaneurysms on MA; to train"
    " or evaluate a detector, import each half alone (name e_optha_EX or e_optha_MA)"
)


def read(folder: Path) -> Imported:
    """The lesions of e-ophtha.

    Raises:
        TableError: it is missing, or a mask and its photograph differ in size.
        PhotoError: a mask or photograph cannot be read.
    """
    halves = {
        masks: half
        for half in HALVES
        for masks in sorted(folder.rglob(MASKS + half))
        if masks.is_dir() and masks.with_name(half).is_dir()
    }
    if not halves:
        raise nothing_of(folder, "e-ophtha", "e_optha_EX or e_optha_MA")
    parts: list[Part] = []
    notes = [NO_GRADES]
    for masks, half in halves.items():
        images, healthy = masks.with_name(half), masks.with_name(HEALTHY)
        lesions, without_mask = _lesions(images, masks, half)
        parts.append(("", images, lesions))
        if healthy.is_dir():
            parts.append(("", healthy, _healthy(healthy, HALVES[half])))
        if without_mask:
            notes.append(f"{without_mask} photographs of {half} were left out: they have no mask")
    if len({*halves.values()}) > 1:
        notes.append(ONE_KIND)
    return Imported(annotations=joined(folder, parts), notes=tuple(notes))


def _lesions(images: Path, masks: Path, half: str) -> tuple[AnnotationSet, int]:
    from fundoscope.data.annotations.masks.pixels import mask_pixels

    pictures, kind, photos = Pictures.of(images), HALVES[half], []
    for name in pictures.names:
        mask = _mask(masks / name, half)
        if mask is not None:
            size = pictures.size(name)
            objects = annotations_of(mask, mask_pixels(mask), kind, size)
            photos.append(_photo(name, size, tuple(objects)))
    annotations = AnnotationSet(photos=tuple(photos), kinds=(kind,))
    return annotations, len(pictures.names) - len(photos)


def _mask(photograph: Path, half: str) -> Path | None:
    stem = photograph.stem
    names = (f"{stem}_{half}.png", f"{stem}.png")
    return next((p for p in map(photograph.with_name, names) if p.is_file()), None)


def _healthy(folder: Path, kind: str) -> AnnotationSet:
    pictures = Pictures.of(folder)
    photos = tuple(_photo(name, pictures.size(name)) for name in pictures.names)
    return AnnotationSet(photos=photos, kinds=(kind,))


def _photo(
    name: str, size: tuple[int, int], annotations: tuple[Annotation, ...] = ()
) -> AnnotatedPhoto:
    width, height = size
    return AnnotatedPhoto(
        image=name, width=width, height=height, annotations=annotations, source="e-ophtha"
    )
