"""How much better is it than what the students had? The table of docs/notebook/students.md.

    python bench/comparison.py train [ROW ...]     train and export (resumes)
    python bench/comparison.py test [ROW ...]      read the test split; each row is one look
    python bench/comparison.py table               print the table and the looks

Rows that are trained have a configuration in configs/students. Everything lies in runs/students;
`test` keeps what was found in results.json there. The best epoch is chosen on validation, and so is
everything that is fitted; the test split is read once a row.
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

from fundoscope.data import manifest as manifests
from fundoscope.data.manifest import Manifest, Row
from fundoscope.evaluate.grading.evaluation import cluster_keys, evaluate, scores_of
from fundoscope.evaluate.grading.summary import Subjects, Summary, summarise
from fundoscope.models import bundle as bundles
from fundoscope.reader import Reader
from fundoscope.reading import Reading

CONFIGS, RUNS = Path("configs/students"), Path("runs/students")
RESULTS = RUNS / "results.json"
SHIPPED = "shipped"
BY_SHAPE = "one-model-a-shape"
SHAPE_ALONE = "shape-alone"
ROWS = {
    "theirs": "theirs: one sigmoid, RMSProp, 200x300, squashed",
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
"""Width over height from which the model of 3:2 is asked, else that of square ones; the few
photographs of 4:3 lie beside both."""
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
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("what", choices=("train", "test", "table"))
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/grading/grading.csv"))
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    if args.what == "train":
        for name in args.rows or TRAINED:
            train(name, args)
    elif args.what == "test":
        table = manifests.read(args.data)
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
    command += ["--data", str(args.data), "--cache", str(args.cache)]
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
    subjects = Subjects(scores, cluster_keys(rows), {"source": sources, "shape": shapes})
    metrics = summarise(subjects)
    given = np.bincount(scores.given, minlength=6)
    found = {
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
    RESULTS.write_text(json.dumps({**kept, name: found}, indent=1) + "\n")
    print(name, {k: round(v[0], 3) for k, v in found["whole"].items()}, flush=True)


def reader(name: str) -> Any:
    if name == BY_SHAPE:
        folders = (RUNS / f"shape-{shape}.bundle" for shape in ("3-2", "1-1"))
        return ByShape(*(Reader(folder, lesions=False) for folder in folders))
    return Reader(None if name == SHIPPED else RUNS / f"{name}.bundle", lesions=False)


def hashes(name: str) -> list[str]:
    if name == SHAPE_ALONE:
        return []
    one = reader(name)
    readers = (one.wide, one.square) if isinstance(one, ByShape) else (one,)
    return [model.sha256 for each in readers for model in each.models]


def training(name: str) -> dict[str, Any]:
    """Minutes, photographs seen, best epoch and validation kappa of the row's runs."""
    names = ("shape-3-2", "shape-1-1") if name == BY_SHAPE else (name,)
    lines = [
        [json.loads(text) for text in (RUNS / one / "metrics.jsonl").read_text().splitlines()]
        for one in names
        if (RUNS / one / "metrics.jsonl").is_file()
    ]
    if not lines:
        return {}
    configs = [json.loads((RUNS / one / "config.json").read_text())["config"] for one in names]
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
    """The grades of the 51 training photographs of the nearest shape; fitted on validation."""
    from fundoscope.evaluate.grading.figures import Scores
    from fundoscope.grading import heads
    from fundoscope.train.grading import calibrate

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
    cuts = calibrate.fit_cut_points(heads.expected(p), labels(val), sources)
    gradable = np.array([row.gradable is not False for row in val])
    sick = labels(val) >= heads.REFERABLE_GRADE
    threshold = calibrate.referable_threshold(heads.referable(p)[gradable], sick[gradable])
    referable = heads.referable(q)
    return Scores(
        labels(rows),
        heads.icdr(heads.expected(q), cuts).astype(np.int64),
        referable >= threshold,
        referable,
        q[:, 3:].sum(axis=1),
    )


def print_table() -> None:
    """The table as Markdown, then the rows for docs/test-looks.csv."""
    found = json.loads(RESULTS.read_text())
    print(f"{platform.machine()}, {os.cpu_count()} processors\n")
    print(
        "| row | seed, photographs seen, minutes | accuracy | kappa | AUC | mean kappa | mean AUC |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, title in ROWS.items():
        if name in found:
            one = found[name]
            cells = [span(one["whole"][column]) for column in COLUMNS]
            cells += [span(one["mean"][column]) for column in COLUMNS[1:]]
            print(f"| {title} | {effort(one['training'])} | {' | '.join(cells)} |")
    print("\nOn the photographs of 3:2 alone:\n")
    for name, title in ROWS.items():
        if name in found:
            print(f"| {title} | {' | '.join(span(found[name]['3:2'][c]) for c in COLUMNS)} |")
    print("\nGrades given (0 to 4, none):\n")
    for name in ROWS:
        if name in found:
            print(f"{name}: {found[name]['given']}")
    print("\nLooks:\n")
    for name in ROWS:
        if name in found:
            print(look(name, found[name]))


def effort(training: dict[str, Any]) -> str:
    if not training:
        return ""
    return f"{training['seed']}, {training['photographs']:,}, {training['minutes']:.0f}"


def span(figure: list[float | None]) -> str:
    value, low, high = figure
    if value is None or low is None or high is None:
        return "undefined"
    return f"{value:.3f} ({low:.3f}-{high:.3f})"


def look(name: str, one: dict[str, Any]) -> str:
    whole = "; ".join(f"{column} {one['whole'][column][0]:.4f}" for column in COLUMNS)
    bundle = "+".join(one["bundles"]) or "none (no pixels)"
    return f"{one['date']},{bundle},python bench/comparison.py test {name},test,{one['n']},{whole}"


if __name__ == "__main__":
    main()
