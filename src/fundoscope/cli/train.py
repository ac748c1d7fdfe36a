"""``fundoscope train``: train a grader or a detector, and export it as a bundle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from fundoscope.cli import pack
from fundoscope.cli.average import average

if TYPE_CHECKING:
    from fundoscope.errors import FundoscopeError
    from fundoscope.models.bundle import Stored
    from fundoscope.train.budget import Settled
    from fundoscope.train.calibrate import Figures
    from fundoscope.train.config import GraderConfig
    from fundoscope.train.detector_config import DetectorConfig
    from fundoscope.train.detector_export import Exported as ExportedDetector
    from fundoscope.train.export import Exported

app = typer.Typer(help="Train networks (needs the extra train).", no_args_is_help=True)

app.add_typer(pack.app, name="pack")
app.command()(average)

_Config = TypeVar("_Config", "GraderConfig", "DetectorConfig")

NEEDED: Final = ("torch", "timm", "lightning", "onnx", "onnxscript")
TAKEN: Final = ("not taken", "taken")
Minutes = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Choose the epochs so that training and export end within so many minutes.",
    ),
]


@app.command()
def grader(
    config: Annotated[Path, typer.Argument(help="Configuration, e.g. configs/grader.toml.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/NAME by default.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Label table, class folders or pack, in place of the file's."),
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
    minutes: Minutes = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Export the best network to this folder at the end.")
    ] = None,
) -> None:
    """Train a grader on a label table or on class folders.

    The run folder gets the best network so far (best.pt), a line of figures an epoch
    (metrics.jsonl), their curves (curves.png) and a check-point from which the same command goes
    on.
    """
    started = time.monotonic()
    require_extra()
    from fundoscope.cli.training import watching
    from fundoscope.errors import FundoscopeError
    from fundoscope.train import budget, preview_sheet, tensorboard, unpack
    from fundoscope.train import config as configs
    from fundoscope.train import grader as training

    chosen = configs.replaced(
        configs.read_config(config),
        data={
            "manifest": None if data is None else str(data),
            "cache": None if cache is None else str(cache),
            "only_aspect": only_aspect,
        },
        threads=threads,
        devices=devices,
    )
    if unpack.is_pack(Path(chosen.data.manifest)):
        chosen = unpack.grader(chosen, Path(chosen.data.manifest))
    chosen = configs.replaced(chosen, network={"init": init})
    configs.check(chosen, config.name)
    if preview is not None:
        preview_sheet.draw(chosen, preview)
        typer.echo(f"{preview}: drawn; look whether each could be a photograph")
        return
    folder = out or Path("runs") / config.stem
    try:
        with watching() as watcher:
            if minutes is not None:
                given = budget.Budget(minutes, started)
                settled = budget.settle_grader(
                    chosen, folder, given, resume=resume, watcher=watcher
                )
                chosen = _told_of_budget(settled, minutes, _stages(settled.config))
            watcher = tensorboard.recording(watcher, folder)
            training.train(chosen, folder, resume=resume, watcher=watcher)
    except FundoscopeError as error:
        raise _told_once(error) from None
    _finish(folder, bundle, Path(chosen.data.cache))


@app.command()
def detector(
    config: Annotated[Path, typer.Argument(help="Configuration, e.g. configs/detector.toml.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/NAME by default.")] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Annotations in any format of data convert, or pack, in place of the file's."
        ),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of their photographs.")] = None,
    leave_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Names of photographs to leave out, one a line."),
    ] = None,
    init: Annotated[
        str | None, typer.Option(help="Start the backbone from: imagenet, hub, none, or a file.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on where a killed run ended.")] = True,
    threads: Annotated[int | None, typer.Option(min=0, help="Processor threads; 0: all.")] = None,
    devices: Annotated[
        int | None, typer.Option(min=1, help="GPUs, or processes where there is none.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of the photographs at the working scale.")
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw training tiles, and do not train."),
    ] = None,
    minutes: Minutes = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Export the best network to this folder at the end.")
    ] = None,
) -> None:
    """Train a detector of lesions on annotated photographs.

    The run folder gets the best network so far (best.pt), a line of figures an epoch
    (metrics.jsonl), tiles with truth and findings (validation-NNN.jpg), curves (curves.png) and a
    check-point from which the same command goes on.
    """
    started = time.monotonic()
    require_extra()
    from fundoscope.cli.training import watching_detector
    from fundoscope.errors import FundoscopeError
    from fundoscope.train import budget, tensorboard, unpack
    from fundoscope.train import detector as training
    from fundoscope.train import detector_config as configs

    chosen = configs.replaced(
        configs.read_config(config), data={"cache": None if cache is None else str(cache)}
    )
    named = data or Path(chosen.data.annotations)
    if unpack.is_pack(named):
        chosen = unpack.detector(chosen, named)
    elif data is not None:
        chosen = configs.on_other_data(chosen, data)
    chosen = configs.replaced(
        chosen,
        backbone={"init": init},
        data={
            "images": None if images is None else str(images),
            "left_out": _left_out(chosen, leave_out),
        },
        threads=threads,
        devices=devices,
    )
    configs.check(chosen, config.name)
    if preview is not None:
        _preview_detector(chosen, preview)
        return
    folder = out or Path("runs") / config.stem
    try:
        with watching_detector() as watcher:
            if minutes is not None:
                given = budget.Budget(minutes, started)
                settled = budget.settle_detector(
                    chosen, folder, given, resume=resume, watcher=watcher
                )
                found = f"epochs: {settled.config.epochs} of {settled.config.draw.tiles} tiles"
                chosen = _told_of_budget(settled, minutes, found)
            watcher = tensorboard.recording(watcher, folder)
            training.train(chosen, folder, resume=resume, watcher=watcher)
    except FundoscopeError as error:
        raise _told_once(error) from None
    _finish(folder, bundle, Path(chosen.data.cache))


def _told_of_budget(settled: Settled[_Config], minutes: float, found: str) -> _Config:
    """Say what was measured and what fits; the configuration that does."""
    measured = ", ".join(f"{pace.step:.3f} + {pace.closing:.1f}" for pace in settled.paces)
    typer.echo(f"seconds a step and at the end of an epoch, of each stage: {measured}")
    begun = "the run in the folder goes on with" if settled.kept else f"{minutes:.3g} minutes allow"
    typer.echo(f"{begun} {found}")
    return settled.config


def _stages(config: GraderConfig) -> str:
    epochs = ", ".join(f"{stage.epochs} at {stage.size} px" for stage in config.stages)
    sample = f" of {config.data.sample} photographs" if config.data.sample else ""
    return f"epochs: {epochs}{sample}"


def _left_out(config: DetectorConfig, file: Path | None) -> tuple[str, ...] | None:
    from fundoscope.train.photo_names import read_names

    return None if file is None else (*config.data.left_out, *read_names(str(file)))


def _preview_detector(config: DetectorConfig, path: Path) -> None:
    from fundoscope.cli.training import watching_detector
    from fundoscope.train import detection_pictures
    from fundoscope.train import detector as training

    with watching_detector() as watcher:
        task = training.preview_task(config, watcher)
    detection_pictures.preview(task, config.seed, path)
    typer.echo(f"{path}: drawn; look whether the boxes hold what they should")


def _told_once(error: FundoscopeError) -> Exception:
    """What to raise in each of the processes of a run, so that the first one alone says why."""
    from fundoscope.train import processes

    return error if processes.is_first() else typer.Exit(error.exit_code)


def _finish(folder: Path, bundle: Path | None, cache: Path) -> None:
    """Draw the curves of a run that has ended, and export it if asked."""
    from fundoscope.train import curves, processes

    if not processes.is_first():
        return
    curves.draw(folder)
    typer.echo(f"trained; curves: {folder / curves.NAME}")
    if bundle is None:
        typer.echo(f"export it with: fundoscope train export {folder} BUNDLE")
    else:
        _export(folder, bundle, None, cache)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder; the run may still be going on.")],
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    name: Annotated[str | None, typer.Option(help="Name of the bundle.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached pictures.")] = None,
    int8: Annotated[
        bool,
        typer.Option("--int8", help="Weights of eight bits: about twice as fast, less exact."),
    ] = False,
) -> None:
    """Export a run's best network as a bundle; what it needs is fitted on validation."""
    require_extra()
    _export(run, bundle, name, cache, int8=int8)


def require_extra() -> None:
    """Check that the extra is installed.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    from fundoscope.errors import MissingExtraError

    if any(find_spec(package) is None for package in NEEDED):
        raise MissingExtraError("fundoscope train", "train")


def _export(
    run: Path, bundle: Path, name: str | None, cache: Path | None, *, int8: bool = False
) -> None:
    from fundoscope.train import runs

    if runs.is_detector(run):
        _export_detector(run, bundle, name, cache, int8)
    else:
        _export_grader(run, bundle, name, cache, int8)


def _export_detector(
    run: Path, bundle: Path, name: str | None, cache: Path | None, int8: bool
) -> None:
    from fundoscope.cli.training import watching_detector
    from fundoscope.train import detector_export as exporting

    with watching_detector() as watcher:
        exported = exporting.export(
            run, bundle, name=name, cache=cache, progress=watcher.picture, int8=int8
        )
    for line in _told_of_detector(exported):
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


def _export_grader(
    run: Path, bundle: Path, name: str | None, cache: Path | None, int8: bool
) -> None:
    from fundoscope.cli.training import lines_of_left_out
    from fundoscope.train import export as exporting

    exported = exporting.export(run, bundle, name=name, cache=cache, int8=int8)
    lines_of_left_out(exported.left_out)
    for line in _told(exported):
        typer.echo(line)


def _told(exported: Exported) -> Iterator[str]:
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
