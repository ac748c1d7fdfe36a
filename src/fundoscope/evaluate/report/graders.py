"""The sections of a report on graders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import numpy as np

from fundoscope.data.manifest import EXCLUDED, Row
from fundoscope.errors import UsageError
from fundoscope.evaluate.compare import results as comparisons
from fundoscope.evaluate.grading import training
from fundoscope.evaluate.grading.figures import NOT_GRADED, UNKNOWN, confusion
from fundoscope.evaluate.grading.results import CLASHING, PREDICTED
from fundoscope.evaluate.intervals import RESAMPLES, Figure, drawn_by
from fundoscope.evaluate.report import eyes, plots, shortcuts, subgroups, sureness, worst
from fundoscope.evaluate.report.document import (
    Block,
    Calculator,
    Paragraph,
    Section,
    Table,
    figure_cell,
)
from fundoscope.evaluate.report.sources import Graded, figure_of
from fundoscope.evaluate.report.titles import title
from fundoscope.grading.heads import GRADE_COUNT, REFERABLE_GRADE
from fundoscope.quoting import printable

OWN_SECTIONS: Final = (
    *("version", "n", "by", "mean", "intervals", "graded", "recall", "precision", "readers"),
    *("certainty", "sources"),
)
"""Entries of ``metrics.json`` that a section of its own shows, or that are not figures."""
SEVERAL_LOOKS: Final = (
    "The gap is the figure of the group less that of all other photographs. p is of a normal test"
    " with the spread of the resamples; the last column is corrected for all gaps of this page"
    " (Holm). A gap of few photographs may be large by chance."
)
BLANK: Final = "(blank)"
MAX_VALUES: Final = 100
"""A column with more values is a name or a number, not a group."""
SMALLEST_P: Final = 0.001


def sections(
    all_graded: Sequence[Graded],
    *,
    by: Sequence[str],
    photographs: Path | None,
    workers: int,
    resamples: int = RESAMPLES,
) -> list[Section]:
    """Build the sections on graders.

    Args:
        all_graded: their evaluations; without any there is no section.
        by: columns of the label table for subgroups.
        photographs: the folder of the photographs, for pictures and the shortcut baseline.
        workers: photographs that are read at a time.
        resamples: for the intervals that are not in the result folders.

    Raises:
        UsageError: a column does not exist or has too many values.
    """
    if not all_graded:
        return []
    return [
        Section("Figures", (_figures(all_graded),)),
        Section("Grades", tuple(block for g in all_graded for block in _grades(g))),
        Section("Curves", tuple(_curves(all_graded))),
        sureness.section(all_graded),
        Section("Photographs without a grade", tuple(map(_ungraded, all_graded))),
        Section("Comparisons", tuple(_comparisons(all_graded))),
        Section("Subgroups", tuple(_subgroups(all_graded, by, resamples))),
        Section("Per eye and per patient", tuple(_eyes(all_graded, resamples))),
        Section("Readers", tuple(_readers(all_graded))),
        Section("Shortcuts to the grade", _shortcuts(all_graded, photographs, workers)),
        Section("Worst errors", tuple(b for g in all_graded for b in worst.blocks(g, photographs))),
        Section("At another prevalence", tuple(filter(None, map(_calculator, all_graded)))),
    ]


def _figures(all_graded: Sequence[Graded]) -> Table:
    flat = [_flat(graded.metrics) for graded in all_graded]
    names = dict.fromkeys(name for figures in flat for name in figures)
    rows = tuple(
        (title(name), *(figure_cell(f[name]) if name in f else "not measured" for f in flat))
        for name in names
    )
    count = ("photographs", *(f"{len(graded.rows):,}" for graded in all_graded))
    columns = ("figure", *(graded.name for graded in all_graded))
    return Table("Figures of all photographs, with 95 % intervals", columns, (count, *rows))


def _flat(metrics: Mapping[str, Any]) -> dict[str, Figure]:
    """All figures of a ``metrics.json``, those one level down by both names."""
    figures = {}
    for name, entry in metrics.items():
        if name in OWN_SECTIONS:
            continue
        figure = figure_of(entry)
        if figure is not None:
            figures[name] = figure
        elif isinstance(entry, Mapping):
            for inner, value in entry.items():
                figure = figure_of(value)
                if figure is not None:
                    figures[f"{name} {inner}"] = figure
    return figures


def _grades(graded: Graded) -> list[Block]:
    if (graded.scores.given == UNKNOWN).any():
        return [Paragraph(f"{graded.name}: the predictions hold no grades.")]
    matrix = confusion(graded.scores)
    rows = []
    for grade in range(GRADE_COUNT):
        entries = (graded.metrics.get(name, {}).get(str(grade)) for name in ("recall", "precision"))
        cells = ("not measured" if f is None else figure_cell(f) for f in map(figure_of, entries))
        rows.append((str(grade), str(int(matrix[grade].sum())), *cells))
    columns = ("grade", "photographs", "sensitivity (recall)", "precision")
    return [
        Table(f"Each grade of {graded.name}", columns, tuple(rows)),
        plots.confusion_matrix(matrix, graded.name),
    ]


def _curves(all_graded: Sequence[Graded]) -> list[Block]:
    blocks: list[Block] = []
    curves = {}
    for graded in all_graded:
        referable = graded.scores.label >= REFERABLE_GRADE
        if referable.all() or not referable.any():
            missing = "of grade 0 or 1" if referable.any() else "referable (grade 2 to 4)"
            blocks.append(
                Paragraph(f"{graded.name}: no curves, because no photograph is {missing}.")
            )
        else:
            curves[graded.name] = graded
    curves = dict(list(curves.items())[: len(plots.COLOURS)])
    if not curves:
        return blocks
    scored = {n: (g.scores.label >= REFERABLE_GRADE, g.scores.referable) for n, g in curves.items()}
    blocks.append(
        plots.roc({n: (*scored[n], g.scores.positive, g.threshold) for n, g in curves.items()})
    )
    blocks.append(plots.precision_recall(scored))
    calibrated = {}
    for name, graded in curves.items():
        referable, score = scored[name]
        chosen = _with_probability(graded)
        if chosen.any():
            calibrated[name] = (referable[chosen], score[chosen])
        else:
            blocks.append(Paragraph(f"{name}: no calibration, because it gives no probability."))
    if calibrated:
        blocks.append(plots.calibration(calibrated))
    return blocks


def _with_probability(graded: Graded) -> np.ndarray:
    """Photographs with a grade and a probability that is more than the rank of the grade."""
    has = [bool(row.text("p0")) or not row.text("icdr") for row in graded.rows]
    chosen: np.ndarray = np.array(has, dtype=bool) & (graded.scores.given != NOT_GRADED)
    return chosen


def _ungraded(graded: Graded) -> Block:
    alone = graded.metrics.get("graded", {})
    count = int((graded.scores.given == NOT_GRADED).sum())
    if count == 0 or not isinstance(alone, Mapping):
        return Paragraph(f"{graded.name}: every photograph was graded.")
    pairs = [
        (name, figure_of(graded.metrics.get(name)), figure_of(alone.get(name)))
        for name in eyes.SHOWN
    ]
    rows = tuple(
        (title(name), figure_cell(whole), figure_cell(left_out))
        for name, whole, left_out in pairs
        if whole is not None and left_out is not None
    )
    return Table(
        f"{graded.name}: {count} photographs without a grade",
        ("figure", "counted as wrong and as called referable", "left out"),
        rows,
    )


def _comparisons(all_graded: Sequence[Graded]) -> list[Block]:
    """Compare each pair that was evaluated on the same photographs; say why others are not."""
    blocks: list[Block] = []
    for old, new in combinations(all_graded, 2):
        try:
            comparison = comparisons.compare(old.results.folder, new.results.folder)
        except UsageError as error:
            blocks.append(Paragraph(f"{old.name} and {new.name} are not compared: {error.why}."))
            continue
        rows = tuple(
            (
                f"{comparisons.title(name)}, {part.name}",
                change.old.in_words(),
                change.new.in_words(),
                change.difference.in_words(signed=True),
                {True: "yes", False: "no", None: "no interval"}[change.excludes_zero],
                comparisons.mcnemar_in_words(part, name),
            )
            for part, name, change in comparisons.shown(comparison)
        )
        columns = ("figure", old.name, new.name, "difference", "excludes 0", "McNemar’s test")
        by = drawn_by(comparison.clusters)
        blocks.append(Table(f"{new.name} less {old.name}, paired by {by}", columns, rows))
    return blocks


def _subgroups(all_graded: Sequence[Graded], by: Sequence[str], resamples: int) -> list[Block]:
    found: list[tuple[Graded, str, subgroups.Gap]] = []
    states: dict[tuple[str, str], dict[str, str]] = {}
    for graded in all_graded:
        for column in dict.fromkeys((*by, *graded.metrics.get("by", {}))):
            values = _values(graded, column, asked=column in by)
            states[graded.name, column] = _training(graded, values)
            found += [
                (graded, column, gap)
                for gap in subgroups.gaps(graded.scores, graded.keys, values, resamples=resamples)
            ]
    corrected = subgroups.holm([gap.p for _, _, gap in found])
    tables: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for (graded, column, gap), p in zip(found, corrected, strict=True):
        tables.setdefault((graded.name, column), []).append(
            (
                printable(gap.value),
                f"{gap.n:,}",
                title(gap.figure),
                figure_cell(gap.own),
                gap.gap.in_words(signed=True) if gap.gap.value is not None else "not given",
                _p(gap.p),
                _p(p),
                states[graded.name, column][gap.value],
            )
        )
    columns = ("value", "photographs", "figure", "here", "gap to the others", "p", "corrected p",
               "source in training")  # fmt: skip
    blocks: list[Block] = [
        Table(f"{name} by {column}", columns, tuple(rows))
        for (name, column), rows in tables.items()
    ]
    return [Paragraph(SEVERAL_LOOKS), *blocks] if blocks else []


def _training(graded: Graded, values: Sequence[str]) -> dict[str, str]:
    """By value, whether the sources of its photographs took part in training."""
    sources: dict[str, list[str]] = {}
    for value, row in zip(values, graded.rows, strict=True):
        sources.setdefault(value, []).append(row.source)
    trained_on = graded.results.run.trained_on
    return {
        value: training.in_a_word(training.counts(own, trained_on))
        for value, own in sources.items()
    }


def _p(p: float | None) -> str:
    if p is None:
        return "no test"
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.3f}"


def _values(graded: Graded, column: str, *, asked: bool) -> list[str]:
    """The values of a column of the label table, whose name may have got a prefix in the results.

    Raises:
        UsageError: it was asked for, and does not exist or has too many values.
    """
    name = CLASHING + column if column in PREDICTED else column
    values = [row.text(name) or BLANK for row in graded.rows]
    distinct = len(set(values))
    if asked and set(values) == {BLANK}:
        raise UsageError(f"--by {column}", f"is empty or missing in {graded.name}", "leave it out")
    if asked and distinct > MAX_VALUES:
        raise UsageError(
            f"--by {column}",
            f"has {distinct} values, more than {MAX_VALUES}",
            "name a column with few values, such as source or camera",
        )
    return values


def _eyes(all_graded: Sequence[Graded], resamples: int) -> list[Block]:
    blocks: list[Block] = []
    for graded in all_graded:
        for what, keys in (
            ("eye", eyes.eye_keys(graded.rows)),
            ("patient", eyes.patient_keys(graded.rows)),
        ):
            known = [key for key in keys if key is not None]
            if not known:
                column = "column patient or eye" if what == "eye" else "column patient"
                blocks.append(
                    Paragraph(f"{graded.name}: no figures per {what}: there is no {column}.")
                )
                continue
            together = list(dict.fromkeys(known))
            figures = eyes.measure(
                eyes.worst_of(graded.scores, keys),
                [key[:2] for key in together],
                resamples=resamples,
            )
            left_out = len(keys) - len(known)
            caption = f"{graded.name} per {what}: {len(together):,}, the worst photograph decides"
            if left_out:
                caption += f"; {left_out:,} photographs without a known {what} are left out"
            rows = tuple((title(name), figure_cell(figure)) for name, figure in figures.items())
            blocks.append(Table(caption, ("figure", f"per {what}"), rows))
    return blocks


def _readers(all_graded: Sequence[Graded]) -> list[Block]:
    blocks: list[Block] = []
    for graded in all_graded:
        readers = graded.metrics.get("readers")
        if isinstance(readers, Mapping):
            pairs = [(name, figure_of(entry)) for name, entry in readers.items()]
            rows = tuple((title(name), figure_cell(f)) for name, f in pairs if f is not None)
            caption = f"{graded.name} and two readers, {readers.get('n')} photographs"
            blocks.append(Table(caption, ("figure", "value"), rows))
    return blocks


def _shortcuts(
    all_graded: Sequence[Graded], photographs: Path | None, workers: int
) -> tuple[Block, ...]:
    if photographs is None:
        return ()
    first = all_graded[0]
    return shortcuts.blocks(first, photographs, workers=workers)


def _calculator(graded: Graded) -> Calculator | None:
    figures = [
        figure_of(graded.metrics.get(f"referable_{n}")) for n in ("sensitivity", "specificity")
    ]
    values = [figure.value for figure in figures if figure is not None]
    if len(values) != 2 or values[0] is None or values[1] is None:
        return None
    return Calculator(graded.name, values[0], values[1])


def splits(rows: Sequence[Row]) -> str:
    """Name the splits that some rows belong to."""
    names = sorted({row.split for row in rows if row.split != EXCLUDED} - {""})
    return ", ".join(names) or "not named"
