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

    def __init__(self, grader=None):
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


@pytest.fixture
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
