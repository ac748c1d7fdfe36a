"""The record of a detector: the score of each box, whether it hit, and counts by photograph."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.evaluate import folder as folders
from fundoscope.evaluate.compare import lesions
from fundoscope.evaluate.compare.folders import read as read_results
from fundoscope.evaluate.compare.folders import read_csv
from fundoscope.evaluate.folder import LESIONS, METRICS, PREDICTIONS, RUN, figure_document
from fundoscope.evaluate.intervals import RESAMPLES, SEED
from fundoscope.evaluate.lesions.results import PHOTOGRAPHS, PREDICTED
from fundoscope.evaluate.record.anonymous import keys_of
from fundoscope.evaluate.record.figures import nameless, stored

PACKED: Final = f"{PREDICTIONS}.gz"
"""The boxes, compressed: they are tens of thousands."""
FILES: Final = (METRICS, PACKED, PHOTOGRAPHS, RUN)
"""The files of a record."""
CORNERS: Final = ("x0", "y0", "x1", "y1")
"""Left out: the place of a lesion would identify the eye, and no figure of a record needs it."""
NAMING: Final = ("not_read", "too_small")
"""Entries of ``run.json`` that name photographs."""


def write(results: Path, out: Path) -> None:
    """Make a record of an evaluation of a detector; an earlier record is replaced.

    Args:
        results: the folder that ``fundoscope evaluate lesions`` wrote.
        out: the folder of the record.

    Raises:
        UsageError: the folder does not hold such results, or two photographs have the same file
            name.
        OutputError: the record cannot be written.
    """
    run = read_results(results).run
    if run.command != LESIONS:
        raise UsageError(str(results), f"has results of {run.command}", f"give those of {LESIONS}")
    tables = {
        PHOTOGRAPHS: read_csv(results, PHOTOGRAPHS, ("image",)),
        PREDICTIONS: read_csv(results, PREDICTIONS, PREDICTED),
    }
    written = (*FILES, PREDICTIONS)  # Records of an earlier version have these uncompressed.
    folders.check(out, written, overwrite=True)
    with folders.staged(out, written) as stage:
        for name, rows in tables.items():
            folders.write_csv(stage / name, _hashed(rows))
        # Without the time, so that equal records are equal files.
        packed = gzip.compress((stage / PREDICTIONS).read_bytes(), mtime=0)
        (stage / PACKED).write_bytes(packed)
        (stage / PREDICTIONS).unlink()
        folders.write_json(stage / METRICS, stored(results))
        folders.write_json(stage / RUN, nameless(results, NAMING))


def _hashed(rows: Sequence[Mapping[str, str]]) -> Iterator[Sequence[str]]:
    columns = tuple(rows[0]) if rows else PREDICTED
    yield columns
    images = list(dict.fromkeys(row["image"] for row in rows))
    keys = dict(zip(images, keys_of([("", image) for image in images]), strict=True))
    for row in rows:
        hidden = {"image": keys[row["image"]], **dict.fromkeys(CORNERS, "")}
        yield [hidden[name] if name in hidden else row[name] for name in columns]


def computed(record: Path) -> dict[str, Any]:
    """Compute what a record's tables give: figures at the thresholds and average precision.

    What needs outlines or the places of boxes (IoU of 0.5, pixels, the optic disc's centre) is only
    in its ``metrics.json``.

    Returns:
        ``classes`` and ``overall`` as in ``metrics.json``, with fewer figures.

    Raises:
        UsageError: it is not a record, or a table is damaged.
    """
    intervals = stored(record).get("intervals") or {}
    found = lesions.measured(
        read_results(record),
        resamples=int(intervals.get("resamples", RESAMPLES)),
        seed=int(intervals.get("seed", SEED)),
    )
    documents = {
        kind: {name: figure_document(figure) for name, figure in figures.items()}
        for kind, figures in found.items()
    }
    overall = documents.pop(lesions.ALL_LESIONS)
    whole: dict[str, Any] = msgspec.to_builtins({"classes": documents, "overall": overall})
    return whole


def narrowed(document: Mapping[str, Any], to: Mapping[str, Any]) -> dict[str, Any]:
    """Those figures of a ``metrics.json`` that :func:`computed` gives as well.

    Args:
        document: the content of ``metrics.json``.
        to: what was computed.
    """
    return {
        name: narrowed(document[name], inner) if isinstance(inner, Mapping) else document[name]
        for name, inner in to.items()
        if name in document
    }
