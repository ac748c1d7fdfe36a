"""``fundoscope train landmarks``: train the network that finds optic disc and fovea."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fundoscope.cli.extras import TRAIN, require
from fundoscope.cli.train.options import (
    BundleAtTheEnd,
    Cache,
    Epochs,
    OverwriteBundle,
    Resume,
    RunFolder,
    Threads,
)
from fundoscope.cli.train.run import Kind, Options, require_data, run, run_folder

if TYPE_CHECKING:
    from fundoscope.train.landmarks.config import LandmarksConfig


def landmarks(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG",
            help="Configuration file, or the name of one that ships: landmarks.",
            show_default=False,
        ),
    ],
    out: RunFolder = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE",
            help="CSV file with the columns image, split, disc_x, disc_y, disc_width, disc_height,"
            " fovea_x, fovea_y, in pixels. Default: as configured.",
        ),
    ] = None,
    resume: Resume = True,
    threads: Threads = None,
    cache: Cache = None,
    epochs: Epochs = None,
    bundle: BundleAtTheEnd = None,
    overwrite: OverwriteBundle = False,
) -> None:
    """Train a network that finds the optic disc and the fovea.

    The run folder receives the best network so far (best.pt), one line of figures for each epoch
    (metrics.jsonl), their curves (curves.png) and a check-point. To continue an interrupted run,
    give the same command again.
    """
    started = time.monotonic()
    require("fundoscope train", TRAIN)
    from fundoscope.cli.train.progress import watching_landmarks
    from fundoscope.train.landmarks import config as configs
    from fundoscope.train.landmarks import training
    from fundoscope.train.run import recipes, settings

    chosen = configs.read_config(recipes.path(config))
    table = require_data(data, chosen.data.manifest)
    changes: dict[str, Any] = {
        "data": {"manifest": str(table), "cache": None if cache is None else str(cache)},
        "threads": threads,
    }
    chosen = settings.replaced(chosen, changes)
    if epochs is not None:
        chosen = configs.with_epochs(chosen, epochs)
    configs.check(chosen, config.name)
    # Landmark networks train in minutes, so they take no time budget.
    kind = Kind(watching_landmarks, None, _schedule, training.train)
    run(kind, chosen, Options(run_folder(out, config), resume, None, bundle, overwrite, started))


def _schedule(config: LandmarksConfig) -> str:
    return ", ".join(f"{stage.epochs} at {stage.size} px" for stage in config.stages)
