"""``fundoscope train grader``: train a grader on a label table or on class folders."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fundoscope.cli.extras import TRAIN, require
from fundoscope.cli.train.options import (
    BundleAtTheEnd,
    Cache,
    Devices,
    DryRun,
    Epochs,
    Minutes,
    OverwriteBundle,
    Preview,
    Resume,
    RunFolder,
    Threads,
)
from fundoscope.cli.train.run import (
    Kind,
    Options,
    require_data,
    require_one_length,
    run,
    run_folder,
)

if TYPE_CHECKING:
    from fundoscope.train.grading.config import GraderConfig

OF_A_TABLE: Final = ("also", "without", "unmarked", "shown")
"""Settings of a configuration's data that belong to its own table."""


def grader(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="Configuration file, or the name of one that ships (fundoscope train config lists"
            " them), e.g. grader.",
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
    epochs: Epochs = None,
    dry_run: DryRun = False,
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
    require_one_length(epochs, minutes)
    require("fundoscope train", TRAIN)
    from fundoscope.cli.train import outline
    from fundoscope.cli.train.progress import watching_grader
    from fundoscope.train import budget
    from fundoscope.train.grading import config as configs
    from fundoscope.train.grading import preview as sheet
    from fundoscope.train.grading import training
    from fundoscope.train.run import recipes

    chosen = configs.replaced(
        configs.read_config(recipes.path(config)),
        data={
            "cache": None if cache is None else str(cache),
            "only_aspect": only_aspect,
        },
        network={"init": init},
        threads=threads,
        devices=devices,
    )
    chosen = _without(_on(chosen, data), without or ())
    if epochs is not None:
        chosen = configs.with_epochs(chosen, epochs)
    configs.check(chosen, config.name)
    if dry_run:
        for line in outline.of_grader(chosen):
            typer.echo(line)
        return
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


def _on(config: GraderConfig, data: Path | None) -> GraderConfig:
    """The configuration on the data that the user named; a pack is unpacked."""
    from fundoscope.train.grading import config as configs
    from fundoscope.train.pack import unpack

    table = require_data(data, config.data.manifest)
    if unpack.is_pack(table):
        return unpack.grader(config, table)
    if data is None:
        return config
    changed = configs.on_other_data(config, table)
    cleared = [key for key in OF_A_TABLE if getattr(config.data, key)]
    cleared += ["maps"] * bool(config.maps.boxes)
    if cleared:
        typer.echo(f"with --data, the configuration's {', '.join(cleared)} do not apply", err=True)
    return changed


def _schedule(config: GraderConfig) -> str:
    epochs = ", ".join(f"{stage.epochs} at {stage.size} px" for stage in config.stages)
    sample = f" of {config.data.sample} photographs" if config.data.sample else ""
    return f"epochs: {epochs}{sample}"
