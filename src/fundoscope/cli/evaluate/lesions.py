"""``fundoscope evaluate lesions``: how good a detector is on annotated photographs."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fundoscope.cli.evaluate.reporting import TEST, name_lacking, now, remind, span
from fundoscope.cli.extras import require
from fundoscope.errors import PhotoError

if TYPE_CHECKING:
    from fundoscope.evaluate.intervals import Figure
    from fundoscope.evaluate.lesions.evaluation import Evaluation

LIBRARIES: Final = ("faster-coco-eval", "matplotlib")
EXTRA_MODULES: Final = ("faster_coco_eval", "matplotlib")
PIXELS: Final = "aupr_pixels"
TOLD: Final = ("precision", "recall", "f1", "ap_hit", "ap_50", PIXELS, "mean_sensitivity")
"""The figures that are printed of each kind; all others are in metrics.json."""
RECORDED: Final = ("precision", "recall", "ap_hit")
"""Of each kind in the row for the looks at a test split."""


def lesions(
    images: Annotated[Path, typer.Option(help="Folder of the photographs.")],
    out: Annotated[Path, typer.Option(help="Folder for the results.")],
    annotations: Annotated[
        Path | None, typer.Option(help="Their annotations: VOC, COCO, YOLO, CVAT, Label Studio …")
    ] = None,
    names: Annotated[
        Path | None, typer.Option(help="Text file of the photographs to take, one a line.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of masks, one a kind and photograph.")
    ] = None,
    detector: Annotated[
        Path | None, typer.Option(help="Bundle; the shipped one by default.")
    ] = None,
    centres: Annotated[
        Path | None,
        typer.Option(help="CSV table of optic discs: image, od_x, od_y (IDRiD's 4288 px)."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Photographs looked at at a time; all processors.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an evaluation in the folder.")] = False,
) -> None:
    """Look for lesions on annotated photographs and compare with the annotations.

    Exit code 0; 3 when photographs could not be read; 2 misuse; 1 failure.
    """
    require("fundoscope evaluate", "evaluate", EXTRA_MODULES)
    from fundoscope.batch.versions import installed, versions
    from fundoscope.cli.terminal import terminal
    from fundoscope.evaluate import folder
    from fundoscope.evaluate.lesions import detections, results, truth
    from fundoscope.evaluate.lesions.evaluation import evaluate
    from fundoscope.lesions import detector as detectors

    started = now()
    known = truth.gather(images, annotations, names=names, masks=masks, table=centres)
    folder.check(out, results.FILES, overwrite=overwrite)
    loaded = detectors.load(detector)
    with terminal(len(known.photographs)) as screen:
        evaluation = evaluate(
            known,
            lambda path: detections.detect(loaded, path),
            loaded.manifest.thresholds,
            has_maps=loaded.has_masks,
            workers=workers or os.cpu_count() or 1,
            on_read=screen.advance,
        )
    arguments = {
        name: None if path is None else str(path)
        for name, path in (
            ("images", images),
            ("annotations", annotations),
            ("names", names),
            ("masks", masks),
            ("detector", detector),
            ("centres", centres),
        )
    }
    known_versions = versions() | {name: installed(name) for name in LIBRARIES}
    provenance = folder.Provenance(arguments, (loaded.used,), known_versions, started, now())
    results.write(evaluation, provenance, out)
    _tell(evaluation)
    _remark(evaluation)
    if known.test:
        count = len(evaluation.photographs)
        remind(loaded.used.sha256, _command(arguments), TEST, count, _main_figures(evaluation))
    lacking = [
        (each.photograph.image, each.detections.reason, each.detections.remedy)
        for each in evaluation.not_read
    ]
    if name_lacking(lacking, out / folder.RUN):
        raise typer.Exit(PhotoError.exit_code)


def _tell(evaluation: Evaluation) -> None:
    from fundoscope.kinds import KINDS

    figures = evaluation.figures
    for kind, each in figures.kinds.items():
        typer.echo(f"{KINDS[kind].name} ({each.lesions}): {_in_words(each.figures)}")
    if figures.overall:
        typer.echo(f"all lesions: {_in_words(figures.overall)}")
    if any(each.figures[PIXELS].value is not None for each in figures.kinds.values()):
        score = "what is painted on it" if evaluation.has_maps else "that of the best box over it"
        typer.echo(f"{_name(PIXELS)}: a pixel's score is {score}")
    known, found = figures.discs
    if known:
        typer.echo(
            f"optic disc: centre within half a disc diameter on {found} of {known} photographs,"
            f" {span(figures.disc)}"
        )
    typer.echo(f"{len(evaluation.photographs)} photographs (95 % intervals by photograph)")


def _in_words(figures: Mapping[str, Figure]) -> str:
    return ", ".join(
        f"{_name(name)} {span(figures[name])}"
        for name in TOLD
        if figures[name].value is not None or name != PIXELS
    )


def _name(figure: str) -> str:
    return figure.replace("_", " ").replace("ap ", "AP ").replace("aupr", "AUPR")


def _remark(evaluation: Evaluation) -> None:
    """What the figures do not tell by themselves."""
    from fundoscope.evaluate.lesions.results import too_small
    from fundoscope.kinds import OPTIC_DISC

    for note in evaluation.truth.notes:
        typer.echo(f"note: {note}", err=True)
    for kind, there in too_small(evaluation).items():
        said = f"{len(there)} photographs are too small for {kind}, which counts as not found"
        if kind in (*evaluation.truth.kinds, OPTIC_DISC.key):
            typer.echo(f"note: {said}", err=True)
    if evaluation.unknown:
        kinds = ", ".join(evaluation.unknown)
        typer.echo(f"note: unknown to the detector, counted as not found: {kinds}", err=True)
    if evaluation.truth.kinds and evaluation.unmeasured:
        kinds = ", ".join(evaluation.unmeasured)
        typer.echo(f"note: not annotated here, so not measured: {kinds}", err=True)


def _command(arguments: Mapping[str, Any]) -> str:
    """The command without what changes no figure."""
    words = ["fundoscope", "evaluate", "lesions"]
    for name, value in arguments.items():
        words += [] if value is None else [f"--{name}", value]
    return shlex.join(words)


def _main_figures(evaluation: Evaluation) -> str:
    said = []
    for kind, each in evaluation.figures.kinds.items():
        figures = [(name, each.figures[name].value) for name in RECORDED]
        known = (f"{_name(name)} {value:.4f}" for name, value in figures if value is not None)
        said.append(" ".join((kind, *known)))
    disc = evaluation.figures.disc.value
    return "; ".join(said if disc is None else [*said, f"optic disc centre {disc:.4f}"])
