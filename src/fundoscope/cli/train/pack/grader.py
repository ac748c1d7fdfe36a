"""``fundoscope train pack grader``: pack the training of a grader."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.extras import TRAIN, require
from fundoscope.cli.options import Overwrite
from fundoscope.cli.train.options import Cache
from fundoscope.cli.train.pack.options import (
    BEST_QUALITY,
    LIMIT,
    QUALITY,
    Config,
    Limit,
    Pack,
    print_packed,
)


def grader(
    config: Config,
    out: Pack,
    also: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CONFIG",
            help="A further configuration, whose starting weights are packed too. Repeat the option"
            " for more.",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="TABLE|FOLDER", help="Label table or class folders. Default: as configured."
        ),
    ] = None,
    cache: Cache = None,
    quality: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, max=BEST_QUALITY, help="WebP quality of the photographs, 1 to 100."
        ),
    ] = QUALITY,
    limit: Limit = LIMIT,
    overwrite: Overwrite = False,
) -> None:
    """Pack the photographs of a grader's training, their labels and the starting weights.

    A pack that is larger than the limit is split into several files.
    """
    require("fundoscope train", TRAIN)
    from fundoscope.cli.train.progress import watching_grader
    from fundoscope.train.grading import config as configs
    from fundoscope.train.pack import pack

    chosen = configs.replaced(
        configs.read_config(config),
        data={
            "manifest": None if data is None else str(data),
            "cache": None if cache is None else str(cache),
        },
    )
    with watching_grader() as listeners:
        packed = pack.write_grader(
            chosen,
            out,
            others=[configs.read_config(other) for other in also or ()],
            quality=quality,
            limit=limit,
            overwrite=overwrite,
            progress=listeners.picture,
        )
    print_packed(packed)
