"""``fundoscope train pack detector``: pack the training of a detector."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.extras import TRAIN, require
from fundoscope.cli.options import Overwrite
from fundoscope.cli.train.options import Cache
from fundoscope.cli.train.pack.options import LIMIT, Config, Limit, Pack, print_packed


def detector(
    config: Config,
    out: Pack,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of lesion masks to pack as well. Default: as configured."
        ),
    ] = None,
    cache: Cache = None,
    limit: Limit = LIMIT,
    overwrite: Overwrite = False,
) -> None:
    """Pack the photographs of a detector's training, their annotations and the starting weights."""
    require("fundoscope train", TRAIN)
    from fundoscope.train.detection import checks
    from fundoscope.train.detection import config as configs
    from fundoscope.train.pack import pack

    chosen = configs.replaced(
        checks.read_config(config), data={"cache": None if cache is None else str(cache)}
    )
    packed = pack.write_detector(chosen, out, masks=masks, limit=limit, overwrite=overwrite)
    print_packed(packed)
