"""DIARETDB1: ``ddb1_fundusimages/image001.png`` and grey pictures of the agreement of four experts.

``ddb1_groundtruth/{hardexudates,softexudates,hemorrhages,redsmalldots}/image001.png``: the
brighter, the more experts marked the place. What three of four marked (0.75, as in the set's own
evaluation) counts as a lesion; regions were drawn coarsely, around lesions and groups of lesions.
The lists ``trainset.txt`` and ``testset.txt`` give the split. The photographs are not graded.

Layout from documentation: the set's page (it.lut.fi/project/imageret/diaretdb1), its kit's
configuration, and programs that read the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope import kinds
from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation, AnnotationSet
from fundoscope.data.annotations.pictures import Pictures, opened
from fundoscope.data.importers.mask_pictures import annotations_of
from fundoscope.data.importers.source import (
    NO_GRADES,
    TEST,
    TRAIN,
    Imported,
    files_named,
    nothing_of,
    photograph,
)
from fundoscope.data.table import decoded, read_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PHOTOGRAPHS: Final = "ddb1_fundusimages"
TRUTH: Final = "ddb1_groundtruth"
FOLDERS: Final = {
    "redsmalldots": kinds.MICROANEURYSM.key,
    "hemorrhages": kinds.HAEMORRHAGE.key,
    "hardexudates": kinds.HARD_EXUDATE.key,
    "softexudates": kinds.SOFT_EXUDATE.key,
}
AGREED: Final = 0.75
"""Share of the experts; ``evalconfidence`` in the kit of the set."""
ALL: Final = 252
"""Grey value of a region that all four experts marked; each of them adds 63."""
LISTS: Final = {"trainset.txt": TRAIN, "testset.txt": TEST}


def read(folder: Path) -> Imported:
    """The lesions of DIARETDB1.

    Raises:
        TableError: it is missing, or a picture of agreement differs in size.
        PhotoError: a picture cannot be read.
    """
    photographs, truth = _folder(folder, PHOTOGRAPHS), _folder(folder, TRUTH)
    if photographs is None or truth is None:
        raise nothing_of(folder, "DIARETDB1", f"{PHOTOGRAPHS} and {TRUTH}")
    pictures = Pictures.of(photographs)
    inner = photographs.relative_to(folder)
    photos = tuple(
        AnnotatedPhoto(
            image=(inner / name).as_posix(),
            width=size[0],
            height=size[1],
            annotations=tuple(_annotations(truth, name, size)),
            source="diaretdb1",
        )
        for name in pictures.names
        for size in [pictures.size(name)]
    )
    splits = {
        split: tuple(
            (inner / name).as_posix()
            for path in files_named(folder, file)[:1]
            for line in decoded(path.name, read_bytes(path)).split()
            if (name := photograph(pictures, line)) is not None
        )
        for file, split in LISTS.items()
    }
    filled = {split: images for split, images in splits.items() if images}
    annotations = AnnotationSet(photos=photos, kinds=tuple(FOLDERS.values()), splits=filled)
    return Imported(annotations=annotations, notes=(NO_GRADES,))


def _annotations(truth: Path, name: str, size: tuple[int, int]) -> Iterator[Annotation]:
    for folder, kind in FOLDERS.items():
        path = (truth / folder / name).with_suffix(".png")
        if path.is_file():
            yield from annotations_of(path, _agreed(path), kind, size)


def _agreed(path: Path) -> NDArray[np.bool_]:
    import numpy as np

    with opened(path) as image:
        share: NDArray[np.bool_] = np.asarray(image.convert("L")) >= AGREED * ALL
    return share


def _folder(folder: Path, name: str) -> Path | None:
    if folder.name == name:
        return folder
    return next((path for path in sorted(folder.rglob(name)) if path.is_dir()), None)
