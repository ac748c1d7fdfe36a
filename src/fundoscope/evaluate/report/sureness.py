"""The section of a report on how well a grader knows when it is unsure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fundoscope.evaluate.compare import grading
from fundoscope.evaluate.grading import certainty
from fundoscope.evaluate.report import plots
from fundoscope.evaluate.report.document import Block, Paragraph, Section, Table, figure_cell
from fundoscope.evaluate.report.sources import Graded, figure_of
from fundoscope.evaluate.report.titles import title
from fundoscope.quoting import printable

TITLE: Final = "Certainty"
WAYS: Final = {
    "counted_positive": "counted as positive",
    "left_out": "left out",
}
"""How photographs without a grade, or abstained from, count for sensitivity and specificity."""


def section(all_graded: Sequence[Graded]) -> Section:
    """Build the section: sets of grades, abstentions, and the least certain read by a person."""
    blocks = [block for graded in all_graded for block in _blocks(graded)]
    curves = {graded.name: _curve(graded) for graded in all_graded}
    known = {name: points for name, points in curves.items() if points}
    if known:
        blocks.append(plots.reader_curve(dict(list(known.items())[: len(plots.COLOURS)])))
    return Section(TITLE, tuple(blocks))


def _blocks(graded: Graded) -> list[Block]:
    entry = graded.metrics.get("certainty")
    if not isinstance(entry, Mapping):
        return [Paragraph(f"{graded.name}: its results are of a version without certainty.")]
    rows = [*_sets(entry), *_deferred(entry), *_calls(entry)]
    blocks: list[Block] = []
    if rows:
        caption = f"{graded.name}: what it is sure of, with 95 % intervals"
        blocks.append(Table(caption, ("figure", "value"), tuple(rows)))
    by = entry.get("by")
    for column, values in by.items() if isinstance(by, Mapping) else ():
        parts = tuple((printable(value), *_cells(figures)) for value, figures in values.items())
        columns = (column, *(title(name) for name in certainty.SET_FIGURES))
        if entry.get("wanted_coverage") is not None:
            blocks.append(Table(f"{graded.name}: sets by {column}", columns, parts))
    return blocks


def _sets(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    coverage = entry.get("wanted_coverage")
    if coverage is None:
        return [("sets of plausible grades", "not given: the bundle has no fitted sets")]
    rows = [("coverage that the sets were fitted to", f"{coverage:.2f}")]
    cells = zip(certainty.SET_FIGURES, _cells(entry.get("sets") or {}), strict=True)
    return rows + [(title(name), cell) for name, cell in cells]


def _cells(figures: Mapping[str, Any]) -> list[str]:
    found = [figure_of(figures.get(name)) for name in certainty.SET_FIGURES]
    return ["not measured" if figure is None else figure_cell(figure) for figure in found]


def _deferred(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    deferred = entry.get("handed_to_a_reader") or {}
    share = deferred.get("share", certainty.DEFERRED_SHARE)
    rows = []
    for name in certainty.DEFERRAL_FIGURES:
        figure = figure_of(deferred.get(name))
        if figure is not None:
            words = f"{title(name)}, least certain {100 * share:.0f} % referred to a reader"
            rows.append((words, figure_cell(figure)))
    return rows


def _calls(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
    ways = entry.get("without_grade_or_abstained") or {}
    rows = []
    for way, words in WAYS.items():
        for name in certainty.CALLS:
            figure = figure_of((ways.get(way) or {}).get(name))
            if figure is not None:
                row_name = f"{title(name)}; no grade or abstained: {words}"
                rows.append((row_name, figure_cell(figure)))
    return rows


def _curve(graded: Graded) -> tuple[certainty.DeferralPoint, ...]:
    """Accuracy over the share referred to a reader; nothing where there are no probabilities."""
    points = certainty.curve(graded.scores.label, [grading.grade_of(row) for row in graded.rows])
    return points if any(point.accuracy is not None for point in points) else ()
