"""Compare the validation figures of training runs in a table for docs/notebook/grader.md.

    python bench/study.py RUN ...                      # each run's last and best epoch
    python bench/study.py RUN --sizes 288 320 384 448  # a run's best epoch at other input sizes

Mean over the sources and each source: quadratic kappa (one set of cut-points, fitted on validation)
and referable AUC. No test photograph is read. The second form needs the photographs; for sizes
larger than the run's `data.crop_size` new crops are made. Needs [train].
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import export, photographs, pictures
from fundoscope.train.grading import training as grader
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.run import folder as runs
from fundoscope.train.run.settings import sides


def row(title: str, line: dict[str, Any], sources: list[str]) -> str:
    """Write one line of the table; a source that was not used has a dash."""
    means = pair(line.get("mean_kappa", line["score"]), line["mean_auc"], 4)
    by_source = line["by_source"]
    given = (by_source.get(source) for source in sources)
    cells = ["-" if each is None else pair(each["kappa"], each["auc"], 3) for each in given]
    return " | ".join(("", title, means, *cells, "")).strip()


def pair(kappa: float | None, auc: float | None, digits: int) -> str:
    """Write two figures; one that is undefined has a dash."""
    first = "-" if kappa is None else f"{kappa:.3f}"
    return f"{first} / {'-' if auc is None else f'{auc:.{digits}f}'}"


def head(sources: list[str]) -> str:
    """Write the first two lines of the table."""
    titles = ["run", "mean", *sources]
    return "\n".join((" | ".join(("", *titles, "")).strip(), "|" + "---|" * len(titles)))


def at_size(run: Path, size: int, cache: Path) -> dict[str, Any]:
    """Measure a run's best epoch on validation photographs of another size."""
    config, _ = configs.of_run(run)
    network, _, _ = export.best_network(run, config)
    data = msgspec.structs.replace(config.data, crop_size=max(size, *sides(config.data.crop_size)))
    table = photographs.read(data.manifest)
    chosen = photographs.choose(table, data, config.seed)
    val = [photograph for photograph in chosen if photograph.split == photographs.VAL]
    shown = pictures.load(table, val, data.wanted, cache)
    normalisation = networks.normalisation(config.network.name, config.normalise)
    everything = np.arange(len(shown.rows))
    outputs = grader.predict(network, shown, everything, config, size, normalisation)
    labels = np.array([photograph.grade for photograph in shown.rows])
    sources = [photograph.source for photograph in shown.rows]
    return grader.measure(outputs, labels, sources, config.head)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--sizes", nargs="*", type=int, default=[])
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    args = parser.parse_args()
    lines: list[tuple[str, dict[str, Any]]] = []
    for run in args.runs:
        if args.sizes:
            lines += [(f"{run.name} at {n} px", at_size(run, n, args.cache)) for n in args.sizes]
            continue
        epochs = runs.metrics(run)
        if not epochs or runs.averaged(run):
            raise UsageError(
                str(run), "has no evaluated epoch", "evaluate its network with --sizes"
            )
        best = max(epochs, key=lambda line: -math.inf if line["score"] is None else line["score"])
        for line in {best["epoch"]: best, epochs[-1]["epoch"]: epochs[-1]}.values():
            minutes = line["training_seconds"] / 60
            title = f"{run.name}, epoch {line['epoch'] + 1}, {line['size']} px, {minutes:.0f} min"
            lines.append((title, line))
    sources = sorted({source for _, line in lines for source in line["by_source"]})
    print(head(sources))
    for title, line in lines:
        print(row(title, line, sources))


if __name__ == "__main__":
    try:
        main()
    except FundoscopeError as error:
        raise SystemExit(str(error)) from None
