"""``fundoscope calibrate lesions``: fit when a kind of lesion counts as present."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli import labels as label_tables
from fundoscope.cli.calibrate.options import NewBundle, NewName, Split, share
from fundoscope.cli.evaluate.reporting import TEST, name_lacking, now
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.options import DetectorBundle, GraderBundle, Labels, Overwrite, Where, Workers

if TYPE_CHECKING:
    from fundoscope.calibrate.presence import FittedPresence
    from fundoscope.models.bundle import DetectorManifest


def lesions(
    labels: Labels,
    out: NewBundle,
    split: Split = None,
    where: Where = None,
    detector: DetectorBundle = None,
    grader: GraderBundle = None,
    healthy_share: Annotated[
        float,
        share("Largest share of the healthy eyes of a source on which a kind may be present."),
    ] = 0.10,
    raise_thresholds: Annotated[
        bool,
        typer.Option(
            "--raise-thresholds",
            help="Also draw fewer boxes: no more than that share of healthy eyes has one.",
        ),
    ] = False,
    name: NewName = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit when a kind of lesion counts as present in an eye, to photographs of your own.

    The network is not changed. Which kinds an eye has follows from its grade, as far as that
    goes: none at grade 0, only microaneurysms at grade 1. A column such as has_haemorrhage (0 or 1)
    says it directly. A kind needs 10 photographs with it and 10 without it.

    Exit codes: 0 if all photographs were read, 3 if some were not (the bundle is fitted to the
    others), 2 for wrong use, 1 for any other failure.
    """
    from fundoscope.calibrate import boxes, destination
    from fundoscope.calibrate.known_lesions import is_healthy, known
    from fundoscope.calibrate.lesions import Choices, calibrate, require_enough
    from fundoscope.calibrate.looking import Networks
    from fundoscope.cli.terminal import terminal
    from fundoscope.data.selection import select
    from fundoscope.grading import grader as graders
    from fundoscope.lesions import detector as detectors
    from fundoscope.lesions import landmarks
    from fundoscope.models import bundle as bundles

    started = now()
    table = label_tables.read(labels)
    rows = [
        row for row in select(table, split=split, where=where or ()) if row.gradable is not False
    ]
    destination.check(out, overwrite=overwrite, name=name)
    # Before a photograph is read: reading hundreds takes minutes.
    require_enough([known(row) for row in rows], sum(map(is_healthy, rows)), healthy_share)
    given = detector or bundles.shipped(bundles.DETECTION)
    networks = Networks(detectors.load(given), landmarks.load(), graders.load(grader))
    with terminal(len(rows)) as screen:
        photographs, unread = boxes.read(
            table, rows, networks, workers=workers or os.cpu_count() or 1, on_read=screen.advance
        )
    fitted, manifest = calibrate(
        given,
        out,
        photographs,
        Choices(healthy_share=healthy_share, raise_thresholds=raise_thresholds),
        table_sha256=table.sha256,
        fitted_at=started,
        name=name,
    )
    _print(fitted, manifest, out)
    if any(row.split == TEST for row in rows):
        typer.echo("fitted to rows of the split test, which can no longer test it", err=True)
    if name_lacking([(each.image, each.reason, each.remedy) for each in unread]):
        raise typer.Exit(INCOMPLETE)


def _print(fitted: Mapping[str, FittedPresence], manifest: DetectorManifest, out: Path) -> None:
    from fundoscope.quoting import printable
    from fundoscope.report.kind_names import kind_in_words

    for kind, fit in fitted.items():
        healthy = ", ".join(
            f"{share:.2f} of {source or 'one source'}"
            for source, share in fit.healthy_present.items()
        )
        typer.echo(
            f"{kind_in_words(kind, 0)}: {fit.photographs} photographs, {fit.with_kind} with them;"
            f" AUC {fit.auc:.3f}, present on {fit.sensitivity:.2f} of those, and on healthy eyes:"
            f" {healthy or 'none read'}"
        )
    typer.echo(f"{printable(str(out))}: {manifest.name}")
