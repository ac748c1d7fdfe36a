"""How good is a grader on cameras and patients that it never saw? Every source is left out once.

    python bench/leave_one_source_out.py configs/leave-one-out.toml [--out runs/leave-one-out]

For each source of the label table: trains the configuration's grader without its photographs
(`data.without`), exports it, and reads the source's test split with it. Messidor-2 is read on all
its rows (`--whole`), as others report it. Epoch, cut-points, temperature and threshold come from
the validation of the other sources. A source's further photographs are left out with it. A network
that starts from another grader is refused, because that may have seen what is left out.

Finished steps are not repeated, and a killed training resumes; trainings that were finished on
another machine are taken from `--out`. The table, `leave-one-out.json` and `.md`, is written after
each source, then printed, with a row for docs/test-looks.csv for each look. To try it out,
`--split val` reads validation photographs instead. Needs [train].
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fundoscope.cli import main as command_line
from fundoscope.cli.train.progress import watching_grader
from fundoscope.data import manifest as manifests
from fundoscope.errors import FundoscopeError, PhotoError, UsageError
from fundoscope.evaluate.compare import folders
from fundoscope.evaluate.compare.grading import scored_photographs
from fundoscope.evaluate.folder import METRICS, RUN, figure_document, write_json
from fundoscope.evaluate.grading.figures import Scores
from fundoscope.evaluate.grading.summary import AVERAGED, Breakdown, ScoredPhotographs, summarise
from fundoscope.evaluate.intervals import Figure
from fundoscope.models import bundle as bundles
from fundoscope.train.grading import config as configs
from fundoscope.train.grading import export
from fundoscope.train.grading import training as grader
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.photographs import TRAIN
from fundoscope.train.networks import weights
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop

WHOLE = ("messidor2",)
TEST, ANY = "test", "all"
COLUMNS = {
    "referable_auc": "AUC referable",
    "quadratic_kappa": "quadratic kappa",
    "referable_sensitivity": "sensitivity",
    "referable_specificity": "specificity",
}
RESULT = "leave-one-out"
WRITTEN = (0, PhotoError.exit_code)
"""Exit codes of an evaluation that was written, even if some photographs were not graded."""


@dataclass(frozen=True)
class LeftOut:
    """One source that was left out, the grader trained without it, and that grader's results."""

    source: str
    bundle: Path
    results: Path
    read: str
    """The split that was read, or all."""


def main() -> None:
    args = arguments()
    config = configs.replaced(
        configs.read_config(args.config),
        data={"manifest": args.data and str(args.data), "cache": args.cache and str(args.cache)},
        threads=args.threads,
    )
    require_fresh(config)
    known = sources(Path(config.data.manifest))
    wanted = args.source or known
    for source in (*wanted, *args.whole):
        if source not in known and source not in WHOLE:
            raise UsageError(
                source, "is not a source of the table", f"name one of {', '.join(known)}"
            )
    done: list[LeftOut] = []
    for source in wanted:
        read = ANY if source in args.whole and args.split == TEST else args.split
        run = args.out / source
        bundle = train(configs.without(config, source), run, source)
        done.append(
            LeftOut(source, bundle, evaluate(config, run, bundle, source, read, args), read)
        )
        write(done, len(known), args.out)
    print((args.out / f"{RESULT}.md").read_text())
    for row in looks(done, args.config):
        print(row)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/leave-one-out"))
    parser.add_argument("--source", action="append", help="only this one; all by default")
    parser.add_argument(
        "--whole", nargs="*", default=WHOLE, help="sources that are read on all their rows"
    )
    parser.add_argument("--split", default=TEST)
    parser.add_argument("--data", type=Path, help="label table, instead of the configuration's")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    return parser.parse_args()


def require_fresh(config: GraderConfig) -> None:
    """Refuse to start from weights that may have seen the source that is left out."""
    if config.network.init not in weights.BY_NAME:
        raise UsageError(
            f"network.init = {config.network.init}",
            "may have been trained on the source that is left out",
            f"write one of {', '.join(weights.BY_NAME)}",
        )


def sources(table: Path) -> tuple[str, ...]:
    """List the sources with training photographs, sorted by name."""
    return tuple(sorted({row.source for row in manifests.read(table).of_split(TRAIN)}))


def train(config: GraderConfig, run: Path, source: str) -> Path:
    """Train and export, resume, or find that both are done; gives the bundle."""
    bundle = run / "bundle"
    if not (bundle / bundles.MANIFEST).is_file():
        if not finished(config, run):
            print(f"{source}: training without it, in {run}", flush=True)
            with watching_grader() as listeners:
                grader.train(config, run, listeners=listeners)
        export.export(run, bundle, name=f"without-{source}", cache=Path(config.data.cache))
    elif configs.of_run(run)[0] != config:
        raise UsageError(str(run), "holds a run of another configuration", "choose another --out")
    seen = configs.kin(source) & set(bundles.load_grader(bundle).manifest.trained_on.photographs)
    if seen:
        named = " and ".join(sorted(seen))
        raise FundoscopeError(str(bundle), f"was trained on {named}", "remove it and train again")
    return bundle


def finished(config: GraderConfig, run: Path) -> bool:
    """Tell whether all epochs of a configuration are trained, here or elsewhere."""
    if not (run / loop.BEST).is_file() or configs.of_run(run)[0] != config:
        return False
    return len(runs.metrics(run)) == sum(stage.epochs for stage in config.stages)


def evaluate(
    config: GraderConfig, run: Path, bundle: Path, source: str, read: str, args: argparse.Namespace
) -> Path:
    """Read the source's photographs with the bundle, unless that is done; gives the results."""
    out = run / f"evaluation-{read}"
    sha256 = bundles.load_grader(bundle).manifest.model_sha256
    if (out / RUN).is_file():
        models = folders.read(out).run.models
        if [model.sha256 for model in models] == [sha256]:
            return out
    words = ["evaluate", "grading", config.data.manifest, "--where", f"source={source}"]
    words += [] if read == ANY else ["--split", read]
    words += ["--grader", str(bundle), "--workers", str(args.workers)]
    print(f"{source}: reading {read}", flush=True)
    code = command_line.run([*words, "--out", str(out), "--overwrite"])
    if code not in WRITTEN:
        raise SystemExit(code)
    return out


def measure(done: list[LeftOut]) -> Breakdown:
    """Compute the figures of each source by the grader that never saw it, and their mean.

    Each grader has its own threshold, so only the mean is taken over all.
    """
    each = [scored_photographs(left.results) for left in done]
    names = Scores.__dataclass_fields__
    scores = Scores(*(np.concatenate([getattr(s.scores, name) for s in each]) for name in names))
    column = tuple(left.source for left, s in zip(done, each, strict=True) for _ in s.clusters)
    # A row without patient is known by its place, which other tables have as well: add the source.
    keys = tuple((left.source, k) for left, s in zip(done, each, strict=True) for k in s.clusters)
    return summarise(ScoredPhotographs(scores, keys, {"source": column})).by["source"]


def write(done: list[LeftOut], count: int, out: Path) -> None:
    """Write the table so far, as JSON and Markdown."""
    by_source = measure(done)
    write_json(out / f"{RESULT}.json", document(done, by_source, count))
    (out / f"{RESULT}.md").write_text("\n".join(markdown(done, by_source, count)) + "\n")


def document(done: list[LeftOut], by_source: Breakdown, count: int) -> dict[str, Any]:
    return {
        "sources": {left.source: source_document(left, by_source) for left in done},
        "mean": {name: figure_document(figure) for name, figure in by_source.mean.items()},
        "left_out": len(done),
        "of": count,
    }


def source_document(left: LeftOut, by_source: Breakdown) -> dict[str, Any]:
    manifest = bundles.load_grader(left.bundle).manifest
    summary = by_source.values[left.source]
    return {
        "read": left.read,
        "n": summary.n,
        **{name: figure_document(summary.figures[name]) for name in COLUMNS},
        "bundle_sha256": manifest.model_sha256,
        "trained_on": manifest.trained_on.photographs,
        "minutes": manifest.trained_on.minutes,
        "threshold": manifest.referable_threshold,
        "validation": manifest.validation,
    }


def markdown(done: list[LeftOut], by_source: Breakdown, count: int) -> Iterator[str]:
    yield f"| left out | read on | n | {' | '.join(COLUMNS.values())} |"
    yield "|---|---|---|" + "---|" * len(COLUMNS)
    for left in done:
        summary = by_source.values[left.source]
        cells = " | ".join(span(summary.figures[name]) for name in COLUMNS)
        read = "all its rows" if left.read == ANY else left.read
        yield f"| {left.source} | {read} | {summary.n:,} | {cells} |"
    means = " | ".join(f"**{span(by_source.mean[n])}**" if n in AVERAGED else "" for n in COLUMNS)
    yield f"| mean of {len(done)} of {count} | | | {means} |"


def span(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "undefined" if figure.value is None else f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f})"


def looks(done: list[LeftOut], config: Path) -> Iterator[str]:
    """Write the rows for docs/test-looks.csv, one for each reading of test photographs."""
    command = f"python bench/leave_one_source_out.py {config}"
    for left in done:
        if left.read not in (TEST, ANY):
            continue
        run, metrics = (content(left.results / name) for name in (RUN, METRICS))
        figures = {name: metrics[name]["value"] for name in COLUMNS}
        cells = (
            run["finished"][: len("2026-01-01")],
            " ".join(model["sha256"] for model in run["models"]),
            f"{command} (without {left.source})",
            left.read,
            metrics["n"],
            "; ".join(
                f"{name} {value:.4f}" for name, value in figures.items() if value is not None
            ),
        )
        row = io.StringIO()
        csv.writer(row, lineterminator="").writerow(cells)
        yield row.getvalue()


def content(path: Path) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = json.loads(path.read_bytes())
    return loaded


if __name__ == "__main__":
    try:
        main()
    except FundoscopeError as error:
        raise SystemExit(str(error)) from None
