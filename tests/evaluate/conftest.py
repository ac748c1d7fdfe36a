"""A reader that says what the name of a file tells it, and tables of such files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fundoscope.data import manifest
from fundoscope.errors import PhotoError
from fundoscope.reading import (
    FieldOfView,
    Grade,
    ModelUsed,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
)

THRESHOLD = 0.4


FOUND = FieldOfView(True, (5.0, 5.0), 5.0, 1.0)


def reading(name, grade, field=FOUND):
    return Reading(
        PhotoFacts(name, "0" * 64, 10, 10), field, Quality(), grade, (), (), (), "fundoscope test"
    )


def grade_of(icdr):
    """A grade of which the reader is sure to nine tenths."""
    probabilities = [0.025] * 5
    probabilities[icdr] = 0.9
    chance = sum(probabilities[2:])
    return Grade(
        icdr,
        tuple(probabilities),
        sum(i * p for i, p in enumerate(probabilities)),
        Referable(chance, chance >= THRESHOLD, THRESHOLD),
    )


class NamedReader:
    """Grades ``…says3.jpg`` as 3, finds no field on ``…dark.jpg`` and refuses all else."""

    models = (ModelUsed("grading", "by-name", "a" * 64),)
    trained_on = ("x",)
    fitted_to: str | None = None

    def __init__(self, grader=None, *, lesions=True, force=False):
        self.grader = grader

    def read(self, source):
        stem = Path(source).stem
        if not Path(source).exists():
            raise PhotoError(
                Path(source).name, "does not exist", "check the path", code="not_found"
            )
        if stem.endswith("dark"):
            return reading(stem, Grade(), FieldOfView(False, reason="too_dark"))
        if stem.endswith("memory"):
            raise MemoryError
        if "says" not in stem:
            raise PhotoError(Path(source).name, "is cut off", "copy it again", code="truncated")
        return reading(stem, grade_of(int(stem[-1])))


@pytest.fixture(scope="session")
def named_reader():
    return NamedReader


@pytest.fixture
def table_of(tmp_path):
    """Writes a label table and an (empty) file for each of its images; gives the table's path."""

    def write(rows, columns=("image", "grade"), absent=()):
        path = tmp_path / "labels.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *rows])
        for row in rows:
            if row[0] not in absent:
                (tmp_path / row[0]).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / row[0]).touch()
        return path

    return write


@pytest.fixture
def manifest_of(table_of):
    """The same, read."""
    return lambda *args, **kwargs: manifest.read(table_of(*args, **kwargs))


KINDS_SEEN = ("microaneurysm", "hard_exudate", "optic_disc")


@pytest.fixture
def eyes(tmp_path):
    """Writes annotated photographs of 120 x 80 pixels and their masks; gives their folders.

    ``lesions`` has by stem a list of kind and box; a mask has all pixels of the boxes of its kind.
    """
    import numpy as np
    from PIL import Image

    from fundoscope.data.annotations import formats
    from fundoscope.data.annotations.annotation import (
        AnnotatedPhoto,
        Annotation,
        AnnotationSet,
    )

    def write(lesions, absent=(), splits=None):
        for folder in ("JPEGImages", "masks"):
            (tmp_path / folder).mkdir(exist_ok=True)
        photos = []
        for place, (stem, there) in enumerate(sorted(lesions.items())):
            items = [Annotation(kind=kind, box=tuple(map(float, box))) for kind, box in there]
            photos.append(
                AnnotatedPhoto(image=f"{stem}.png", width=120, height=80, annotations=tuple(items))
            )
            picture = np.full((80, 120, 3), 90 + place, np.uint8)
            Image.fromarray(picture).save(tmp_path / "JPEGImages" / f"{stem}.png")
            if stem in absent:
                (tmp_path / "JPEGImages" / f"{stem}.png").unlink()
            for kind in {kind for kind, _ in there}:
                mask = np.zeros((80, 120), bool)
                for x0, y0, x1, y1 in (box for other, box in there if other == kind):
                    mask[y0:y1, x0:x1] = True
                Image.fromarray(mask).save(tmp_path / "masks" / f"{stem}_{kind}.png")
        formats.write(
            AnnotationSet(photos=tuple(photos), splits=splits or {}),
            tmp_path,
            "voc",
            overwrite=True,
        )
        return tmp_path

    return write


@pytest.fixture
def seen_as():
    """A function that sees given boxes: by stem a list of kind, box and score."""
    import numpy as np

    from fundoscope.evaluate.lesions.detections import NO_RETINA, Detections, ScoredBoxes

    def make(result, kinds=KINDS_SEEN, unassessed=None):
        def look(path):
            if not path.exists():
                return Detections(
                    "refused", code="not_found", reason="does not exist", remedy="check the path"
                )
            there = result.get(path.stem)
            if there is None:
                return Detections(
                    NO_RETINA, (120, 80), code="too_dark", reason="is too dark", remedy="more flash"
                )
            blind = (unassessed or {}).get(path.stem, ())
            boxes = {}
            for kind in kinds:
                if kind not in blind:
                    mine = sorted((each for each in there if each[0] == kind), key=lambda e: -e[2])
                    corners = np.array([box for _, box, _ in mine], np.float64).reshape(-1, 4)
                    boxes[kind] = ScoredBoxes(corners, np.array([s for *_, s in mine], np.float64))
            return Detections("read", (120, 80), boxes, tuple(blind))

        return look

    return make
