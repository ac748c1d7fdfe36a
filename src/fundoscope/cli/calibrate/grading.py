"""``fundoscope calibrate grading``: fit a grader's threshold and probabilities."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli import labels as label_tables
from fundoscope.cli.calibrate.options import NewBundle, NewName, Split
from fundoscope.cli.evaluate.reporting import TEST, name_lacking, now
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.options import GraderBundle, Labels, Overwrite, Where, Workers

if TYPE_CHECKING:
    from fundoscope.calibrate.clinic import Fit, Photographs
    from fundoscope.data.manifest import Manifest, Row
    from fundoscope.evaluate.grading.evaluation import Outcome
    from fundoscope.models.bundle import GraderManifest


def grading(
    labels: Labels,
    out: NewBundle,
    split: Split = None,
    where: Where = None,
    grader: GraderBundle = None,
    sensitivity: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            min=0.5,
            max=1.0,
            help="Share of the referable photographs that should be called referable.",
        ),
    ] = 0.90,
    name: NewName = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit the threshold of "referable" and the probabilities to your own photographs.

    The network is not changed. Needs at least 50 labelled photographs, 10 of them of grade 2 to 4
    and 10 of grade 0 or 1. Figures before and after are printed and stored in the new bundle; those
    after come from cross-validation.

    Exit codes: 0 if all photographs were graded, 3 if some were not (the bundle is fitted to the
    others), 2 for wrong use, 1 for any other failure.
    """
    from fundoscope.calibrate import destination
    from fundoscope.calibrate.bundle import calibrate
    from fundoscope.calibrate.clinic import require_enough
    from fundoscope.data.selection import select
    from fundoscope.models import bundle as bundles

    started = now()
    table = label_tables.read(labels)
    selected = select(table, split=split, where=where or ())
    rows = [row for row in selected if row.gradable is not False]
    destination.check(out, overwrite=overwrite, name=name)
    given = grader or bundles.shipped(bundles.GRADING)
    # Before a photograph is read: reading hundreds takes minutes.
    require_enough([row.grade for row in rows], _patients(rows), table.path.name)
    outcomes = _read(table, rows, given, workers or os.cpu_count() or 1)
    graded = [outcome for outcome in outcomes if outcome.grade.probabilities is not None]
    photographs = _photographs(graded, table.path.name)
    result, manifest = calibrate(
        given,
        out,
        photographs,
        sensitivity=sensitivity,
        table_sha256=table.sha256,
        fitted_at=started,
        name=name,
    )
    _print(result, manifest, out, photographs.drawn_by)
    if any(row.split == TEST for row in rows):
        typer.echo("fitted to rows of the split test, which can no longer test it", err=True)
    lacking = [(o.row.image, o.reason, o.remedy) for o in outcomes if o not in graded]
    if name_lacking(lacking):
        raise typer.Exit(INCOMPLETE)


def _patients(rows: Sequence[Row]) -> tuple[tuple[str, ...], ...]:
    from fundoscope.evaluate.grading.evaluation import cluster_keys

    return cluster_keys(rows)


def _read(table: Manifest, rows: Sequence[Row], given: Path, workers: int) -> tuple[Outcome, ...]:
    """Grade the photographs without the bundle's correction.

    Raises:
        UsageError: no photograph exists, or the bundle's grades cannot be corrected.
    """
    from fundoscope.cli.terminal import terminal
    from fundoscope.errors import UsageError
    from fundoscope.evaluate.grading.evaluation import read_rows
    from fundoscope.grading import grader as graders
    from fundoscope.grading import heads
    from fundoscope.reader import Reader

    loaded = graders.load(given)
    if loaded.manifest.head == heads.SIGMOID:
        raise UsageError(
            loaded.manifest.name,
            "only tells grade 0 from grade 1, so nothing can be fitted",
            "name another bundle with --grader",
        )
    reader = Reader(graders.uncorrected(loaded), lesions=False)
    with terminal(len(rows)) as screen:
        return read_rows(table, rows, reader, workers=workers, on_read=screen.advance)


def _photographs(graded: Sequence[Outcome], title: str) -> Photographs:
    """The labels and the probabilities of graded photographs.

    Raises:
        UsageError: they are too few.
    """
    import numpy as np

    from fundoscope.calibrate.clinic import Photographs, require_enough
    from fundoscope.evaluate.intervals import drawn_by

    rows = [outcome.row for outcome in graded]
    patients = _patients(rows)
    require_enough([row.grade for row in rows], patients, title)
    return Photographs(
        np.array([outcome.grade.probabilities for outcome in graded], dtype=np.float64),
        np.array([row.grade for row in rows], dtype=np.int64),
        patients,
        drawn_by(kind for kind, *_ in patients),
    )


def _print(result: Fit, manifest: GraderManifest, out: Path, drawn_by: str) -> None:
    from fundoscope.calibrate.clinic import NAMES
    from fundoscope.quoting import printable

    record = manifest.recalibrated
    if record is not None:
        typer.echo(
            f"{record.photographs} photographs, {record.referable} of them referable; after:"
            f" by cross-validation in {record.folds} parts; 95 % intervals by {drawn_by}"
        )
    for name in NAMES:
        before, after = result.before[name].in_words(), result.after[name].in_words()
        typer.echo(
            f"{name.replace('_', ' ').replace('auc', 'AUC')}: {before} before, {after} after"
        )
    typer.echo(
        f"{printable(str(out))}: {manifest.name}, referable from a probability of"
        f" {manifest.referable_threshold:.4f}"
    )
