"""e-ophtha: ``e_optha_EX`` and ``e_optha_MA``, each with photographs, masks and healthy eyes.

``e_optha_EX/EX/E0019457/C0001273.jpg`` has its mask in ``e_optha_EX/Annotation_EX/E0019457/
C0001273_EX.png``; ``healthy`` holds photographs without lesions. The folder ``E…`` is an
examination. A photograph of both halves is there twice, once for each kind of lesion. The
photographs are not graded.

Layout from documentation: the set's page (adcis.net/en/third-party/e-ophtha) and programs that read
the set, which spell its folders like this.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fundoscope import kinds
from fundoscope.data.annotations.annotation import AnnotatedPhoto, AnnotationSet
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.importers.source import Imported, Part, joined, nothing_of

HALVES: Final = {"EX": kinds.HARD_EXUDATE.key, "MA": kinds.MICROANEURYSM.key}
MASKS: Final = "Annotation_"
HEALTHY: Final = "healthy"


def read(folder: Path) -> Imported:
    """The lesions of e-ophtha.

    Raises:
        TableError: nothing of it is there, or a mask is wrong.
        PhotoError: a mask or photograph cannot be read.
    """
    parts = [part for half in HALVES for part in _half(folder, half)]
    if not parts:
        raise nothing_of(folder, "e-ophtha", "e_optha_EX or e_optha_MA")
    return Imported(annotations=joined(folder, parts), notes=("the photographs have no grades",))


def _half(folder: Path, half: str) -> Iterator[Part]:
    from fundoscope.data.annotations import masks

    for drawn in sorted(folder.rglob(MASKS + half)):
        images = drawn.with_name(half)
        if drawn.is_dir() and images.is_dir():
            yield "", images, masks.read(drawn, images=images)
            healthy = drawn.with_name(HEALTHY)
            if healthy.is_dir():
                yield "", healthy, _without_lesions(healthy, HALVES[half])


def _without_lesions(folder: Path, kind: str) -> AnnotationSet:
    pictures = Pictures.of(folder)
    photos = tuple(
        AnnotatedPhoto(image=name, width=width, height=height)
        for name in pictures.names
        for width, height in [pictures.size(name)]
    )
    return AnnotationSet(photos=photos, kinds=(kind,))
