"""``fundoscope calibrate quality``: fit the limits of quality to a clinic's camera."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli.calibrate.options import NewBundle
from fundoscope.cli.evaluate.reporting import name_lacking
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.options import GraderBundle, Overwrite, Workers

if TYPE_CHECKING:
    from fundoscope.batch.inputs import Input
    from fundoscope.errors import PhotoError
    from fundoscope.reading import Reading


def quality(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="Folder of photographs that can be graded.", show_default=False
        ),
    ],
    out: NewBundle,
    grader: GraderBundle = None,
    workers: Workers = None,
    overwrite: Overwrite = False,
) -> None:
    """Fit the limits of "not gradable" to photographs of your camera that can be graded.

    Needs at least 50 photographs. Each limit is set so that about 2 % of them, or fewer, are above
    it; leave out those that nobody could grade. Neither the network nor the grades change.

    Exit codes: 0 if all photographs were read, 3 if some were not (the limits are fitted to the
    others), 2 for wrong use, 1 for any other failure.
    """
    from fundoscope.batch import processors
    from fundoscope.batch.inputs import gather
    from fundoscope.calibrate import destination
    from fundoscope.calibrate.judging import bundle as judged
    from fundoscope.errors import PhotoError, UsageError
    from fundoscope.models import bundle as bundles
    from fundoscope.reader import Reader

    destination.check(out, overwrite=overwrite)
    given = grader or bundles.shipped(bundles.GRADING)
    earlier = bundles.load_grader(given).manifest.judge
    if earlier is None:
        raise UsageError(
            given.name, "has no judge of quality", "fit one first: fundoscope calibrate judge"
        )
    photographs = gather([folder], leave_out=out).photographs
    if any(photograph.archive for photograph in photographs):
        raise UsageError(str(folder), "is an archive", "unpack it, and name its folder")
    reader = Reader(given, lesions=False, force=True)
    paths = [photograph.path for photograph in photographs]
    readings = list(reader.read_many(paths, workers=workers or processors.available()))
    read = [each for each in readings if not isinstance(each, PhotoError)]
    qualities = [reading.quality for reading in read if reading.quality.score is not None]
    fitted = judged.for_clinic(earlier, qualities, folder.name)
    manifest = judged.with_judge(given, out, fitted)
    before, after = (judged.refused(judge, qualities) for judge in (earlier, fitted))
    typer.echo(
        f"{out}: {manifest.name}, fitted to {len(qualities)} photographs; not gradable:"
        f" {before} before, {after} now"
    )
    lacking = [
        (_below(folder, photograph), *_why_lacking(each))
        for photograph, each in zip(photographs, readings, strict=True)
        if isinstance(each, PhotoError) or each.quality.score is None
    ]
    if name_lacking(lacking):
        raise typer.Exit(INCOMPLETE)


def _below(folder: Path, photograph: Input) -> str:
    """The path of a photograph below the folder; the photographs of a list need not be there."""
    path = photograph.path
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else photograph.image


def _why_lacking(each: Reading | PhotoError) -> tuple[str, str]:
    """Reason and remedy of a photograph whose quality is not known."""
    from fundoscope.errors import PhotoError
    from fundoscope.photo.reasons import NO_FIELD, OTHERWISE

    if isinstance(each, PhotoError):
        return each.why, each.remedy
    return NO_FIELD.get(each.field.reason or "", OTHERWISE)
