"""``fundoscope bundle seal``: store the hashes of a bundle's files beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def seal(
    bundle: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a bundle.", show_default=False)
    ],
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Seal it again, although it differs from its seal."),
    ] = False,
) -> None:
    """Seal a bundle, so that a change of any of its files is noticed.

    Writes bundle.sha256, which sha256sum --check reads as well. Bundles that fundoscope writes are
    sealed already; those of version 0.1 are not.
    """
    from fundoscope.models import bundle as bundles
    from fundoscope.quoting import printable

    sealed = bundles.seal(bundle, overwrite=overwrite)
    typer.echo(printable(f"{bundle}: {sealed.manifest.name} is sealed"))
