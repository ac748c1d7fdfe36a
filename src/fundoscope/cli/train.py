"""``fundoscope train``: train a grader and export it as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.crops import LeftOut
    from fundoscope.train.grader import Watcher
    from fundoscope.train.loop import Report

app = typer.Typer(help="Train networks (needs the extra [train]).", no_args_is_help=True)

LINE_EVERY: Final = 50
"""Steps between two lines where the output is no terminal."""
CROPS_EVERY: Final = 500


@app.command()
def grader(
    config: Annotated[Path, typer.Argument(help="Configuration, e.g. configs/grader.toml.")],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/NAME by default.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on where a killed run ended.")] = True,
    threads: Annotated[int | None, typer.Option(help="Processor threads; 0: all.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached crops.")] = None,
) -> None:
    """Train a grader on a manifest; see docs for the configuration."""
    import msgspec

    from fundoscope.train import grader as training

    chosen = training.read_config(config)
    if threads is not None:
        chosen = msgspec.structs.replace(chosen, threads=threads)
    if cache is not None:
        data = msgspec.structs.replace(chosen.data, cache=str(cache))
        chosen = msgspec.structs.replace(chosen, data=data)
    training.train(chosen, out or Path("runs") / config.stem, resume=resume, watcher=_watcher())


def _watcher() -> Watcher:
    from fundoscope.train.grader import Watcher

    return Watcher(crops=_show_crops, left_out=_show_left_out, step=_show_step, epoch=_show_epoch)


def _show_crops(done: int, count: int) -> None:
    if done % CROPS_EVERY == 0 or done == count:
        print(f"crops {done}/{count}", flush=True)


def _show_left_out(left_out: tuple[LeftOut, ...]) -> None:
    for photograph in left_out:
        print(f"left out: {photograph.image}: {photograph.reason}", flush=True)


def _show_step(report: Report) -> None:
    if report.step % LINE_EVERY == 0:
        print(
            f"step {report.step}/{report.steps} epoch {report.epoch} {report.size} px"
            f" loss {report.loss:.4f} {report.photographs_a_second:.1f} photographs/s"
            f" {report.seconds_left / 60:.0f} min left",
            flush=True,
        )


def _show_epoch(figures: dict[str, Any]) -> None:
    sources = " ".join(
        f"{name} {v['kappa']:.3f}/{v['auc'] or float('nan'):.3f}"
        for name, v in figures["by_source"].items()
    )
    print(
        f"epoch {figures['epoch']}: kappa {figures['kappa']:.4f} (mean of sources"
        f" {figures['score']:.4f}) accuracy {figures['accuracy']:.4f} AUC {figures['auc']:.4f};"
        f" kappa/AUC by source: {sources}",
        flush=True,
    )
