"""The table of a record: predictions whose photographs and patients have no names.

A photograph is known by a hash of its source and its file name, so that whoever has the photographs
can find their rows. Labels are kept only for sources whose terms allow it; for the others they come
from the label table, which who has the photographs has as well.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.data.manifest import GRADABLE, GRADABLE_VALUES, GRADE, GRADES, IMAGE, Manifest, Row
from fundoscope.data.table import Table, read_table
from fundoscope.errors import UsageError
from fundoscope.evaluate.folder import PREDICTIONS
from fundoscope.evaluate.grading.evaluation import CLUSTER_COLUMNS
from fundoscope.evaluate.grading.results import PREDICTED
from fundoscope.evaluate.intervals import numbered
from fundoscope.evaluate.photographs import file_name
from fundoscope.quoting import shown

HASH_CHARACTERS: Final = 16
"""64 bits: among a million photographs two equal ones have a chance of 3e-8."""
LABELS: Final = (GRADE, GRADABLE)
"""Columns that people filled in: only where the terms of a source allow to pass them on."""
OTHERS: Final = (*CLUSTER_COLUMNS, "split", "source", "camera")
COLUMNS: Final = (IMAGE, *LABELS, *OTHERS, *PREDICTED)
"""The columns of a record."""
COULD_BE_GRADED: Final = "could_be_graded"
SOURCE_AND_GRADABLE: Final = "source_and_gradable"
BY: Final = ("source", "camera", COULD_BE_GRADED, SOURCE_AND_GRADABLE)
"""The columns that a record's figures are broken down by. Two are made of others: ``no`` where a
person could not grade the photograph, else ``yes``; and the same behind its source."""
NOT_GRADABLE_PART: Final = ", not gradable"


def key(source: str, image: str) -> str:
    """Name a photograph without saying which it is.

    Args:
        source: of the photograph.
        image: its name in results or its path in a label table.
    """
    named = f"{source}/{file_name(image)}"
    return hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:HASH_CHARACTERS]


def keys_of(photographs: Sequence[tuple[str, str]]) -> list[str]:
    """The keys of different photographs, which differ.

    Args:
        photographs: source and image of each, as :func:`key` takes them.

    Raises:
        UsageError: photographs of one source have the same file name.
    """
    keys = [key(*photograph) for photograph in photographs]
    first: dict[str, str] = {}
    for each, (_, image) in zip(keys, photographs, strict=True):
        if each in first:
            raise UsageError(
                f"{shown(first[each])} and {shown(image)}",
                "have the same file name, and a record could not tell them apart",
                "rename one, or give them different sources",
            )
        first[each] = image
    return keys


def rows_of(rows: Sequence[Row], labelled: Collection[str]) -> Iterator[Sequence[str]]:
    """Write rows of an evaluation's predictions as those of a record, the header first.

    Args:
        rows: of ``predictions.csv``.
        labelled: the sources whose labels may be passed on.

    Raises:
        UsageError: two photographs of a source have the same file name.
    """
    yield COLUMNS
    keys = keys_of([(row.source, row.image) for row in rows])
    hidden = [
        _renumbered([(row.source, row.patient) if row.patient else () for row in rows]),
        _renumbered([(row.group,) if row.group else () for row in rows]),
    ]
    for row, hashed, *clusters in zip(rows, keys, *hidden, strict=True):
        cells = {
            IMAGE: hashed,
            **dict(zip(CLUSTER_COLUMNS, clusters, strict=True)),
        }
        for column in LABELS:
            cells[column] = row.text(column) if row.source in labelled else ""
        yield [cells[name] if name in cells else row.text(name) for name in COLUMNS]


def _renumbered(names: Sequence[tuple[str, ...]]) -> list[str]:
    """Numbers from 1 instead of names; ``""`` where there is none, as ``()`` says."""
    numbers = numbered([name for name in dict.fromkeys(names) if name])
    places = dict(zip((n for n in dict.fromkeys(names) if n), numbers.tolist(), strict=True))
    return [str(places[name] + 1) if name else "" for name in names]


def read(folder: Path, labels: Manifest | None = None) -> Manifest:
    """Read the labelled rows of a record; rows whose label is not known are left out.

    Args:
        folder: of the record.
        labels: the label table of the photographs; without it only the rows whose labels the record
            holds are read.

    Raises:
        TableError: the table of the record cannot be read.
        UsageError: no row has a label, or the label table has two photographs for one.
    """
    table = read_table(folder / PREDICTIONS, required=COLUMNS)
    known = {} if labels is None else _labelled(labels, set(table.cells[IMAGE]))
    rows = tuple(row for row in _rows(table, known) if row is not None)
    if not rows:
        raise UsageError(
            str(folder / PREDICTIONS),
            "holds no labels",
            "give the label table of its photographs",
        )
    return Manifest(table.path, (*COLUMNS, *BY[2:]), rows, table.sha256)


def _labelled(labels: Manifest, keys: Collection[str]) -> dict[str, Row]:
    """The rows of a label table whose photographs have these keys."""
    rows = [row for row in labels.rows if key(row.source, row.image) in keys]
    return dict(zip(keys_of([(row.source, row.image) for row in rows]), rows, strict=True))


def _rows(table: Table, known: Mapping[str, Row]) -> Iterator[Row | None]:
    for line, cells in table.rows:
        own = known.get(cells[IMAGE])
        grade = cells[GRADE] or ("" if own is None else own.text(GRADE))
        if grade not in GRADES:
            yield None
            continue
        gradable = cells[GRADABLE] or ("" if own is None else own.text(GRADABLE))
        row = Row(
            cells[IMAGE],
            int(grade),
            split=cells["split"],
            source=cells["source"],
            camera=cells["camera"],
            gradable=GRADABLE_VALUES.get(gradable),
            other={name: cells[name] for name in PREDICTED} | _made_of(cells, gradable),
            line=line,
        )
        yield msgspec.structs.replace(row, **{name: cells[name] for name in CLUSTER_COLUMNS})


def _made_of(cells: Mapping[str, str], gradable: str) -> dict[str, str]:
    hopeless = GRADABLE_VALUES.get(gradable) is False
    source = cells["source"]
    return {
        COULD_BE_GRADED: "no" if hopeless else "yes",
        SOURCE_AND_GRADABLE: source + NOT_GRADABLE_PART if hopeless else source,
    }
