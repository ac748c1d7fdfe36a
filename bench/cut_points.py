"""How should cut-points (the rule of 0.1) be fitted? On halves of validation, read on the others.

    fundoscope evaluate grading LABELS.csv --split val --out DIR
    python bench/cut_points.py DIR [--splits 10]

Every split into halves keeps each source's grades in proportion and is used both ways. A single
search is compared with the mean over resamples (`cut_points.CUT_RESAMPLES`), for several weights of
kappa in the maximised figure (`cut_points.KAPPA_SHARE`). Prints kappa and accuracy, each the mean
over the sources, and the recall of each grade. Needs [train]; takes about four minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.evaluate.compare import folders
from fundoscope.evaluate.folder import PREDICTIONS
from fundoscope.evaluate.grading.figures import quadratic_kappa
from fundoscope.grading import heads
from fundoscope.train.grading import calibrate, cut_points
from fundoscope.train.grading.photographs import VAL

WAYS = ((1, 0.5), (25, 0.5), (25, 0.6), (25, 0.75), (25, 0.85), (25, 1.0))
"""Number of resamples (1: a single search on all photographs), and the weight of kappa."""


def main() -> None:
    args = arguments()
    expected, labels, source = validation(args.results)
    print(f"{len(labels)} photographs\n")
    print("| resamples | weight of kappa | kappa | accuracy | recall of grade 0 to 4 |")
    print("|---|---|---|---|---|")
    for resamples, share in WAYS:
        measured = []
        for half in halves(labels, source, args.splits):
            cuts = fit(expected[half], labels[half], source[half], resamples, share)
            grades = heads.icdr(expected[~half], cuts)
            measured.append(figures(labels[~half], grades, source[~half]))
        kappa, accuracy, *recall = np.mean(measured, axis=0)
        recalls = " ".join(f"{r:.2f}" for r in recall)
        print(f"| {resamples} | {share} | {kappa:.4f} | {accuracy:.4f} | {recalls} |", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument(
        "results", type=Path, help="folder that `evaluate grading --split val` wrote"
    )
    parser.add_argument("--splits", type=int, default=10)
    return parser.parse_args()


def validation(
    folder: Path,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Read expected grade, label and number of the source of each graded photograph."""
    needed = ("expected", "grade", "split", "source")
    rows = folders.read_csv(folder, PREDICTIONS, needed)
    if any(row["split"] != VAL for row in rows):
        raise UsageError(
            str(folder),
            "holds photographs of other splits than validation",
            "evaluate again with --split val",
        )
    graded = [row for row in rows if row["expected"]]
    _, source = calibrate.source_numbers([row["source"] for row in graded])
    return (
        np.array([float(row["expected"]) for row in graded]),
        np.array([int(row["grade"]) for row in graded]),
        source,
    )


def halves(
    labels: NDArray[np.int64], source: NDArray[np.int64], splits: int
) -> Iterator[NDArray[np.bool_]]:
    """Draw the photographs to fit on: `splits` halves, each followed by the other half."""
    for seed in range(splits):
        random = np.random.default_rng(seed)
        half = np.zeros(len(labels), bool)
        for number in np.unique(source):
            for grade in range(heads.GRADE_COUNT):
                these = random.permutation(np.flatnonzero((source == number) & (labels == grade)))
                half[these[: (len(these) + random.integers(2)) // 2]] = True
        yield half
        yield ~half


def fit(
    expected: NDArray[np.float64],
    labels: NDArray[np.int64],
    source: NDArray[np.int64],
    resamples: int,
    share: float,
) -> list[float]:
    with mock.patch.multiple(cut_points, CUT_RESAMPLES=resamples, KAPPA_SHARE=share):
        if resamples > 1:
            return list(cut_points.fit_cut_points(expected, labels, source))
        return list(cut_points.search_cut_points(expected, labels, source))


def figures(
    labels: NDArray[np.int64], grades: NDArray[np.int64], source: NDArray[np.int64]
) -> tuple[float, ...]:
    """Compute kappa and accuracy (means over the sources), and the recall of each grade."""
    counts = cut_points.confusions(labels, grades, source)
    kappa = np.nan_to_num(quadratic_kappa(counts)).mean()
    accuracy = (np.einsum("sii->s", counts) / counts.sum(axis=(1, 2))).mean()
    together = counts.sum(axis=0)
    return float(kappa), float(accuracy), *(np.diag(together) / together.sum(axis=1)).tolist()


if __name__ == "__main__":
    try:
        main()
    except FundoscopeError as error:
        raise SystemExit(str(error)) from None
