"""``fundoscope calibrate lesion-grade``: fit the grade that lesions alone tell."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli import labels as label_tables
from fundoscope.cli.calibrate.options import NewBundle, Split, share
from fundoscope.cli.evaluate.reporting import TEST, name_lacking, now
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.options import DetectorBundle, GraderBundle, Labels, Overwrite, Where, Workers

if TYPE_CHECKING:
    from fundoscope.calibrate.lesion_grade.fit import Fitted, Material
    from fundoscope.calibrate.lesion_grade.photographs import Looked
    from fundoscope.data.manifest import Row


def lesion_grade(
    labels: Labels,
    out: NewBundle,
    cache: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder that keeps features between runs.")
    ],
    split: Split = None,
    where: Where = None,
    reserved: Annotated[
        bool,
        typer.Option(
            "--reserved",
            help="Use only the reserved patients (one in four), on whom no detector is trained.",
        ),
    ] = False,
    healthy_share: Annotated[
        float,
        share(
            "Largest share of the healthy eyes of a source on which lesions may be drawn because of"
            " their combined probability. Healthy eyes that the grader grades 2 or more may add to"
            " it."
        ),
    ] = 0.05,
    detector: DetectorBundle = None,
    grader: GraderBundle = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit the model that grades by lesions alone, to photographs unknown to the detector.

    The network is not changed. Prints how well the grade agrees with the readers', by source, on
    photographs that it was not fitted to. Run the same command again to resume a stopped run.

    If grade and lesions together suggest a healthy eye, its lesions are counted but not drawn. The
    limit for this is fitted to the healthy eyes.

    Exit codes: 0 if all photographs were read, 3 if some were not (the bundle is fitted to the
    others), 2 for wrong use, 1 for any other failure.
    """
    from fundoscope.calibrate import destination
    from fundoscope.calibrate.lesion_grade import bundle as written
    from fundoscope.calibrate.lesion_grade import fit, photographs
    from fundoscope.calibrate.looking import Networks
    from fundoscope.cli.terminal import terminal
    from fundoscope.data import reserved as reserve
    from fundoscope.data.selection import select
    from fundoscope.grading import grader as graders
    from fundoscope.lesions import detector as detectors
    from fundoscope.lesions import landmarks
    from fundoscope.models import bundle as bundles
    from fundoscope.quoting import printable

    started = now()
    table = label_tables.read(labels)
    rows = [
        row
        for row in select(table, split=split, where=where or ())
        if row.gradable is not False and (not reserved or reserve.is_reserved(row))
    ]
    destination.check(out, overwrite=overwrite)
    given = detector or bundles.shipped(bundles.DETECTION)
    networks = Networks(detectors.load(given), landmarks.load(), graders.load(grader))
    with terminal(len(rows)) as screen:
        looked = photographs.look(
            table,
            rows,
            networks,
            cache,
            workers=workers or os.cpu_count() or 1,
            on_read=screen.advance,
        )
    material = _material(looked, rows)
    fitted = fit.fit(material, healthy_share)
    manifest = written.with_model(
        given, out, fitted.model, fitted.figures, table_sha256=table.sha256, fitted_at=started
    )
    _print(fitted, looked)
    typer.echo(f"{printable(str(out))}: {manifest.name}")
    if any(row.split == TEST for row in rows):
        typer.echo("fitted to rows of the split test, which can no longer test it", err=True)
    if name_lacking([(each.image, *each.problem) for each in looked if each.problem]):
        raise typer.Exit(INCOMPLETE)


def _material(looked: Sequence[Looked], rows: Sequence[Row]) -> Material:
    """What to fit to: the photographs that the detector read."""
    from fundoscope.calibrate.known_lesions import is_healthy
    from fundoscope.calibrate.lesion_grade import fit
    from fundoscope.data.leaks import keys

    # The first key, not the cluster: one joined cluster would deal all folds anew, and the figures
    # of earlier fits could not be repeated.
    used = [
        (each.features, row, next(keys(row)))
        for each, row in zip(looked, rows, strict=True)
        if each.features is not None
    ]
    return fit.material(
        [features for features, _, _ in used],
        [row.grade for _, row, _ in used],
        [row.source for _, row, _ in used],
        [patient for _, _, patient in used],
        [is_healthy(row) for _, row, _ in used],
    )


def _print(fitted: Fitted, looked: Sequence[Looked]) -> None:
    for name, accuracy in fitted.figures.items():
        typer.echo(
            f"{name or 'all'}: {accuracy.photographs} photographs,"
            f" quadratic kappa {accuracy.kappa:.3f}, AUC of referable {accuracy.auc:.3f},"
            f" lesions drawn on {accuracy.healthy_drawn:.3f} of the healthy eyes and on"
            f" {accuracy.referable_drawn:.3f} of the referable ones"
        )
    typer.echo(f"lesions are drawn from a probability of {fitted.model.drawn_from:.4f} on")
    small = sum(each.features is None and each.problem is None for each in looked)
    if small:
        typer.echo(f"{small} photographs were left out: too small for the detector, or overexposed")
