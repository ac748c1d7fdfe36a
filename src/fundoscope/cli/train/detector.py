"""``fundoscope train detector``: train a detector of lesions on annotated photographs."""

from __future__ import annotations

import time
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
    from fundoscope.train.detection.config import DetectorConfig

OF_ANNOTATIONS: Final = ("data.masks", "healthy.tables", "healthy.mined", "partial")
"""Settings that go with a configuration's own annotations: further material to learn from."""


def detector(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="Configuration file, or the name of one that ships (fundoscope train config lists"
            " them), e.g. detector.",
            show_default=False,
        ),
    ],
    out: RunFolder = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="ANNOTATIONS|PACK",
            help="Annotations in any format that data convert reads, or a pack of train pack"
            " detector. Default: as configured.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the annotated photographs. Default: as configured."
        ),
    ] = None,
    leave_out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Text file with the names of photographs to leave out, one a line."
        ),
    ] = None,
    machine_boxes: Annotated[
        bool,
        typer.Option(
            "--machine-boxes",
            help="Learn also from boxes that a detector made and nobody confirmed. Without it they"
            " are counted and refused.",
        ),
    ] = False,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="START",
            help="Weights that the backbone starts from: imagenet, hub (downloads them), none"
            " (random), or a file of weights. Default: as configured.",
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
    """Train a detector of lesions on annotated photographs.

    The run folder receives the best network so far (best.pt), one line of figures for each epoch
    (metrics.jsonl), their curves (curves.png), pictures of validation photographs with the true and
    the detected lesions (validation-NNN.jpg) and a check-point. To continue an interrupted run,
    give the same command again.
    """
    started = time.monotonic()
    require_one_length(epochs, minutes)
    require("fundoscope train", TRAIN)
    from fundoscope.cli.train import outline
    from fundoscope.cli.train.progress import watching_detector
    from fundoscope.train import budget
    from fundoscope.train.detection import checks, training
    from fundoscope.train.detection import config as configs
    from fundoscope.train.run import recipes

    chosen = configs.replaced(
        checks.read_config(recipes.path(config)),
        backbone={"init": init},
        data={
            "cache": None if cache is None else str(cache),
            "machine_boxes": machine_boxes or None,
        },
        threads=threads,
        devices=devices,
        epochs=epochs,
    )
    chosen = _on(chosen, data, images, leave_out)
    checks.check(chosen, config.name)
    if dry_run:
        for line in outline.of_detector(chosen):
            typer.echo(line)
        return
    if preview is not None:
        _draw_preview(chosen, preview)
        return
    kind = Kind(watching_detector, budget.settle_detector, _schedule, training.train)
    folder = run_folder(out, config)
    run(kind, chosen, Options(folder, resume, minutes, bundle, overwrite, started))


def _on(
    config: DetectorConfig, data: Path | None, images: Path | None, leave_out: Path | None
) -> DetectorConfig:
    """The configuration on the data that the user named."""
    from fundoscope.train.detection import config as configs
    from fundoscope.train.detection.views.photo_names import read_names
    from fundoscope.train.pack import unpack
    from fundoscope.train.run.settings import value_of

    annotations = require_data(data, config.data.annotations)
    if unpack.is_pack(annotations):
        config = unpack.detector(config, annotations)
    elif data is not None:
        cleared = [key for key in OF_ANNOTATIONS if value_of(config, key)]
        if cleared:
            named = ", ".join(cleared)
            typer.echo(f"with --data, the configuration's {named} do not apply", err=True)
        config = configs.on_other_data(config, data)
    left_out = None if leave_out is None else (*config.data.left_out, *read_names(str(leave_out)))
    return configs.replaced(
        config, data={"images": None if images is None else str(images), "left_out": left_out}
    )


def _draw_preview(config: DetectorConfig, path: Path) -> None:
    from fundoscope.cli.train.progress import watching_detector
    from fundoscope.train.detection import preview

    with watching_detector() as listeners:
        preview.draw(config, path, listeners)
    typer.echo(f"{path}: drawn; check that the boxes hold what they should")


def _schedule(config: DetectorConfig) -> str:
    return f"epochs: {config.epochs} of {config.draw.tiles} tiles"
