"""``fundoscope calibrate judge``: fit the judge of a grader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli import labels as label_tables
from fundoscope.cli.calibrate.options import NewBundle
from fundoscope.cli.evaluate.reporting import name_lacking
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.options import GraderBundle, Labels, Overwrite
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.calibrate.judging.features import Lacking
    from fundoscope.data.manifest import Row

TRAINED_ON = ("train", "val")
"""The splits that are used."""


def judge(
    labels: Labels,
    natural: Annotated[
        Path,
        typer.Option(metavar="DIR", help="Folder of pictures that do not show a retina."),
    ],
    out: NewBundle,
    cache: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder that keeps features between runs.")
    ],
    grader: GraderBundle = None,
    most: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Use at most N photographs of each source whose photographs are all gradable, and"
            " at most N pictures of each subfolder of --natural.",
        ),
    ] = None,
    unlabelled: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Source whose ungradable photographs are not marked. It is not used to fit image"
            " quality. Repeat it for several.",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit a grader's input check: is it a retina, gradable, and like the training photographs?

    The network is not changed. It must give its features and stages: see `fundoscope bundle
    features`. Uses the splits train and val of the table, with its columns gradable and
    quality_eyeq.

    Exit codes: 0 if all photographs were used, 3 if some were not (the judge is fitted to the
    others; ungradable photographs without a field of view do not count), 2 for wrong use, 1 for any
    other failure.
    """
    from fundoscope.calibrate import destination
    from fundoscope.calibrate.judging import bundle as judged
    from fundoscope.calibrate.judging import features, fit
    from fundoscope.calibrate.judging.measured import beside, together
    from fundoscope.cli.extras import CALIBRATE_JUDGE, require
    from fundoscope.grading import grader as graders
    from fundoscope.models import bundle as bundles

    require("fundoscope calibrate judge", CALIBRATE_JUDGE)
    table = label_tables.read(labels)
    destination.check(out, overwrite=overwrite)
    given = grader or bundles.shipped(bundles.GRADING)
    loaded = graders.load(given)
    if not graders.gives_features(loaded):
        raise UsageError(
            given.name,
            "gives no features of its stages, so no judge can be fitted to it",
            "add them with fundoscope bundle features; its network must have residual blocks",
        )
    rows = features.chosen([row for row in table.rows if row.split in TRAINED_ON], most)
    pictures = features.pictures_in(natural, most)
    _require_material([row for row in rows if row.source not in (unlabelled or ())], labels)
    _require_pictures(pictures, natural)
    for row in rows:
        fit.eyeq(row)  # before any photograph is read
    paths = [table.photograph(row) for row in rows]
    photographs = features.of_rows(loaded, rows, paths, cache / "photographs")
    lacking = features.lacking(loaded, rows, paths, photographs)
    measured = beside(
        photographs,
        features.of_slides(loaded, rows, paths, cache / "slides"),
    )
    others = together(
        features.of_pictures(loaded, pictures, cache / "natural"),
        features.of_impostors(loaded, cache / "impostors"),
    )
    phantoms = features.of_phantoms(loaded, cache / "phantoms")
    fitted, kept = fit.judge(fit.material(measured, rows, others, phantoms, unlabelled or ()))
    manifest = judged.with_judge(given, out, fitted)
    for source, share in kept.items():
        typer.echo(
            f"{source or 'one source'}, left out of the fit: {share.photographs} photographs,"
            f" {share.retina:.3f} taken for a retina, {share.gradable:.3f} of these gradable"
        )
    typer.echo(
        f"{out}: {manifest.name}, judge fitted to {sum(fitted.fitted_on.values())} photographs and"
        f" {len(set(others.place.tolist()))} other pictures"
    )
    if _name_lacking(lacking):
        raise typer.Exit(INCOMPLETE)


def _name_lacking(lacking: Sequence[Lacking]) -> bool:
    """Name the photographs that were not used; whether there are any that should have been.

    On some photographs that nobody could grade no field of view is located: they are counted.
    """
    expected = [each.opened and each.row.gradable is False for each in lacking]
    if any(expected):
        count = sum(expected)
        typer.echo(f"{count} ungradable photographs show no field of view and were not used")
    return name_lacking(
        [
            (each.row.image, each.reason, each.remedy)
            for each, known in zip(lacking, expected, strict=True)
            if not known
        ]
    )


def _require_pictures(pictures: Sequence[Path], natural: Path) -> None:
    if not pictures:
        raise UsageError(
            f"--natural {natural}", "holds no pictures", "name a folder of pictures of other things"
        )


def _require_material(rows: Sequence[Row], labels: Path) -> None:
    """Refuse, before photographs are read, what the fit could not learn from.

    Args:
        rows: of sources whose ungradable photographs are marked.
        labels: their table.
    """
    ungradable = {row.source for row in rows if row.gradable is False}
    if not ungradable:
        raise UsageError(
            str(labels),
            f"has no photograph with gradable = 0 in the splits {' and '.join(TRAINED_ON)}",
            "mark ungradable photographs, or join a table that has some",
        )
    if ungradable.issuperset(row.source for row in rows):
        raise UsageError(
            str(labels),
            "has ungradable photographs in every source, so no limit can be fitted",
            "add a source whose photographs are all gradable",
        )
