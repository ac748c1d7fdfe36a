"""What a detector sees on labelled photographs, weak boxes too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fundoscope.calibrate import looking
from fundoscope.calibrate.known_lesions import is_healthy, known
from fundoscope.calibrate.looking import Networks, Unread
from fundoscope.calibrate.presence import BoxedPhotograph
from fundoscope.data.manifest import Manifest, Row
from fundoscope.evaluate.grading.evaluation import cluster_keys, require_photographs
from fundoscope.evaluate.photographs import reported
from fundoscope.ordered import in_order

Scores = Mapping[str, tuple[float, ...]]
"""The scores of all possible boxes of each kind that was assessed."""


def read(
    manifest: Manifest,
    rows: Sequence[Row],
    networks: Networks,
    *,
    workers: int = 1,
    on_read: Callable[[], None] = lambda: None,
) -> tuple[tuple[BoxedPhotograph, ...], tuple[Unread, ...]]:
    """Read the photographs of some rows, as ``fundoscope read`` does.

    Args:
        manifest: the label table.
        rows: the rows to read.
        networks: of the bundles in use.
        workers: photographs that are read at the same time.
        on_read: called after each photograph, to report progress.

    Returns:
        What was seen, and the photographs on which nothing could be, both in the order of the rows.

    Raises:
        TableError: a cell about a kind of lesion is invalid, see :func:`known`.
        UsageError: there is no row, or no row's photograph exists.
    """
    labels = [known(row) for row in rows]  # before any photograph is read
    require_photographs(manifest, rows)

    def look(row: Row) -> Scores | Unread:
        return _scores(manifest.photograph(row), row.image, networks)

    seen = tuple(reported(in_order(rows, look, workers), on_read))
    photographs = tuple(
        BoxedPhotograph(scores, of_row, is_healthy(row), row.source, patient)
        for row, of_row, patient, scores in zip(rows, labels, cluster_keys(rows), seen, strict=True)
        if not isinstance(scores, Unread)
    )
    return photographs, tuple(each for each in seen if isinstance(each, Unread))


def _scores(path: Path, image: str, networks: Networks) -> Scores | Unread:
    seen = looking.look(path, image, networks)
    if isinstance(seen, Unread):
        return seen
    findings, _ = seen
    return {
        each.kind: tuple(box.score for box in findings.seen if box.kind == each.kind)
        for each in findings.summary
        if each.assessed
    }
