"""``fundoscope train``: train a grader or a detector, and export it as a bundle."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from fundoscope.cli.train import pack
from fundoscope.cli.train.average import average
from fundoscope.cli.train.export import Cache, Overwrite, export, export_run, require_free

if TYPE_CHECKING:
    from fundoscope.errors import FundoscopeError
    from fundoscope.train.budget import Settled
    from fundoscope.train.detection.config import DetectorConfig
    from fundoscope.train.grading.config import GraderConfig

app = typer.Typer(help="Train networks (needs the extra train).", no_args_is_help=True)

app.add_typer(pack.app, name="pack")
app.command()(average)
app.command()(export)

_Config = TypeVar("_Config", "GraderConfig", "DetectorConfig")

NEEDED: Final = ("torch", "timm", "lightning", "onnx", "onnxscript")
Run = Annotated[Path | None, typer.Option("--out", help="Run folder; runs/NAME by default.")]
Resume = Annotated[bool, typer.Option(help="Go on where a killed run ended.")]
Threads = Annotated[int | None, typer.Option(min=0, help="Processor threads; 0: all.")]
Devices = Annotated[int | None, typer.Option(min=1, help="GPUs, or processes where there is none.")]
Minutes = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        min=0,
        help="Choose the epochs so that training and export end within so many minutes.",
    ),
]
AtTheEnd = Annotated[
    Path | None,
    typer.Option("--bundle", help="Export the best network to this folder at the end."),
]


@app.command()
def grader(
    config: Annotated[Path, typer.Argument(help="Configuration, e.g. configs/grader.toml.")],
    out: Run = None,
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
    without: Annotated[
        list[str] | None,
        typer.Option(help="Leave a source's photographs out, and the settings that name it."),
    ] = None,
    resume: Resume = True,
    threads: Threads = None,
    devices: Devices = None,
    cache: Cache = None,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw augmented photographs, and do not train."),
    ] = None,
    minutes: Minutes = None,
    bundle: AtTheEnd = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a grader on a label table or on class folders.

    The run folder gets the best network so far (best.pt), a line of figures an epoch
    (metrics.jsonl), their curves (curves.png) and a check-point from which the same command goes
    on.
    """
    started = time.monotonic()
    require_extra()
    from fundoscope.cli.train.progress import watching
    from fundoscope.errors import FundoscopeError
    from fundoscope.train import budget
    from fundoscope.train.grading import config as configs
    from fundoscope.train.grading import preview as preview_sheet
    from fundoscope.train.grading import training
    from fundoscope.train.pack import unpack
    from fundoscope.train.run import tensorboard

    chosen = configs.replaced(
        configs.read_config(config),
        data={
            "manifest": None if data is None else str(data),
            "cache": None if cache is None else str(cache),
            "only_aspect": only_aspect,
        },
        network={"init": init},
        threads=threads,
        devices=devices,
    )
    for source in without or ():
        chosen = configs.without(chosen, source)
    if unpack.is_pack(Path(chosen.data.manifest)):
        chosen = unpack.grader(chosen, Path(chosen.data.manifest))
    configs.check(chosen, config.name)
    if preview is not None:
        preview_sheet.draw(chosen, preview)
        typer.echo(f"{preview}: drawn; look whether each could be a photograph")
        return
    require_free(bundle, overwrite=overwrite)
    folder = out or Path("runs") / config.stem
    try:
        with watching() as listeners:
            if minutes is not None:
                given = budget.Budget(minutes, started)
                settled = budget.settle_grader(
                    chosen, folder, given, resume=resume, listeners=listeners
                )
                chosen = _told_of_budget(settled, minutes, _stages(settled.config))
            listeners = tensorboard.recording(listeners, folder)
            training.train(chosen, folder, resume=resume, listeners=listeners)
    except FundoscopeError as error:
        raise _told_once(error) from None
    _finish(folder, bundle, Path(chosen.data.cache), overwrite=overwrite)


@app.command()
def detector(
    config: Annotated[Path, typer.Argument(help="Configuration, e.g. configs/detector.toml.")],
    out: Run = None,
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
    resume: Resume = True,
    threads: Threads = None,
    devices: Devices = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of the photographs at the working scale.")
    ] = None,
    preview: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw training tiles, and do not train."),
    ] = None,
    minutes: Minutes = None,
    bundle: AtTheEnd = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a detector of lesions on annotated photographs.

    The run folder gets the best network so far (best.pt), a line of figures an epoch
    (metrics.jsonl), tiles with truth and findings (validation-NNN.jpg), curves (curves.png) and a
    check-point from which the same command goes on.
    """
    started = time.monotonic()
    require_extra()
    from fundoscope.cli.train.progress import watching_detector
    from fundoscope.errors import FundoscopeError
    from fundoscope.train import budget
    from fundoscope.train.detection import checks, training
    from fundoscope.train.detection import config as configs
    from fundoscope.train.pack import unpack
    from fundoscope.train.run import tensorboard

    chosen = configs.replaced(
        checks.read_config(config),
        backbone={"init": init},
        data={"cache": None if cache is None else str(cache)},
        threads=threads,
        devices=devices,
    )
    named = data or Path(chosen.data.annotations)
    if unpack.is_pack(named):
        chosen = unpack.detector(chosen, named)
    elif data is not None:
        chosen = configs.on_other_data(chosen, data)
    chosen = configs.replaced(
        chosen,
        data={
            "images": None if images is None else str(images),
            "left_out": _left_out(chosen, leave_out),
        },
    )
    checks.check(chosen, config.name)
    if preview is not None:
        _preview_detector(chosen, preview)
        return
    require_free(bundle, overwrite=overwrite)
    folder = out or Path("runs") / config.stem
    try:
        with watching_detector() as listeners:
            if minutes is not None:
                given = budget.Budget(minutes, started)
                settled = budget.settle_detector(
                    chosen, folder, given, resume=resume, listeners=listeners
                )
                found = f"epochs: {settled.config.epochs} of {settled.config.draw.tiles} tiles"
                chosen = _told_of_budget(settled, minutes, found)
            listeners = tensorboard.recording(listeners, folder)
            training.train(chosen, folder, resume=resume, listeners=listeners)
    except FundoscopeError as error:
        raise _told_once(error) from None
    _finish(folder, bundle, Path(chosen.data.cache), overwrite=overwrite)


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
    from fundoscope.train.detection.views.photo_names import read_names

    return None if file is None else (*config.data.left_out, *read_names(str(file)))


def _preview_detector(config: DetectorConfig, path: Path) -> None:
    from fundoscope.cli.train.progress import watching_detector
    from fundoscope.train.detection import preview

    with watching_detector() as listeners:
        preview.draw(config, path, listeners)
    typer.echo(f"{path}: drawn; look whether the boxes hold what they should")


def _told_once(error: FundoscopeError) -> Exception:
    """What to raise in each of the processes of a run, so that the first one alone says why."""
    from fundoscope.train.run import processes

    return error if processes.is_first() else typer.Exit(error.exit_code)


def _finish(folder: Path, bundle: Path | None, cache: Path, *, overwrite: bool) -> None:
    """Draw the curves of a run that has ended, and export it if asked."""
    from fundoscope.train.run import curves, processes

    if not processes.is_first():
        return
    curves.draw(folder)
    typer.echo(f"trained; curves: {folder / curves.NAME}")
    if bundle is None:
        typer.echo(f"export it with: fundoscope train export {folder} BUNDLE")
    else:
        export_run(folder, bundle, None, cache, overwrite=overwrite)


def require_extra() -> None:
    """Check that the extra is installed.

    Raises:
        MissingExtraError: it is not.
    """
    from importlib.util import find_spec

    from fundoscope.errors import MissingExtraError

    if any(find_spec(package) is None for package in NEEDED):
        raise MissingExtraError("fundoscope train", "train")
