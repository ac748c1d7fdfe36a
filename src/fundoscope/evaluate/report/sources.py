"""The evaluations that a report is made from, read from their result folders."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.data.manifest import Row
from fundoscope.errors import UsageError
from fundoscope.evaluate.compare import folders, grading
from fundoscope.evaluate.compare.folders import Results
from fundoscope.evaluate.folder import GRADING, METRICS
from fundoscope.evaluate.grading.evaluation import cluster_keys
from fundoscope.evaluate.grading.figures import Scores
from fundoscope.evaluate.intervals import Figure
from fundoscope.quoting import encodable

HASH_SHOWN: Final = 12
"""Characters of a hash that a page shows."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What graders' and detectors' evaluations share.

    Attributes:
        name: short and different from the others of the report.
        results: the folder and its ``run.json``.
        metrics: the content of ``metrics.json``.
    """

    name: str
    results: Results
    metrics: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Graded(Evaluated):
    """An evaluation of a grader.

    Attributes:
        rows: the rows of ``predictions.csv``.
        scores: the same as arrays.
        keys: the cluster of each row.
    """

    rows: tuple[Row, ...]
    scores: Scores
    keys: tuple[tuple[str, ...], ...]

    @property
    def threshold(self) -> float | None:
        """Of the probability of referable."""
        return self.results.run.thresholds.get("referable")


def read(paths: Sequence[Path]) -> tuple[Evaluated, ...]:
    """Read result folders of ``fundoscope evaluate grading`` and ``evaluate lesions``.

    Raises:
        UsageError: a folder holds no results, or damaged ones, or is given twice.
    """
    real = [path.resolve() for path in paths]
    repeated = next((path for n, path in enumerate(paths) if real[n] in real[:n]), None)
    if repeated is not None:
        raise UsageError(str(repeated), "is given twice", "give each folder once")
    names = _names(paths)
    return tuple(_read(path, name) for path, name in zip(paths, names, strict=True))


def _names(paths: Sequence[Path]) -> list[str]:
    """The last part of each path, or the whole where that is not unique."""
    last = [encodable(path.resolve().name) for path in paths]
    return [
        name if last.count(name) == 1 else encodable(str(path))
        for path, name in zip(paths, last, strict=True)
    ]


def _read(path: Path, name: str) -> Evaluated:
    results = folders.read(path)
    try:
        metrics = msgspec.json.decode((path / METRICS).read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise folders.not_as_written(path, METRICS, error) from None
    if results.run.command != GRADING:
        return Evaluated(name, results, metrics)
    table = grading.read(path)
    return Graded(
        name,
        results,
        metrics,
        table.rows,
        grading.scores_of(path, table),
        cluster_keys(table.rows),
    )


def figure_of(entry: object) -> Figure | None:
    """Turn an entry of ``metrics.json`` into a figure; ``None`` if it is something else."""
    if not isinstance(entry, Mapping) or "value" not in entry:
        return None
    value, low, high = (_number(entry.get(key)) for key in ("value", "low", "high"))
    reason = entry.get("reason")
    return Figure(value, low, high, reason if isinstance(reason, str) else None)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
