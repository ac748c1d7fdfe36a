"""Other ways from a grader's outputs to its probabilities, compared on validation.

    python bench/decodings.py TABLE [--grader BUNDLE] [--cache DIR]

Two ideas, alone and together: the mean of the outputs for a photograph and for its mirror image,
and the "adjacent" decoding. The four outputs are log-odds that the grade is above 0, 1, 2, 3, and
contradict each other where a later one is higher. `heads.probabilities` then takes the running
minimum, which gives a grade a probability of exactly 0. The adjacent decoding reads each output as
the log-odds between two neighbouring grades, so that no probability is 0.

Prints, for each source, quadratic kappa of the most probable grade and AUC (referable), then their
means without eyes of other diseases, log loss, and the share of photographs with a zero. Nothing is
corrected or fitted. No test photograph is read. Needs [train].
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fundoscope.calibrate import fitting
from fundoscope.evaluate.grading.figures import quadratic_kappa
from fundoscope.evaluate.roc import area_under_curve
from fundoscope.grading import heads, inputs
from fundoscope.models import bundle as bundles
from fundoscope.train.grading import export, photographs, pictures
from fundoscope.train.grading.cut_points import confusions

OTHER = "other diseases"
Floats = NDArray[np.float64]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("table", type=Path, help="label table of the photographs")
    parser.add_argument("--grader", type=Path, default=bundles.shipped(bundles.GRADING))
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="of the crops")
    args = parser.parse_args()
    bundle = bundles.load_grader(args.grader)
    manifest = bundle.manifest
    if manifest.head != heads.CUMULATIVE:
        parser.error(f"{manifest.name} has the head {manifest.head}, not {heads.CUMULATIVE}")
    wanted = inputs.Input(manifest.input, *manifest.height_width)
    table = photographs.read(args.table)
    rows = [row for row in table.rows if row.split == photographs.VAL]
    crops = pictures.load(table, rows, wanted, args.cache)
    mirrored = dataclasses.replace(
        crops, pixels=tuple(np.ascontiguousarray(each[:, ::-1]) for each in crops.pixels)
    )
    outputs = export.outputs_of(bundle.model, crops, manifest.head).astype(np.float64)
    mirror_outputs = export.outputs_of(bundle.model, mirrored, manifest.head)
    both = (outputs + mirror_outputs) / 2
    labels = np.array([row.grade for row in crops.rows])
    groups = np.array(
        [OTHER if row.other.get("other_disease") else row.source for row in crops.rows]
    )
    names = sorted(set(groups) - {OTHER}) + ([OTHER] if OTHER in groups else [])
    print(f"| decoding | {' | '.join(names)} | mean | log loss | with a zero |")
    print("|---|" + "---|" * (len(names) + 3))
    for title, values in (("as it is", outputs), ("with the mirror image", both)):
        for decoding, p in (
            ("running minimum", heads.probabilities(values, manifest.temperature)),
            ("adjacent", adjacent(values / manifest.temperature)),
        ):
            print(f"| {title}, {decoding} | {line(p, labels, groups, names)} |", flush=True)


def adjacent(odds: Floats) -> Floats:
    """Probabilities ``(N, 5)`` whose neighbours have the log-odds ``(N, 4)``."""
    sums = np.concatenate([np.zeros((len(odds), 1)), np.cumsum(odds, axis=1)], axis=1)
    return heads.probabilities(sums, head=heads.SOFTMAX)


def line(p: Floats, labels: NDArray[np.int64], groups: NDArray[np.str_], names: list[str]) -> str:
    """The cells of a row."""
    figures = []
    for name in names:
        of = groups == name
        counts = confusions(labels[of], heads.most_probable(p[of]), np.zeros(of.sum(), np.int64))
        referable = labels[of] >= heads.REFERABLE_GRADE
        weights = np.ones((1, int(of.sum())))
        auc = area_under_curve(referable, heads.referable(p[of]), weights)[0]
        figures.append((float(quadratic_kappa(counts)[0]), float(auc)))
    means = np.mean([pair for name, pair in zip(names, figures, strict=True) if name != OTHER], 0)
    cells = [f"{kappa:.3f} / {auc:.3f}" for kappa, auc in figures]
    cells.append(f"{means[0]:.4f} / {means[1]:.4f}")
    zero = float((p == 0).any(axis=1).mean())
    return " | ".join([*cells, f"{fitting.log_loss(p, labels):.4f}", f"{zero:.2f}"])


if __name__ == "__main__":
    main()
