"""``fundoscope train grader``: train a grader on a label table or on class folders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fundoscope.cli.extras import TRAIN, require
from fundoscope.cli.train.options import (
    BundleAtTheEnd,
    Cache,
    Devices,
    Minutes,
    OverwriteBundle,
    Preview,
    Resume,
    RunFolder,
    Threads,
)
from fundoscope.cli.train.run import Kind, Options, run, run_folder

if TYPE_CHECKING:
    from fundoscope.train.grading.config import GraderConfig


def grader(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="Configuration file, e.g. configs/grader.toml.",
            show_default=False,
        ),
    ],
    out: RunFolder = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE|FOLDER|PACK",
            help="Label table, class folders, or a pack of train pack grader. Default: as"
            " configured.",
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="START",
            help="Weights to start from: imagenet, hub (downloads them), none (random), a file of"
            " weights, or a bundle. Default: as configured.",
        ),
    ] = None,
    only_aspect: Annotated[
        float | None,
        typer.Option(
            metavar="RATIO", help="Use only photographs whose width is RATIO times their height."
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SOURCE",
            help="Leave out the photographs of this source, and the settings that name it. Repeat"
            " the option for further sources.",
        ),
    ] = None,
    resume: Resume = True,
    threads: Threads = None,
    devices: Devices = None,
    cache: Cache = None,
    preview: Preview = None,
    minutes: Minutes = None,
    bundle: BundleAtTheEnd = None,
    overwrite: OverwriteBundle = False,
) -> None:
    """Train a grader on a label table or on class folders.

    The run folder receives the best network so far (best.pt), one line of figures for each epoch
    (metrics.jsonl), their curves (curves.png) and a check-point. To continue an interrupted run,
    give the same command again.
    """
    started = time.monotonic()
    require("fundoscope train", TRAIN)
    from fundoscope.cli.train.progress import watching_grader
    from fundoscope.train import budget
    from fundoscope.train.grading import config as configs
    from fundoscope.train.grading import preview as sheet
    from fundoscope.train.grading import training

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
    chosen = _from_pack(_without(chosen, without or ()))
    configs.check(chosen, config.name)
    if preview is not None:
        sheet.draw(chosen, preview)
        typer.echo(f"{preview}: drawn; check that each could be a photograph")
        return
    kind = Kind(watching_grader, budget.settle_grader, _schedule, training.train)
    folder = run_folder(out, config)
    run(kind, chosen, Options(folder, resume, minutes, bundle, overwrite, started))


def _without(config: GraderConfig, sources: Sequence[str]) -> GraderConfig:
    from fundoscope.train.grading import config as configs

    for source in sources:
        config = configs.without(config, source)
    return config


def _from_pack(config: GraderConfig) -> GraderConfig:
    """The configuration of a training on a pack, if its data is one."""
    from fundoscope.train.pack import unpack

    data = Path(config.data.manifest)
    return unpack.grader(config, data) if unpack.is_pack(data) else config


def _schedule(config: GraderConfig) -> str:
    epochs = ", ".join(f"{stage.epochs} at {stage.size} px" for stage in config.stages)
    sample = f" of {config.data.sample} photographs" if config.data.sample else ""
    return f"epochs: {epochs}{sample}"
