"""Choosing photographs of eyes without lesions from label tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from fundoscope.data import manifest as manifests
from fundoscope.data.annotations.flags import flag
from fundoscope.data.leaks import require_apart
from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.reserved import with_reserved
from fundoscope.errors import UsageError
from fundoscope.kinds import ANATOMY
from fundoscope.train.detection.config import Healthy
from fundoscope.train.detection.views.view import HealthyPhotograph

TRAIN, VAL = "train", "val"
OTHER_DISEASE: Final = "other_disease"
MICROANEURYSM: Final = "microaneurysm"


def choose(
    settings: Healthy, kinds: Sequence[str], seed: int
) -> tuple[list[HealthyPhotograph], list[HealthyPhotograph]]:
    """The photographs to learn from, and those to validate with.

    Args:
        settings: names the label tables.
        kinds: the class list.
        seed: of the choice of validation photographs.

    Raises:
        TableError: a table cannot be read, a photograph that would be used is missing, or some of
            one patient or group are used in both splits.
        UsageError: there is no photograph to validate with.
    """
    train: list[HealthyPhotograph] = []
    val: list[HealthyPhotograph] = []
    for table in settings.tables:
        manifest = manifests.read(Path(table))
        rows = tuple(
            row
            for row, reserved in zip(manifest.rows, with_reserved(manifest.rows), strict=True)
            if _usable(row, settings.grades) and not reserved
        )
        replace(manifest, rows=rows).require_files()
        require_apart(rows, manifest.path.name)
        for row in rows:
            side = train if row.split == TRAIN else val
            side.append(_photograph(manifest, row, kinds))
    if settings.tables and not val:
        raise UsageError(
            ", ".join(Path(table).name for table in settings.tables),
            "name no gradable photograph of grade 0 in the split val",
            "name a table that does, or leave healthy.tables out",
        )
    return train, even(val, settings.validation, seed)


def _usable(row: Row, grades: Sequence[int]) -> bool:
    wanted = row.grade in grades if row.split == TRAIN else row.split == VAL and row.grade == 0
    healthy = row.gradable is not False and flag(row.text(OTHER_DISEASE)) is False
    return wanted and healthy


def _photograph(manifest: Manifest, row: Row, kinds: Sequence[str]) -> HealthyPhotograph:
    """Landmarks are on every eye, and microaneurysms on one of grade 1; nobody has marked them."""
    unassessed = tuple(
        label
        for label, kind in enumerate(kinds, start=1)
        if kind in ANATOMY or (kind == MICROANEURYSM and row.grade > 0)
    )
    return HealthyPhotograph(manifest.photograph(row), row.source, unassessed)


def even(
    photographs: Iterable[HealthyPhotograph], count: int, seed: int
) -> list[HealthyPhotograph]:
    """Some photographs, of each source as many as there are of the others.

    Args:
        photographs: to choose from.
        count: of photographs; fewer are returned where there are no more.
        seed: of the choice.
    """
    by_source: dict[str, list[HealthyPhotograph]] = defaultdict(list)
    for photograph in photographs:
        by_source[photograph.source].append(photograph)
    random = np.random.default_rng(seed)
    shuffled = [[rows[i] for i in random.permutation(len(rows))] for rows in by_source.values()]
    chosen: list[HealthyPhotograph] = []
    while len(chosen) < count and any(shuffled):
        for rows in shuffled:
            if rows and len(chosen) < count:
                chosen.append(rows.pop())
    return chosen
