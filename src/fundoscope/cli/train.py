"""``fundoscope train``: train a grader, and export it as a bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.calibrate import Figures
    from fundoscope.train.export import Exported

app = typer.Typer(help="Train networks (needs the extra train).", no_args_is_help=True)

NEEDED: Final = ("torch", "timm", "lightning", "onnx", "onnxscript")


@app.command()
def grader(
    config: Annotated[Path, typer.Argument(help="Configuration, e.g. configs/grader.toml.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/NAME by default.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Label table or class folders, in place of the file's.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(help="Start from: imagenet, hub, none, a file of weights, or a bundle."),
    ] = None,
    only_aspect: Annotated[
        float | None, typer.Option(help="Only photographs of this width over height.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on where a killed run ended.")] = True,
    threads: Annotated[int | None, typer.Option(min=0, help="Processor threads; 0: all.")] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="GPUs, or processes where there is none.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached pictures.")] = None,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw augmented photographs, and do not train."),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Export the best network to this folder at the end.")
    ] = None,
) -> None:
    """Train a grader on a label table or on class folders.

    The run folder gets the best network so far (best.pt), a line of figures an epoch
    (metrics.jsonl), their curves (curves.png) and a check-point from which the same command goes
    on.
    """
    require_extra()
    from fundoscope.cli.training import watching
    from fundoscope.errors import FundoscopeError
    from fundoscope.train import config as configs
    from fundoscope.train import curves, preview_sheet, processes, tensorboard
    from fundoscope.train import grader as training

    chosen = configs.replaced(
        configs.read_config(config),
        network={"init": init},
        data={
            "manifest": None if data is None else str(data),
            "cache": None if cache is None else str(cache),
            "only_aspect": only_aspect,
        },
        threads=threads,
        devices=devices,
    )
    configs.check(chosen, config.name)
    if preview is not None:
        preview_sheet.draw(chosen, preview)
        typer.echo(f"{preview}: drawn; look whether each could be a photograph")
        return
    folder = out or Path("runs") / config.stem
    try:
        with watching() as watcher:
            watcher = tensorboard.recording(watcher, folder)
            training.train(chosen, folder, resume=resume, watcher=watcher)
    except FundoscopeError as error:
        if processes.is_first():
            raise
        raise typer.Exit(error.exit_code) from None  # the first process says why
    if not processes.is_first():
        return
    curves.draw(folder)
    typer.echo(f"trained; curves: {folder / curves.NAME}")
    if bundle is None:
        typer.echo(f"export it with: fundoscope train export {folder} BUNDLE")
    else:
        _export(folder, bundle, None, Path(chosen.data.cache))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder; the run may still be going on.")],
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    name: Annotated[str | None, typer.Option(help="Name of the grader.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached pictures.")] = None,
) -> None:
    """Export a run's best network as a bundle, calibrated on validation."""
    require_extra()
    _export(run, bundle, name, cache)


def require_extra() -> None:
    """Check that the extra is installed.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    from fundoscope.errors import MissingExtraError

    if any(find_spec(package) is None for package in NEEDED):
        raise MissingExtraError("fundoscope train", "train")


def _export(run: Path, bundle: Path, name: str | None, cache: Path | None) -> None:
    from fundoscope.cli.training import lines_of_left_out
    from fundoscope.train import export as exporting

    exported = exporting.export(run, bundle, name=name, cache=cache)
    lines_of_left_out(exported.left_out)
    for line in _told(exported):
        typer.echo(line)


def _told(exported: Exported) -> Iterator[str]:
    fitted, wanted = exported.calibration, exported.input
    yield (
        f"ONNX Runtime against torch on {exported.compared} validation photographs: largest"
        f" difference of a probability {exported.torch_difference:.1e}"
    )
    yield (
        f"half precision against full: largest difference of a probability"
        f" {exported.half_difference:.1e}, kappa {exported.half_kappa:.4f},"
        f" AUC {exported.half_auc:.4f}: {'taken' if exported.halved else 'not taken'}"
    )
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


def _figures(figures: Figures) -> str:
    return (
        f"n {figures.n} AUC {figures.auc:.3f} kappa {figures.kappa:.3f}"
        f" accuracy {figures.accuracy:.3f} sensitivity {figures.sensitivity:.3f}"
        f" specificity {figures.specificity:.3f}"
    )
