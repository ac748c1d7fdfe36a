"""``fundoscope evaluate lesions``: how well a detector does on annotated photographs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.cli.evaluate.reporting import (
    TEST,
    command_line,
    name_lacking,
    now,
    remind,
    with_interval,
)
from fundoscope.cli.exit_codes import INCOMPLETE
from fundoscope.cli.extras import EVALUATE_LESIONS, require
from fundoscope.cli.options import DetectorBundle, Overwrite, Results, WithPaths, Workers

if TYPE_CHECKING:
    from fundoscope.evaluate.intervals import Figure
    from fundoscope.evaluate.lesions.evaluation import Evaluation

LIBRARIES: Final = ("faster-coco-eval", "matplotlib")
"""Packages whose versions the results name, beside those of the core."""
PIXELS: Final = "aupr_pixels"
SHOWN: Final = ("precision", "recall", "f1", "ap_hit", "ap_50", PIXELS, "mean_sensitivity")
"""The figures that are printed for each kind; all others are in metrics.json."""
RECORDED: Final = ("precision", "recall", "ap_hit")
"""The figures of each kind in the row that records a look at a test split."""


def lesions(
    images: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the photographs.")],
    out: Results,
    annotations: Annotated[
        Path | None,
        typer.Option(
            metavar="ANNOTATIONS",
            help="File or folder of their annotations, in any format that data convert reads.",
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Text file with the names of the photographs to use, one a line."
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of lesion masks, one for each kind and photograph."
        ),
    ] = None,
    detector: DetectorBundle = None,
    centres: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="Table of optic disc centres with the columns image, od_x and od_y, in pixels of"
            " IDRiD's originals (4288 wide).",
        ),
    ] = None,
    machine_boxes: Annotated[
        bool,
        typer.Option(
            "--machine-boxes",
            help="Also take boxes for true that a detector made and nobody confirmed. Without it"
            " they are counted and refused.",
        ),
    ] = False,
    workers: Workers = None,
    overwrite: Overwrite = False,
    with_paths: WithPaths = False,
) -> None:
    """Detect lesions on annotated photographs and compare with the annotations.

    Exit codes: 0 if all photographs were used, 3 if some could not be read, 2 for wrong use, 1 for
    any other failure.
    """
    require("fundoscope evaluate", EVALUATE_LESIONS)
    from fundoscope.batch.versions import installed, versions
    from fundoscope.cli.terminal import terminal
    from fundoscope.evaluate import folder
    from fundoscope.evaluate.lesions import detections, results, truth
    from fundoscope.evaluate.lesions.evaluation import evaluate
    from fundoscope.lesions import detector as detectors

    started = now()
    files = {"names": names, "masks": masks, "table": centres}
    known = truth.gather(images, annotations, **files, machine_boxes=machine_boxes)
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
    paths = {
        "images": images,
        "annotations": annotations,
        "names": names,
        "masks": masks,
        "detector": detector,
        "centres": centres,
    }
    arguments = {name: None if path is None else str(path) for name, path in paths.items()}
    used = versions() | {name: installed(name) for name in LIBRARIES}
    recorded = arguments | {"machine-boxes": machine_boxes or None}
    provenance = folder.Provenance(recorded, (loaded.used,), used, started, now())
    results.write(evaluation, provenance, out, paths=with_paths)
    _print_figures(evaluation)
    _print_notes(evaluation)
    if known.test:
        words = ["fundoscope", "evaluate", "lesions", *["--machine-boxes"] * machine_boxes]
        command = command_line(words, arguments)
        count = len(evaluation.photographs)
        remind(loaded.used.sha256, command, TEST, count, _main_figures(evaluation))
    lacking = [
        (each.photograph.image, each.detections.reason, each.detections.remedy)
        for each in evaluation.not_read
    ]
    if name_lacking(lacking, out / folder.RUN):
        raise typer.Exit(INCOMPLETE)


def _print_figures(evaluation: Evaluation) -> None:
    from fundoscope.kinds import KINDS

    figures = evaluation.figures
    for kind, of_kind in figures.kinds.items():
        typer.echo(f"{KINDS[kind].name} ({of_kind.lesions}): {_in_words(of_kind.figures)}")
    if figures.overall:
        typer.echo(f"all lesions: {_in_words(figures.overall)}")
    if any(of_kind.figures[PIXELS].value is not None for of_kind in figures.kinds.values()):
        score = "its segmentation score" if evaluation.has_maps else "that of the best box over it"
        typer.echo(f"{_name(PIXELS)}: the score of a pixel is {score}")
    with_disc, detected = figures.discs
    if with_disc:
        typer.echo(
            f"optic disc: centre within half a disc diameter on {detected} of {with_disc}"
            f" photographs, {with_interval(figures.disc)}"
        )
    typer.echo(f"{len(evaluation.photographs)} photographs (95 % intervals by photograph)")


def _in_words(figures: Mapping[str, Figure]) -> str:
    return ", ".join(
        f"{_name(name)} {with_interval(figures[name])}"
        for name in SHOWN
        if figures[name].value is not None or name != PIXELS
    )


def _name(figure: str) -> str:
    return figure.replace("_", " ").replace("ap ", "AP ").replace("aupr", "AUPR")


def _print_notes(evaluation: Evaluation) -> None:
    """Print what a reader of the figures has to know."""
    from fundoscope.evaluate.lesions.results import too_small
    from fundoscope.kinds import OPTIC_DISC

    for note in evaluation.truth.notes:
        typer.echo(f"note: {note}", err=True)
    for kind, images in too_small(evaluation).items():
        note = f"{len(images)} photographs are too small for {kind}, which counts as not found"
        if kind in (*evaluation.truth.kinds, OPTIC_DISC.key):
            typer.echo(f"note: {note}", err=True)
    if evaluation.unknown:
        kinds = ", ".join(evaluation.unknown)
        typer.echo(f"note: unknown to the detector, counted as not found: {kinds}", err=True)
    if evaluation.truth.kinds and evaluation.unmeasured:
        kinds = ", ".join(evaluation.unmeasured)
        typer.echo(f"note: not annotated here, so not measured: {kinds}", err=True)


def _main_figures(evaluation: Evaluation) -> str:
    parts = []
    for kind, of_kind in evaluation.figures.kinds.items():
        values = [(name, of_kind.figures[name].value) for name in RECORDED]
        defined = (f"{_name(name)} {value:.4f}" for name, value in values if value is not None)
        parts.append(" ".join((kind, *defined)))
    disc = evaluation.figures.disc.value
    return "; ".join(parts if disc is None else [*parts, f"optic disc centre {disc:.4f}"])
