"""Which average of a grader and of the one that it was trained from is best on validation?

    .venv-train/bin/python bench/shares.py CONFIG RUN --earlier BUNDLE \
        --size 320 416 --share 0 0.5 1

Reads the pictures that the configuration names, as its training does, from the cache where they are
there. A share of 0 is the earlier grader, a share of 1 the best epoch of the run. The last rows are
two networks that read the same photographs: their outputs are averaged instead of their weights.
Prints AUC (referable) and kappa for each folder of photographs, and their means. Eyes with other
diseases (where the label table has `other_disease`) get their own column and are left out of the
means.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from fundoscope.data.manifest import Row
from fundoscope.models import bundle as bundles
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import photographs
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.photographs import VAL
from fundoscope.train.grading.pictures import Pictures
from fundoscope.train.networks import catalogue
from fundoscope.train.run import devices, loop

OTHER = "other diseases"
Outputs = dict[str, NDArray[np.float32]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--earlier", type=Path, default=bundles.shipped(bundles.GRADING))
    parser.add_argument("--size", type=int, nargs="+", default=[320, 416])
    parser.add_argument("--share", type=float, nargs="+", default=[0.0, 0.5, 1.0])
    args = parser.parse_args()
    config = configs.read_config(args.config)
    devices.set_up(config)
    data = pictures_of(config)
    positions = data.of_split(VAL)
    rows = [data.rows[i] for i in positions]
    outputs: Outputs = {}
    for size in args.size:
        for share, network in averages(config, args.earlier, args.run, args.share):
            outputs[f"{share:g} of the run, {size} px"] = grader.predict(
                network, data, positions, config, size, normalisation_of(config)
            )
    for one, other in combinations(list(outputs), 2):
        together = (outputs[one] + outputs[other]) / 2
        outputs[f"{one}, and {other}"] = together.astype(np.float32)
    print_table(outputs, rows, config)


def pictures_of(config: GraderConfig) -> Pictures:
    """The pictures of a configuration's first table."""
    table = photographs.read(config.data.manifest)
    rows = photographs.choose(table, config.data, config.seed)
    return grader.pictures_of(config, table, rows, (), None)


def normalisation_of(config: GraderConfig) -> catalogue.Normalisation:
    """The normalisation of a configuration's pictures."""
    return catalogue.normalisation(config.network.name, config.normalise)


def averages(
    config: GraderConfig, earlier: Path, run: Path, shares: list[float]
) -> Iterator[tuple[float, torch.nn.Module]]:
    """The same network with the weights of each share in turn."""
    network = grader.network_of(config, init=str(earlier))
    before = {key: value.clone() for key, value in network.state_dict().items()}
    after = loop.read_checkpoint(run / loop.BEST)["network"]
    network.eval().to(memory_format=torch.channels_last)
    for share in shares:
        network.load_state_dict(
            {
                key: value.lerp(after[key], share) if value.is_floating_point() else value
                for key, value in before.items()
            }
        )
        yield share, network


def source_of(row: Row) -> str:
    """The folder of a row's photograph, which tells more than its source; and other diseases."""
    folder = Path(row.image).parts[-2]
    return f"{folder}, {OTHER}" if row.text("other_disease") else folder


def print_table(outputs: Outputs, rows: list[Row], config: GraderConfig) -> None:
    """Print a line for each network."""
    labels = np.array([row.grade for row in rows], np.int64)
    sources = [source_of(row) for row in rows]
    names = sorted(set(sources))
    print("| network | mean AUC | mean kappa |", " | ".join(names), "|")
    print("|---" * (3 + len(names)), end="|\n")
    for title, each in outputs.items():
        by_source = grader.measure(each, labels, sources, config.head)["by_source"]
        own = [figures for name, figures in by_source.items() if OTHER not in name]
        means = [float(np.mean([figures[key] for figures in own])) for key in ("auc", "kappa")]
        cells = [f"{by_source[name]['auc']:.3f}, {by_source[name]['kappa']:.3f}" for name in names]
        print(f"| {title} | {means[0]:.4f} | {means[1]:.4f} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
