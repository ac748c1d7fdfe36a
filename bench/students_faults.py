"""What three faults of handling data cost, shown on validation photographs.

    python bench/students_faults.py [--runs runs/students] [--data DIR] [--cache cache]

The students trained at one shape and tested at another (`(600, 400)` is height first in Keras, so
that 3:2 photographs became 2:3), normalised validation differently from training, and reported the
accuracy on a part of the test photographs. Needs the runs of bench/comparison.py.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from arguments import add_data, grading_table, parser_of

from fundoscope.grading import inputs
from fundoscope.models.correction import GradeCorrection
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import export, photographs, pictures
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks import normalise
from fundoscope.train.run import folder as runs
from fundoscope.train.run.settings import sides

PART, DRAWS = 100, 10_000


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs/students"))
    add_data(parser)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    args = parser.parse_args()
    table = photographs.read(grading_table(args.data))
    rows = [row for row in table.rows if row.split == photographs.VAL]
    wide = [
        row
        for row in rows
        if abs(float(row.other["width"]) / float(row.other["height"]) - 1.5) < 0.05
    ]

    def figures(run: str, some: list, mode: str | None = None, shape: tuple | None = None) -> str:
        config, _ = configs.of_run(args.runs / run)
        network, _, _ = export.best_network(args.runs / run, config)
        if shape is not None:
            squashed = msgspec.structs.replace(config.data, input=inputs.SQUASH, crop_size=shape)
            config = msgspec.structs.replace(config, data=squashed)
        size = shape or config.stages[-1].size
        wanted = inputs.Input(config.data.input, *sides(size))
        data = pictures.load(table, some, wanted, args.cache)
        mode = mode or config.normalise
        normalisation = networks.normalisation(config.network.name, mode)
        everything = np.arange(len(data.rows))
        outputs = grader.predict(network, data, everything, config, size, normalisation)
        labels = np.array([row.grade for row in data.rows], np.int64)
        measured = grader.measure(outputs, labels, [r.source for r in data.rows], config.head)
        return (
            f"accuracy {measured['accuracy']:.3f}, kappa {measured['kappa']:.3f},"
            f" AUC {measured['auc']:.3f}, log-loss {loss(outputs, labels, config):.3f}"
        )

    print(
        "Validation normalised differently from training"
        f" ({len(rows)} validation photographs, adam.toml)"
    )
    print(f"  as in training (samplewise):    {figures('adam', rows)}")
    print(f"  rescaled only:                  {figures('adam', rows, mode=normalise.RESCALE)}")
    print(f"Height and width in the wrong order ({len(wide)} photographs of 3:2, lite0.toml)")
    print(f"  3:2 as photographed (192x288):  {figures('lite0', wide, shape=(192, 288))}")
    print(f"  made 2:3 (288x192):             {figures('lite0', wide, shape=(288, 192))}")
    print("  (a network with Flatten cannot be tried: its weights fit one height and width only)")
    print(f"The accuracy on a part (the network of lite0.toml, {PART} of {len(rows)} photographs)")
    print(f"  {part(args.runs / 'lite0')}")


def loss(outputs: np.ndarray, labels: np.ndarray, config: GraderConfig) -> float:
    """The mean negative log-likelihood of the labels."""
    from fundoscope.grading import heads

    p = heads.probabilities(outputs, head=config.head)
    return float(-np.log(np.maximum(p[np.arange(len(p)), labels], 1e-7)).mean())


def part(run: Path) -> str:
    """Measure how widely the accuracy on random parts varies."""
    from fundoscope.grading import heads

    lines = runs.metrics(run)
    line = max(lines, key=lambda epoch: epoch["score"])
    stored = np.load(run / f"validation-{line['epoch']:03d}.npz")
    correction = msgspec.convert(line["correction"], GradeCorrection | None)
    p = heads.probabilities(stored["logits"], line["temperature"], correction=correction)
    right = heads.most_probable(p) == stored["labels"]
    random = np.random.default_rng(0)
    draws = np.array([right[random.permutation(len(right))[:PART]].mean() for _ in range(DRAWS)])
    low, high = np.percentile(draws, (2.5, 97.5))
    return (
        f"accuracy on all {right.mean():.3f}; on {DRAWS:,} parts {draws.min():.2f} to"
        f" {draws.max():.2f}, 95 % of them {low:.2f} to {high:.2f}"
    )


if __name__ == "__main__":
    main()
