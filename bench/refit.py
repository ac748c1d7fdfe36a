"""Fit the probabilities and the threshold of a grading bundle again, on validation alone.

    python bench/refit.py BUNDLE --name NAME [--grader BUNDLE] [--data DIR] [--splits 10]

Reads the validation photographs of the team's label table as any user would, and fits what the
export of a training fits: the correction of the probabilities, and the threshold of "referable".
The network and its temperature stay. Prints figures before and after: by the rule of 0.1
(cut-points on the expected grade, where the bundle has them), by the most probable grade as it is,
and with the new values. The same photographs are fitted to, so a second table is honest: fitted on
one half of them, evaluated on the other, as in bench/cut_points.py. No other split is read.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
from arguments import add_data, grading_table, parser_of
from cut_points import halves

from fundoscope.calibrate import fitting
from fundoscope.calibrate.clinic import of_probabilities
from fundoscope.data import manifest as tables
from fundoscope.evaluate.arrays import Floats, Ints
from fundoscope.evaluate.grading.evaluation import read_rows
from fundoscope.evaluate.grading.figures import quadratic_kappa
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading import grader as graders
from fundoscope.grading import heads
from fundoscope.models import bundle as bundles
from fundoscope.reader import Reader
from fundoscope.train.grading import calibrate, card
from fundoscope.train.grading.cut_points import confusions
from fundoscope.train.grading.photographs import VAL

TITLES = (
    "grade", "kappa, mean of sources", "kappa, together", "accuracy, mean of sources",
    "accuracy, together", "AUC referable", "log loss", "calibration error",
)  # fmt: skip


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("bundle", type=Path, help="folder of the new bundle")
    parser.add_argument("--name", required=True, help="of the new bundle")
    parser.add_argument("--grader", type=Path, default=bundles.shipped(bundles.GRADING))
    parser.add_argument("--splits", type=int, default=10, help="into halves")
    add_data(parser)
    args = parser.parse_args()
    given = bundles.load_grader(args.grader)
    manifest = given.manifest
    table = tables.read(grading_table(args.data))
    reader = Reader(graders.uncorrected(graders.load(args.grader)), lesions=False)
    rows, workers = table.of_split(VAL), os.cpu_count() or 1
    outcomes = [o for o in read_rows(table, rows, reader, workers=workers) if o.grade.probabilities]
    p = np.array([outcome.grade.probabilities for outcome in outcomes])
    labels = np.array([outcome.row.grade for outcome in outcomes])
    names = [outcome.row.source for outcome in outcomes]
    sources = calibrate.source_numbers(names)[1]
    gradable = np.array([outcome.row.gradable is not False for outcome in outcomes])
    correction = fitting.fit(p, labels, sources)
    q = heads.corrected(p, correction)
    threshold = fitting.referable_threshold(
        heads.referable(q)[gradable],
        labels[gradable] >= heads.REFERABLE_GRADE,
        calibrate.TARGET_SENSITIVITY,
    )
    fitted = calibrate.Fitted(manifest.temperature, correction, threshold)
    figures = calibrate.evaluate_probabilities(q, labels, names, gradable, fitted)
    print(f"{len(labels)} of {len(rows)} validation photographs\n")
    print(f"| {' | '.join(TITLES)} |\n|{'---|' * len(TITLES)}")
    if manifest.cut_points is not None:
        cut = heads.icdr(heads.expected(p), manifest.cut_points)
        print(line("cut-points (0.1)", p, cut, labels, sources))
    print(line("most probable, as it was", p, heads.most_probable(p), labels, sources))
    if manifest.correction is not None:
        earlier = heads.corrected(p, manifest.correction)
        print(line("earlier correction", earlier, heads.most_probable(earlier), labels, sources))
    print(line("most probable, corrected", q, heads.most_probable(q), labels, sources))
    unlike = (heads.referable(q) >= threshold) != (heads.most_probable(q) >= heads.REFERABLE_GRADE)
    print(f"\n{correction}, referable from {threshold:.4f}")
    print(f"grade and referable differ on {int(unlike.sum())} photographs")
    print_halves(p, labels, sources, args.splits)
    new = dataclasses.replace(
        manifest,
        name=args.name,
        correction=correction,
        cut_points=None,
        referable_threshold=threshold,
        validation=figures.table(),
    )
    text = card.refitted(bundles.card(args.grader), new, figures)
    bundles.write(args.bundle, new, given.model, text)


def print_halves(p: Floats, labels: Ints, sources: Ints, splits: int) -> None:
    """Print figures on halves of validation, with values that were fitted to the other halves."""
    measured: dict[str, list[tuple[float, ...]]] = {
        "most probable, as it was": [],
        "most probable, corrected": [],
    }
    for half in halves(labels, sources, splits):
        out = ~half
        q = heads.corrected(p[out], fitting.fit(p[half], labels[half], sources[half]))
        for title, given in zip(measured, (p[out], q), strict=True):
            grades = heads.most_probable(given)
            measured[title].append(values_of(given, grades, labels[out], sources[out]))
    print(f"\nHeld-out halves, {splits} splits both ways\n")
    print(f"| {' | '.join(TITLES)} |\n|{'---|' * len(TITLES)}")
    for title, rows in measured.items():
        print(f"| {title} | {' | '.join(f'{mean:.4f}' for mean in np.mean(rows, axis=0))} |")


def line(title: str, p: Floats, grades: Ints, labels: Ints, sources: Ints) -> str:
    values = values_of(p, grades, labels, sources)
    return f"| {title} | {' | '.join(f'{value:.4f}' for value in values)} |"


def values_of(p: Floats, grades: Ints, labels: Ints, sources: Ints) -> tuple[float, ...]:
    """Compute the figures of :data:`TITLES`."""
    counts = confusions(labels, grades, sources)
    accuracies = np.einsum("sii->s", counts) / counts.sum(axis=(1, 2))
    weights = np.ones((1, len(labels)))
    referable = labels >= heads.REFERABLE_GRADE
    return (
        quadratic_kappa(counts).mean(),
        quadratic_kappa(counts.sum(axis=0)),
        accuracies.mean(),
        (grades == labels).mean(),
        area_under_curve(referable, heads.referable(p), weights)[0],
        *of_probabilities(p, labels, weights)[0],
    )


if __name__ == "__main__":
    main()
