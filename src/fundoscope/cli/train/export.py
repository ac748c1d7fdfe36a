"""``fundoscope train export``: make a bundle of a run's best network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from fundoscope.cli.extras import TRAIN, require
from fundoscope.cli.train.options import Cache, OverwriteBundle

if TYPE_CHECKING:
    from fundoscope.models.bundle import Stored
    from fundoscope.models.correction import GradeCorrection
    from fundoscope.train.detection.exported import Exported as ExportedDetector
    from fundoscope.train.grading.calibrate import Figures
    from fundoscope.train.grading.exported import Exported as ExportedGrader

DECISION: Final = {True: "used", False: "not used"}
"""What was decided about weights of fewer bits."""


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Run folder; the training may still be running.", show_default=False
        ),
    ],
    bundle: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder to write the bundle into.", show_default=False),
    ],
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Name of the bundle. Default: after the network."),
    ] = None,
    cache: Cache = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Store weights in eight bits: about twice as fast, slightly less exact."
        ),
    ] = False,
    overwrite: OverwriteBundle = False,
) -> None:
    """Export the best network of a run as a bundle.

    Calibration and thresholds are fitted on the validation photographs.
    """
    require("fundoscope train", TRAIN)
    export_run(run, bundle, name, cache, int8=int8, overwrite=overwrite)


def require_free(bundle: Path | None, *, overwrite: bool) -> None:
    """Check that the bundle may be written, before anything is trained for it.

    Raises:
        OutputError: it exists, and ``overwrite`` is false.
    """
    from fundoscope.models.bundle import MANIFEST
    from fundoscope.writing import refuse_existing

    if bundle is not None:
        refuse_existing(bundle / MANIFEST, overwrite=overwrite)


def export_run(
    run: Path,
    bundle: Path,
    name: str | None,
    cache: Path | None,
    *,
    overwrite: bool,
    int8: bool = False,
) -> None:
    """Export a run of any task, and print the figures of the bundle.

    Raises:
        UsageError: the folder is not a run with a finished epoch.
        OutputError: the bundle exists and may not be replaced, or cannot be written.
    """
    from fundoscope.cli.train.progress import (
        print_left_out,
        watching_detector,
        watching_grader,
    )
    from fundoscope.train.detection import export as detector_export
    from fundoscope.train.grading import export as grader_export
    from fundoscope.train.run import folder as runs

    how: dict[str, Any] = {"name": name, "cache": cache, "int8": int8, "overwrite": overwrite}
    if runs.stored(run).task == runs.DETECTION:
        with watching_detector() as of_detector:
            detector = detector_export.export(run, bundle, progress=of_detector.picture, **how)
        lines = _lines_of_detector(detector)
    elif runs.stored(run).task == runs.LANDMARKS:
        lines = _of_landmarks(run, bundle, how)
    else:
        with watching_grader() as of_grader:
            grader = grader_export.export(run, bundle, progress=of_grader.picture, **how)
        print_left_out(grader.left_out)
        lines = _lines_of_grader(grader)
    for line in lines:
        typer.echo(line)


def _of_landmarks(run: Path, bundle: Path, how: dict[str, Any]) -> Iterator[str]:
    """Export a landmark network, and say what it is worth.

    Raises:
        UsageError: eight bits were asked for.
    """
    from fundoscope.cli.train.progress import print_left_out, watching_landmarks
    from fundoscope.errors import UsageError
    from fundoscope.train.landmarks import export as landmarks_export

    if how.pop("int8"):
        raise UsageError("--int8", "is not possible for a landmark network", "leave it out")
    with watching_landmarks() as watching:
        exported = landmarks_export.export(run, bundle, progress=watching.picture, **how)
    print_left_out(exported.left_out)
    yield (
        f"ONNX Runtime against torch on {exported.compared} validation photographs: landmarks"
        f" differ by at most {exported.difference:.1e} on 95 % of them (radii; logarithm of the"
        " diameter)"
    )
    yield _cost(exported.tried, exported.taken)
    for source, figures in exported.validation.items():
        shown = " ".join(
            f"{key} {value:.3f}" for key, value in figures.items() if value is not None
        )
        yield f"validation, {source or '(not named)'}: {shown}"
    yield f"{exported.folder}: epoch {exported.epoch + 1}, {exported.megabytes:.1f} MB"


def _lines_of_detector(exported: ExportedDetector) -> Iterator[str]:
    yield (
        f"ONNX Runtime against torch on {exported.compared} boxes: largest difference"
        f" {exported.pixel_difference:.1e} px, {exported.score_difference:.1e} of a score"
    )
    yield _cost(exported.tried, exported.taken)
    for kind, figures in exported.validation.items():
        shown = {key: "-" if value is None else f"{value:.3f}" for key, value in figures.items()}
        yield (
            f"validation, {kind}: {figures['lesions'] or 0:.0f} boxes, average precision"
            f" {shown['average_precision']}, at the threshold precision {shown['precision']} recall"
            f" {shown['recall']}"
        )
    yield f"{exported.folder}: epoch {exported.epoch + 1}, {exported.megabytes:.1f} MB"


def _lines_of_grader(exported: ExportedGrader) -> Iterator[str]:
    calibration, size = exported.calibration, exported.input
    fitted = calibration.fitted
    yield (
        f"ONNX Runtime against torch on {exported.compared} validation photographs: largest"
        f" difference of a probability {exported.torch_difference:.1e}"
    )
    yield _cost(exported.tried, exported.taken)
    yield (
        f"temperature {fitted.temperature:.3f}, {_correction(fitted.correction)},"
        f" referable from {fitted.threshold:.4f}"
    )
    for source, figures in calibration.by_source.items():
        yield f"validation, {source or '(not named)'}: {_figures(figures)}"
    yield f"validation, together: {_figures(calibration.pooled)}"
    yield f"validation, together, gradable photographs: {_figures(calibration.gradable)}"
    means = " ".join(f"{key} {calibration.mean(key):.3f}" for key in ("auc", "kappa", "accuracy"))
    yield f"validation, mean of sources: {means}"
    yield (
        f"{exported.folder}: epoch {exported.epoch + 1}, {size.kind} of"
        f" {size.height}x{size.width} px, {exported.megabytes:.1f} MB"
    )


def _correction(correction: GradeCorrection | None) -> str:
    if correction is None:
        return "no correction"
    offsets = ", ".join(f"{offset:.2f}" for offset in correction.offsets)
    return f"correction of slope {correction.slope:.2f} and offsets {offsets}"


def _cost(tried: Stored, used: bool) -> str:
    """What weights of fewer bits change in each figure, and whether they were used."""
    costs = (f"{key} {0.0 if cost is None else cost:.4f}" for key, cost in tried.cost.items())
    return f"{tried.weights} in place of float32 costs: {', '.join(costs)}: {DECISION[used]}"


def _figures(figures: Figures) -> str:
    return (
        f"n {figures.n} AUC {figures.auc:.3f} kappa {figures.kappa:.3f}"
        f" accuracy {figures.accuracy:.3f} sensitivity {figures.sensitivity:.3f}"
        f" specificity {figures.specificity:.3f}"
    )
