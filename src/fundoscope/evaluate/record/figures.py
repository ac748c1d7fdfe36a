"""Make a record from an evaluation, and compute the figures of a record anew."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope import checksums
from fundoscope.data.manifest import Manifest, Row
from fundoscope.errors import UsageError
from fundoscope.evaluate import folder as folders
from fundoscope.evaluate.compare import grading
from fundoscope.evaluate.compare.folders import Run, not_as_written
from fundoscope.evaluate.compare.folders import read as read_results
from fundoscope.evaluate.folder import GRADING, METRICS, PREDICTIONS, RUN
from fundoscope.evaluate.grading.evaluation import Outcome, measure
from fundoscope.evaluate.grading.results import metrics
from fundoscope.evaluate.intervals import RESAMPLES, SEED
from fundoscope.evaluate.photographs import READ
from fundoscope.evaluate.record import anonymous
from fundoscope.reading import Grade

FILES: Final = (METRICS, PREDICTIONS, RUN)
"""The files of a record: an evaluation's, without pictures and names."""
NAMING: Final = ("refused", "not_graded")
"""Entries of ``run.json`` that name photographs."""
TOLERANCE: Final = 1e-9
"""Between two versions of numpy, sums differ by no more."""


def write(
    results: Path,
    out: Path,
    labels: Manifest,
    labelled: Collection[str],
    trained_on: Sequence[str],
) -> dict[str, Any]:
    """Make a record of an evaluation of a grader; an earlier record is replaced.

    Args:
        results: the folder that ``fundoscope evaluate grading`` wrote.
        out: the folder of the record.
        labels: the label table that was evaluated.
        labelled: the sources whose labels may be passed on.
        trained_on: the sources that the grader was trained on.

    Returns:
        The figures of the record, its ``metrics.json``.

    Raises:
        UsageError: the folder does not hold such results, or they are of another label table.
        OutputError: the record cannot be written.
    """
    run = read_results(results).run
    if run.command != GRADING:
        raise UsageError(str(results), f"has results of {run.command}", f"give those of {GRADING}")
    if run.table_sha256 != labels.sha256:
        raise UsageError(str(results), "has another label table", f"give that of its {RUN}")
    run = msgspec.structs.replace(run, trained_on=tuple(trained_on))
    kept = _kept(stored(results))
    table = grading.read(results)
    folders.check(out, FILES, overwrite=True)
    with folders.staged(out, FILES) as stage:
        folders.write_csv(stage / PREDICTIONS, anonymous.rows_of(table.rows, labelled))
        document = _figures(stage, run, labels, kept)
        folders.write_json(stage / METRICS, document)
        folders.write_json(stage / RUN, nameless(results) | {"trained_on": trained_on})
    return document


def nameless(results: Path, naming: Sequence[str] = NAMING) -> dict[str, Any]:
    """The content of ``run.json`` without names of photographs and checksums of its files.

    Args:
        results: the folder of an evaluation.
        naming: entries that list photographs.
    """
    document: dict[str, Any] = msgspec.json.decode((results / RUN).read_bytes())
    for name in naming:
        listed = document.get(name)
        if isinstance(listed, Mapping):  # photographs by kind
            document[name] = {kind: len(images) for kind, images in listed.items()}
        else:
            document[name] = [
                {key: text for key, text in entry.items() if key != "image"}
                for entry in listed or ()
            ]
    for key in (checksums.FILES, checksums.OWN):
        document.pop(key, None)
    return document


def stored(record: Path) -> dict[str, Any]:
    """Read the figures that a record holds.

    Raises:
        UsageError: they are missing or damaged.
    """
    try:
        document: dict[str, Any] = msgspec.json.decode((record / METRICS).read_bytes(), type=dict)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise not_as_written(record, METRICS, error) from None
    return document


def computed(record: Path, labels: Manifest | None = None) -> dict[str, Any]:
    """Compute all figures of a record from its predictions.

    Args:
        record: its folder.
        labels: the label table of the photographs. Without it, only the photographs whose labels
            the record holds are counted.

    Returns:
        The content of ``metrics.json``.

    Raises:
        UsageError: it is not a record, no row has a label, or a cell is damaged.
    """
    return _figures(record, read_results(record).run, labels, _kept(stored(record)))


@dataclass(frozen=True, slots=True)
class _Kept:
    """What no row of predictions says.

    Attributes:
        coverage: that the sets of grades were fitted to.
        resamples: for the intervals.
        seed: of the resamples.
    """

    coverage: float | None
    resamples: int
    seed: int


def _kept(document: Mapping[str, Any]) -> _Kept:
    """Take it from the figures of an evaluation or of a record."""
    certainty, intervals = document.get("certainty") or {}, document.get("intervals") or {}
    return _Kept(
        certainty.get("wanted_coverage"),
        int(intervals.get("resamples", RESAMPLES)),
        int(intervals.get("seed", SEED)),
    )


def _figures(record: Path, run: Run, labels: Manifest | None, kept: _Kept) -> dict[str, Any]:
    table = anonymous.read(record, labels)
    threshold = run.thresholds.get("referable")
    try:
        outcomes = [_outcome(row, threshold or 0.0, kept.coverage) for row in table.rows]
    except ValueError as error:
        raise not_as_written(record, PREDICTIONS, error) from None
    evaluation = measure(
        table,
        outcomes,
        by=anonymous.BY,
        trained_on=run.trained_on,
        resamples=kept.resamples,
        seed=kept.seed,
    )
    return metrics(evaluation)


def _outcome(row: Row, threshold: float, coverage: float | None) -> Outcome:
    """The outcome that a row of predictions describes.

    Raises:
        ValueError: a cell was changed after the evaluation wrote it.
    """
    if row.text("status") != READ:
        return Outcome(row, row.text("status"), Grade())
    grade = grading.grade_of(row)
    plausible = tuple(int(cell) for cell in row.text("grade_set").split("; ") if cell)
    abstained = row.text("abstained")
    complete = replace(
        grade,
        referable=grade.referable and replace(grade.referable, threshold=threshold),
        set=plausible or None,
        set_coverage=coverage if plausible else None,
        abstained=abstained == "true" if abstained else None,
    )
    return Outcome(row, READ, complete)


def differences(one: object, other: object, at: str = "", *, exact: float = TOLERANCE) -> list[str]:
    """Name the places where two documents of figures differ, by more than rounding.

    Args:
        one: plain JSON.
        other: plain JSON.
        at: where both stand.
        exact: the largest difference of two equal numbers.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        missing = [f"{at}{name}: only in one" for name in sorted(one.keys() ^ other.keys())]
        inner = (differences(one[k], other[k], f"{at}{k}.", exact=exact) for k in one if k in other)
        return missing + [difference for found in inner for difference in found]
    if _is_number(one) and _is_number(other):
        same = math.isclose(one, other, rel_tol=0.0, abs_tol=exact)  # type: ignore[arg-type]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        same = list(one) == list(other)
    else:
        same = one == other
    return [] if same else [f"{at.removesuffix('.')}: {one} and {other}"]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
