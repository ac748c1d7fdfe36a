"""``fundoscope train export``: a bundle of a run's best network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from fundoscope.models.bundle import Stored
    from fundoscope.train.detection.exported import Exported as ExportedDetector
    from fundoscope.train.grading.calibrate import Figures
    from fundoscope.train.grading.exported import Exported

TAKEN: Final = ("not taken", "taken")
Cache = Annotated[Path | None, typer.Option(help="Folder of the cached pictures.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that is there.")]


def export(
    run: Annotated[Path, typer.Argument(help="Run folder; the run may still be going on.")],
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    name: Annotated[str | None, typer.Option(help="Name of the bundle.")] = None,
    cache: Cache = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Weights of eight bits: about twice as fast, less exact."),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Export a run's best network as a bundle; what it needs is fitted on validation."""
    from fundoscope.cli.train import require_extra

    require_extra()
    export_run(run, bundle, name, cache, int8=int8, overwrite=overwrite)


def require_free(bundle: Path | None, *, overwrite: bool) -> None:
    """Refuse to replace a bundle unasked before anything is trained for it.

    Raises:
        OutputError: there is one, and ``overwrite`` is false.
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
    """Export a run of either kind, and say what was found."""
    from fundoscope.cli.train.progress import lines_of_left_out, watching, watching_detector
    from fundoscope.train.detection import export as detector_export
    from fundoscope.train.grading import export as grader_export
    from fundoscope.train.run import folder as runs

    how: dict[str, Any] = {"name": name, "cache": cache, "int8": int8, "overwrite": overwrite}
    if runs.stored(run).task == runs.DETECTION:
        with watching_detector() as lesions:
            detector = detector_export.export(run, bundle, progress=lesions.picture, **how)
        lines = _told_of_detector(detector)
    else:
        with watching() as grades:
            grader = grader_export.export(run, bundle, progress=grades.picture, **how)
        lines_of_left_out(grader.left_out)
        lines = _told_of_grader(grader)
    for line in lines:
        typer.echo(line)


def _told_of_detector(exported: ExportedDetector) -> Iterator[str]:
    yield (
        f"ONNX Runtime against torch on {exported.compared} boxes: largest difference"
        f" {exported.pixel_difference:.1e} px, {exported.score_difference:.1e} of a score"
    )
    yield _cost(exported.tried, exported.taken)
    for kind, figures in exported.validation.items():
        told = {key: "-" if value is None else f"{value:.3f}" for key, value in figures.items()}
        yield (
            f"validation, {kind}: {figures['lesions'] or 0:.0f} boxes, average precision"
            f" {told['average_precision']}, at the threshold precision {told['precision']} recall"
            f" {told['recall']}"
        )
    yield f"{exported.folder}: epoch {exported.epoch + 1}, {exported.megabytes:.1f} MB"


def _told_of_grader(exported: Exported) -> Iterator[str]:
    fitted, wanted = exported.calibration, exported.input
    yield (
        f"ONNX Runtime against torch on {exported.compared} validation photographs: largest"
        f" difference of a probability {exported.torch_difference:.1e}"
    )
    yield _cost(exported.tried, exported.taken)
    cuts = ", ".join(f"{cut:.2f}" for cut in fitted.cut_points)
    yield (
        f"temperature {fitted.temperature:.3f}, cut-points {cuts},"
        f" referable from {fitted.threshold:.4f}"
    )
    for source, figures in fitted.by_source.items():
        yield f"validation, {source or '(not named)'}: {_figures(figures)}"
    yield f"validation, together: {_figures(fitted.pooled)}"
    yield f"validation, together, gradable ones: {_figures(fitted.gradable)}"
    means = " ".join(f"{key} {fitted.mean(key):.3f}" for key in ("auc", "kappa", "accuracy"))
    yield f"validation, mean of sources: {means}"
    yield (
        f"{exported.folder}: epoch {exported.epoch + 1}, {wanted.kind} of"
        f" {wanted.height}x{wanted.width} px, {exported.megabytes:.1f} MB"
    )


def _cost(tried: Stored, taken: bool) -> str:
    costs = (f"{key} {0.0 if one is None else one:.4f}" for key, one in tried.cost.items())
    return f"{tried.weights} for float32 costs: {', '.join(costs)}: {TAKEN[taken]}"


def _figures(figures: Figures) -> str:
    return (
        f"n {figures.n} AUC {figures.auc:.3f} kappa {figures.kappa:.3f}"
        f" accuracy {figures.accuracy:.3f} sensitivity {figures.sensitivity:.3f}"
        f" specificity {figures.specificity:.3f}"
    )
