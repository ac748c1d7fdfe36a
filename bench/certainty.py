"""Fit the sets of grades of a grading bundle, and choose how to measure certainty, on validation.

    fundoscope evaluate grading LABELS --split val --by source --out val
    python bench/certainty.py val/predictions.csv [--grader BUNDLE] [--write BUNDLE]

Prints for each way to make sets the coverage and the mean size, of each source with limits that
were fitted to the others; then for each measure of certainty the accuracy where the least certain
fifth goes to a reader. Photographs that nobody could grade are left out. With --write the limits
are stored in a bundle's folder, and nothing else of it is changed; seal it then with ``fundoscope
bundle seal BUNDLE --overwrite``. Other splits than validation are refused.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import msgspec
import numpy as np
from arguments import parser_of

from fundoscope.calibrate import sets as fitting
from fundoscope.evaluate.arrays import Flags, Floats, Ints
from fundoscope.evaluate.intervals import estimate, numbered
from fundoscope.grading import conformal, heads
from fundoscope.models import bundle as bundles
from fundoscope.models.sets import GradeSets

SPLIT = "val"
GROUPS = {
    "all grades": (tuple(range(5)),),
    "referable or not": fitting.GROUPS,
    "up to 2, 3 and 4": ((0, 1, 2), (3, 4)),
    "0, others": ((0,), (1, 2, 3, 4)),
    "each grade": tuple((grade,) for grade in range(5)),
}
"""Grades with a common limit, by the name of the way."""
WEIGHTS = ("photographs", "sources")
"""What counts the same in the fit."""
DEFERRED_SHARE = 0.2
"""The share of photographs that goes to a reader."""
MEASURES: dict[str, Callable[[Floats], Floats]] = {
    "entropy": lambda p: -conformal.entropy(p),
    "most probable": lambda p: p.max(axis=1),
    "lead over the second": lambda p: np.diff(np.sort(p, axis=1)[:, -2:], axis=1)[:, 0],
    "referable or not": lambda p: np.abs(heads.referable(p) - 0.5),
    "standard deviation": lambda p: -_spread(p),
}
"""Measures of certainty, larger is more certain."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("predictions", type=Path, help="of an evaluation of validation")
    parser.add_argument("--grader", type=Path, default=bundles.shipped(bundles.GRADING))
    parser.add_argument("--write", type=Path, metavar="BUNDLE", help="folder to store limits in")
    args = parser.parse_args()
    rows = read(args.predictions)
    p = np.array([[float(row[f"p{grade}"]) for grade in range(heads.GRADE_COUNT)] for row in rows])
    labels = np.array([int(row["grade"]) for row in rows])
    sources = np.array([row["source"] for row in rows])
    clusters = numbered([row["patient"] or row["group"] or row["image"] for row in rows])
    threshold = bundles.load_grader(args.grader).manifest.referable_threshold
    print(f"{len(labels)} gradable validation photographs\n")
    print_left_out(p, labels, sources, clusters)
    fitted = fitting.fit(p, labels, numbered(sources.tolist()))
    print_fitted(p, labels, sources, fitted)
    print_measures(p, labels, threshold)
    if args.write is not None:
        write(args.write, fitted)


def read(path: Path) -> list[dict[str, str]]:
    """The graded rows of a table of predictions that somebody could grade."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    if any(row["split"] != SPLIT for row in rows):
        raise SystemExit(f"{path.name} has rows of other splits than {SPLIT}")
    return [row for row in rows if row["status"] == "read" and row["gradable"] != "0"]


def print_left_out(p: Floats, labels: Ints, sources: Ints, clusters: Ints) -> None:
    """Print coverage and size of each source, with limits that were fitted to the others."""
    names = np.unique(sources)
    print("Coverage (95 % interval) / mean size of each source, fitted to the other sources\n")
    print(f"| common limit | counts the same | {' | '.join(names)} |\n|{'---|' * (len(names) + 2)}")
    for way, groups in GROUPS.items():
        for weights in WEIGHTS:
            cells = []
            for name in names:
                out = sources == name
                limits = fit(p[~out], labels[~out], sources[~out], groups, weights)
                cells.append(coverage(p[out], labels[out], limits, clusters[out]))
            print(f"| {way} | {weights} | {' | '.join(cells)} |")


def fit(
    p: Floats, labels: Ints, sources: Ints, groups: tuple[tuple[int, ...], ...], weights: str
) -> GradeSets:
    number = numbered(sources.tolist())
    with mock.patch.object(fitting, "GROUPS", groups):
        return fitting.fit(p, labels, number if weights == "sources" else np.zeros_like(number))


def coverage(p: Floats, labels: Ints, limits: GradeSets, clusters: Ints) -> str:
    held = fitting.held(p, labels, limits).astype(np.float64)
    size = conformal.members(p, limits).sum(axis=1).mean()
    figure = estimate(
        lambda weights: (weights @ held / weights.sum(axis=1))[:, None],
        numbered(clusters.tolist()),
        ["no photograph"],
    )[0]
    return f"{figure.in_words()} / {size:.2f}"


def print_fitted(p: Floats, labels: Ints, sources: Ints, fitted: GradeSets) -> None:
    """Print what the sets of all sources together hold of the photographs they were fitted to."""
    held, size = fitting.held(p, labels, fitted), conformal.members(p, fitted).sum(axis=1)
    right = heads.most_probable(p) == labels
    print(f"\nFitted to all: {fitted}\n")
    print("| photographs | n | coverage | mean size | accuracy |\n|---|---|---|---|---|")
    parts: dict[str, Flags] = {"all": np.ones(len(labels), dtype=bool)}
    parts |= {str(name): sources == name for name in np.unique(sources)}
    parts |= {f"grade {grade}": labels == grade for grade in range(heads.GRADE_COUNT)}
    parts |= {f"sets of {n}": size == n for n in np.unique(size)}
    for name, chosen in parts.items():
        print(
            f"| {name} | {chosen.sum()} | {held[chosen].mean():.3f} | {size[chosen].mean():.2f} |"
            f" {right[chosen].mean():.3f} |"
        )


def print_measures(p: Floats, labels: Ints, threshold: float) -> None:
    """Print the accuracy of the rest, where the least certain fifth goes to a reader."""
    right, severe = heads.most_probable(p) == labels, labels > heads.REFERABLE_GRADE
    missed = severe & (heads.referable(p) < threshold)
    print(
        f"\nThe least certain {DEFERRED_SHARE:.0%} referred to a reader; accuracy of all"
        f" {right.mean():.3f}\n"
    )
    print("| certainty | accuracy of the rest | grade 3 and 4 in the rest | not called referable |")
    print("|---|---|---|---|")
    for name, measure in MEASURES.items():
        order = np.argsort(measure(p), kind="stable")
        rest = order[round(DEFERRED_SHARE * len(order)) :]
        print(
            f"| {name} | {right[rest].mean():.3f} | {severe[rest].sum()} | {missed[rest].sum()} |"
        )


def _spread(p: Floats) -> Floats:
    grades = np.arange(heads.GRADE_COUNT)
    return np.sqrt(np.maximum(p @ grades**2.0 - (p @ grades) ** 2, 0.0))


def write(folder: Path, fitted: GradeSets) -> None:
    """Store the limits in a bundle, and leave its other values as they are."""
    path = folder / bundles.MANIFEST
    content = json.loads(path.read_text(encoding="utf-8"))
    content["conformal"] = msgspec.to_builtins(fitted)
    text = msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"
    path.write_bytes(text)
    print(f"\n{path}: written; now seal it: fundoscope bundle seal {folder} --overwrite")


if __name__ == "__main__":
    main()
