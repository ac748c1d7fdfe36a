"""``fundoscope train``: train a grader, and export it as a bundle."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.calibrate import Figures
    from fundoscope.train.crops import LeftOut
    from fundoscope.train.export import Exported
    from fundoscope.train.grader import Watcher
    from fundoscope.train.loop import Report

app = typer.Typer(help="Train networks (needs the extra [train]).", no_args_is_help=True)

LINE_EVERY: Final = 50
"""Steps between two lines where the output is no terminal."""
CROPS_EVERY: Final = 500
NEEDED: Final = ("torch", "timm", "lightning", "onnx", "onnxscript")


@app.command()
def grader(
    config: Annotated[Path, typer.Argument(help="Configuration, e.g. configs/grader.toml.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/NAME by default.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on where a killed run ended.")] = True,
    threads: Annotated[int | None, typer.Option(min=0, help="Processor threads; 0: all.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached crops.")] = None,
) -> None:
    """Train a grader on a label table.

    The run folder gets the best network so far (best.pt), a figure a line (metrics.jsonl), and a
    check-point from which the same command goes on.
    """
    _require_extra()
    import msgspec

    from fundoscope.train import grader as training

    chosen = training.read_config(config)
    if threads is not None:
        chosen = msgspec.structs.replace(chosen, threads=threads)
    if cache is not None:
        data = msgspec.structs.replace(chosen.data, cache=str(cache))
        chosen = msgspec.structs.replace(chosen, data=data)
    folder = out or Path("runs") / config.stem
    with _watcher() as watcher:
        training.train(chosen, folder, resume=resume, watcher=watcher)
    typer.echo(f"trained; export it with: fundoscope train export {folder} BUNDLE")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="Run folder; the run may still be going on.")],
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")],
    name: Annotated[str | None, typer.Option(help="Name of the grader.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached crops.")] = None,
) -> None:
    """Export a run's best network as a bundle, calibrated on validation."""
    _require_extra()
    from fundoscope.train import export as exporting

    exported = exporting.export(run, bundle, name=name, cache=cache)
    _lines_of_left_out(exported.left_out)
    for line in _told(exported):
        typer.echo(line)


def _require_extra() -> None:
    from importlib.util import find_spec

    from fundoscope.errors import MissingExtraError

    if any(find_spec(package) is None for package in NEEDED):
        raise MissingExtraError("fundoscope train", "train")


def _told(exported: Exported) -> Iterator[str]:
    fitted = exported.calibration
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
        f"{exported.folder}: epoch {exported.epoch + 1} at {exported.size} px,"
        f" {exported.megabytes:.1f} MB"
    )


def _figures(figures: Figures) -> str:
    return (
        f"n {figures.n} AUC {figures.auc:.3f} kappa {figures.kappa:.3f}"
        f" accuracy {figures.accuracy:.3f} sensitivity {figures.sensitivity:.3f}"
        f" specificity {figures.specificity:.3f}"
    )


@contextmanager
def _watcher() -> Iterator[Watcher]:
    """Bars on a terminal, else a line now and then."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from fundoscope.train.grader import Watcher

    console = Console()
    if not console.is_terminal:
        yield Watcher(_line_of_crops, _lines_of_left_out, _line_of_step, _line_of_epoch)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as bars:
        crops = bars.add_task("crops", total=None, visible=False)
        steps = bars.add_task("training", total=None, visible=False)

        def show_crops(done: int, count: int) -> None:
            bars.update(crops, completed=done, total=count, visible=done < count)

        def show_step(report: Report) -> None:
            bars.update(
                steps,
                completed=report.step,
                total=report.steps,
                visible=True,
                description=_standing(report),
            )

        yield Watcher(show_crops, _lines_of_left_out, show_step, _line_of_epoch)


def _line_of_crops(done: int, count: int) -> None:
    if done % CROPS_EVERY == 0 or done == count:
        typer.echo(f"crops {done}/{count}")


def _lines_of_left_out(left_out: tuple[LeftOut, ...]) -> None:
    for photograph in left_out:
        typer.echo(f"left out: {photograph.image}: {photograph.reason}")


def _line_of_step(report: Report) -> None:
    if report.step % LINE_EVERY == 0:
        typer.echo(f"step {report.step}/{report.steps} {_standing(report)}")


def _standing(report: Report) -> str:
    return (
        f"epoch {report.epoch} {report.size} px loss {report.loss:.4f}"
        f" {report.photographs_a_second:.1f} photographs/s {report.seconds_left / 60:.0f} min left"
    )


def _line_of_epoch(figures: dict[str, Any]) -> None:
    sources = " ".join(
        f"{name} {_number(v['kappa'])}/{_number(v['auc'])}"
        for name, v in figures["by_source"].items()
    )
    typer.echo(
        f"epoch {figures['epoch']}: kappa {_number(figures['kappa'])} (mean of sources"
        f" {_number(figures['score'])}) accuracy {_number(figures['accuracy'])}"
        f" AUC {_number(figures['auc'])}; kappa/AUC by source: {sources}"
    )


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"
