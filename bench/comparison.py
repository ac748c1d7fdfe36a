"""How much better is the grader than the students' networks?

Prints the table of docs/notebook/students.md.

    python bench/comparison.py train [ROW ...]     train and export (resumes)
    python bench/comparison.py test [ROW ...]      read the test split; each row is one look
    python bench/comparison.py table               print the table and the looks

`train` and `test` take the data from `--data DIR`. Trained rows have a configuration in
configs/students. Everything is written to runs/students, the figures of `test` to results.json
there. The best epoch, and everything else that is fitted, is chosen on validation; the test split
is read once for each row.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from arguments import add_data, grading_table, parser_of

from fundoscope.data import manifest as manifests
from fundoscope.data.manifest import Manifest, Row
from fundoscope.evaluate.grading.evaluation import cluster_keys, evaluate, scores_of
from fundoscope.evaluate.grading.summary import ScoredPhotographs, Summary, summarise
from fundoscope.models import bundle as bundles
from fundoscope.reader import Reader
from fundoscope.reading import Reading

CONFIGS, RUNS = Path("configs/students"), Path("runs/students")
RESULTS = RUNS / "results.json"
SHIPPED = "shipped"
BY_SHAPE = "one-model-a-shape"
SHAPE_ALONE = "shape-alone"
ROWS = {
    "theirs": "the students': one sigmoid, RMSProp, 200x300, squashed",
    "five-classes": "the same with five classes",
    "adam": "five classes, Adam",
    "large": "the same at 400x600",
    "cropped": "the same cropped to the field (244x244)",
    "pyramid": "spatial pyramid pooling, every shape (area of 200x300)",
    BY_SHAPE: "one model a shape (3:2 and square)",
    "lite0-from-nothing": "EfficientNet-Lite0 at 192 px, no pre-training",
    "lite0": "the same from ImageNet",
    SHIPPED: "the shipped grader",
    SHAPE_ALONE: "the shape of the photograph alone, no pixels",
}
TRAINED = (
    *(name for name in ROWS if (CONFIGS / f"{name}.toml").is_file()),
    "shape-3-2",
    "shape-1-1",
)
WIDE = 1.3
"""Width over height from which the model of 3:2 is used, otherwise that of square photographs; the
few photographs of 4:3 fit neither."""
SPREAD = 0.03
NEIGHBOURS = 51
COLUMNS = ("accuracy", "quadratic_kappa", "referable_auc")


@dataclass(frozen=True)
class ByShape:
    """Reads each photograph with the model of its shape."""

    wide: Reader
    square: Reader

    def read(self, source: Path, /) -> Reading:
        from fundoscope.train.grading.photographs import aspect

        return (self.wide if (aspect(source) or 1.0) >= WIDE else self.square).read(source)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("what", choices=("train", "test", "table"))
    parser.add_argument("rows", nargs="*")
    add_data(parser)
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.what == "train":
        for name in args.rows or TRAINED:
            train(name, args)
    elif args.what == "test":
        table = manifests.read(grading_table(args.data))
        for name in args.rows or ROWS:
            test(name, table)
    else:
        print_table()


def train(name: str, args: argparse.Namespace) -> None:
    """Train and export one row with the command line, as a user would."""
    run, bundle = RUNS / name, RUNS / f"{name}.bundle"
    if (bundle / bundles.MANIFEST).is_file():
        return
    command = [sys.executable, "-m", "fundoscope", "train", "grader", str(CONFIGS / f"{name}.toml")]
    command += ["--out", str(run), "--bundle", str(bundle), "--threads", str(args.threads)]
    command += ["--data", str(grading_table(args.data)), "--cache", str(args.cache)]
    print(" ".join(command[1:]), flush=True)
    subprocess.run(command, check=True)


def test(name: str, table: Manifest) -> None:
    """Read the test split once and keep the figures."""
    rows = table.of_split("test")
    started = datetime.now(UTC)
    scores = (
        shape_alone(table, rows)
        if name == SHAPE_ALONE
        else scores_of(evaluate(table, rows, reader(name), workers=os.cpu_count() or 1).outcomes)
    )
    shapes = tuple("3:2" if abs(aspect_of(row) / 1.5 - 1) <= SPREAD else "other" for row in rows)
    sources = tuple(row.source for row in rows)
    columns = {"source": sources, "shape": shapes}
    metrics = summarise(ScoredPhotographs(scores, cluster_keys(rows), columns))
    given = np.bincount(scores.given, minlength=6)
    measured = {
        "bundles": hashes(name),
        "date": f"{started:%Y-%m-%d}",
        "n": len(rows),
        "whole": figures(metrics.whole),
        "source": {k: figures(s) for k, s in metrics.by["source"].values.items()},
        "mean": {k: [f.value, f.low, f.high] for k, f in metrics.by["source"].mean.items()},
        "3:2": figures(metrics.by["shape"].values["3:2"]),
        "given": given.tolist(),
        "training": training(name),
    }
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({**kept, name: measured}, indent=1) + "\n")
    print(name, {k: round(v[0], 3) for k, v in measured["whole"].items()}, flush=True)


def reader(name: str) -> Any:
    if name == BY_SHAPE:
        folders = (RUNS / f"shape-{shape}.bundle" for shape in ("3-2", "1-1"))
        return ByShape(*(Reader(folder, lesions=False) for folder in folders))
    return Reader(None if name == SHIPPED else RUNS / f"{name}.bundle", lesions=False)


def hashes(name: str) -> list[str]:
    if name == SHAPE_ALONE:
        return []
    used = reader(name)
    readers = (used.wide, used.square) if isinstance(used, ByShape) else (used,)
    return [model.sha256 for each in readers for model in each.models]


def training(name: str) -> dict[str, Any]:
    """Collect minutes, photographs seen, best epoch and validation kappa of the row's runs."""
    names = ("shape-3-2", "shape-1-1") if name == BY_SHAPE else (name,)
    lines = [
        [json.loads(text) for text in (RUNS / run / "metrics.jsonl").read_text().splitlines()]
        for run in names
        if (RUNS / run / "metrics.jsonl").is_file()
    ]
    if not lines:
        return {}
    configs = [json.loads((RUNS / run / "config.json").read_text())["config"] for run in names]
    best = [max(run, key=lambda line: line["score"] or -1) for run in lines]
    return {
        "seed": configs[0]["seed"],
        "minutes": sum(run[-1]["training_seconds"] for run in lines) / 60,
        "photographs": sum(
            run[-1]["step"] * config["optimiser"]["batch"]
            for run, config in zip(lines, configs, strict=True)
        ),
        "epoch": [
            f"{line['epoch'] + 1} of {len(run)}" for line, run in zip(best, lines, strict=True)
        ],
        "validation_kappa": [line["score"] for line in best],
    }


def figures(summary: Summary) -> dict[str, list[float | None]]:
    return {
        name: [summary.figures[name].value, summary.figures[name].low, summary.figures[name].high]
        for name in COLUMNS
    }


def aspect_of(row: Row) -> float:
    return float(row.other["width"]) / float(row.other["height"])


def shape_alone(table: Manifest, rows: tuple[Row, ...]) -> Any:
    """Grade by the 51 training photographs of the nearest shape; cut-points from validation."""
    from fundoscope.calibrate import fitting
    from fundoscope.evaluate.grading.figures import Scores
    from fundoscope.grading import heads
    from fundoscope.train.grading import calibrate, cut_points

    def shape(some: tuple[Row, ...]) -> Any:
        return np.array([float(r.other["aspect_orig"] or aspect_of(r)) for r in some])

    def labels(some: tuple[Row, ...]) -> Any:
        return np.array([row.grade for row in some], np.int64)

    known, val = table.of_split("train"), table.of_split("val")
    shapes, grades = shape(known), labels(known)

    def shares(some: tuple[Row, ...]) -> Any:
        near = np.argsort(np.abs(shape(some)[:, None] - shapes), axis=1, kind="stable")
        return np.eye(heads.GRADE_COUNT)[grades[near[:, :NEIGHBOURS]]].mean(axis=1)

    p, q = shares(val), shares(rows)
    _, sources = calibrate.source_numbers([row.source for row in val])
    cuts = cut_points.fit_cut_points(heads.expected(p), labels(val), sources)
    gradable = np.array([row.gradable is not False for row in val])
    positive = labels(val) >= heads.REFERABLE_GRADE
    threshold = fitting.referable_threshold(
        heads.referable(p)[gradable], positive[gradable], calibrate.TARGET_SENSITIVITY
    )
    referable = heads.referable(q)
    return Scores(
        labels(rows),
        heads.icdr(heads.expected(q), cuts).astype(np.int64),
        referable >= threshold,
        referable,
        q[:, 3:].sum(axis=1),
    )


def print_table() -> None:
    """Print the table as Markdown, then the rows for docs/test-looks.csv."""
    results = json.loads(RESULTS.read_text())
    print(f"{platform.machine()}, {os.cpu_count()} processors\n")
    print(
        "| row | seed, photographs seen, minutes | accuracy | kappa | AUC | mean kappa | mean AUC |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, title in ROWS.items():
        if name in results:
            row = results[name]
            cells = [span(row["whole"][column]) for column in COLUMNS]
            cells += [span(row["mean"][column]) for column in COLUMNS[1:]]
            print(f"| {title} | {effort(row['training'])} | {' | '.join(cells)} |")
    print("\nOn the 3:2 photographs alone:\n")
    for name, title in ROWS.items():
        if name in results:
            print(f"| {title} | {' | '.join(span(results[name]['3:2'][c]) for c in COLUMNS)} |")
    print("\nGrades given (0 to 4, none):\n")
    for name in ROWS:
        if name in results:
            print(f"{name}: {results[name]['given']}")
    print("\nLooks:\n")
    for name in ROWS:
        if name in results:
            print(look(name, results[name]))


def effort(training: dict[str, Any]) -> str:
    if not training:
        return ""
    return f"{training['seed']}, {training['photographs']:,}, {training['minutes']:.0f}"


def span(figure: list[float | None]) -> str:
    value, low, high = figure
    if value is None or low is None or high is None:
        return "undefined"
    return f"{value:.3f} ({low:.3f}-{high:.3f})"


def look(name: str, row: dict[str, Any]) -> str:
    whole = "; ".join(f"{column} {row['whole'][column][0]:.4f}" for column in COLUMNS)
    bundle = "+".join(row["bundles"]) or "none (no pixels)"
    return f"{row['date']},{bundle},python bench/comparison.py test {name},test,{row['n']},{whole}"


if __name__ == "__main__":
    main()
