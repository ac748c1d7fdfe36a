"""``fundoscope train pack``: everything that a training needs, in one file for another machine."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from fundoscope.train.pack.pack import Packed

app = typer.Typer(
    help="Pack what a training needs into one file, to train on another machine.",
    no_args_is_help=True,
)

BEST_QUALITY: Final = 100

Config = Annotated[Path, typer.Argument(help="Configuration of the training.")]
Out = Annotated[Path, typer.Option(help="The pack, a zip file.")]
Limit = Annotated[
    float,
    typer.Option(
        min=0, show_default=False, help="Mebibytes that a file may have; no limit by default."
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]
LIMIT: Final = math.inf
QUALITY: Final = 95
"""As :mod:`fundoscope.train.pack.pack` has them, which is not imported for a help text."""


@app.command()
def grader(
    config: Config,
    out: Out,
    also: Annotated[
        list[Path] | None,
        typer.Option(help="A further configuration, whose starting weights are packed too."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Label table or class folders, in place of the file's.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached pictures.")] = None,
    quality: Annotated[
        int, typer.Option(min=1, max=BEST_QUALITY, help="Of the crops as WebP.")
    ] = QUALITY,
    limit: Limit = LIMIT,
    overwrite: Overwrite = False,
) -> None:
    """Pack a grader's crops of train and validation, their labels and its starting weights."""
    from fundoscope.cli.train import require_extra
    from fundoscope.cli.train.progress import watching

    require_extra()
    from fundoscope.train.grading import config as configs
    from fundoscope.train.pack import pack

    chosen = configs.replaced(
        configs.read_config(config),
        data={
            "manifest": None if data is None else str(data),
            "cache": None if cache is None else str(cache),
        },
    )
    with watching() as listeners:
        packed = pack.write_grader(
            chosen,
            out,
            others=[configs.read_config(each) for each in also or ()],
            quality=quality,
            limit=limit,
            overwrite=overwrite,
            progress=listeners.picture,
        )
    _tell(packed)


@app.command()
def detector(
    config: Config,
    out: Out,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of masks to take along; the file's by default.")
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cached views.")] = None,
    limit: Limit = LIMIT,
    overwrite: Overwrite = False,
) -> None:
    """Pack a detector's photographs, their annotations and masks, and its starting weights."""
    from fundoscope.cli.train import require_extra

    require_extra()
    from fundoscope.train.detection import checks
    from fundoscope.train.detection import config as configs
    from fundoscope.train.pack import pack

    chosen = configs.replaced(
        checks.read_config(config), data={"cache": None if cache is None else str(cache)}
    )
    _tell(pack.write_detector(chosen, out, masks=masks, limit=limit, overwrite=overwrite))


def _tell(packed: Packed) -> None:
    sizes = " + ".join(f"{size:.1f}" for size in packed.mebibytes)
    files = "" if len(packed.mebibytes) == 1 else f" in {len(packed.mebibytes)} files"
    typer.echo(
        f"{packed.path}: {packed.train} photographs to train on, {packed.val} to validate on,"
        f" {sizes} MiB{files}"
    )
