"""``fundoscope bundle card``: write the figures of a card from an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def card(
    bundle: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder of a bundle.", show_default=False)
    ],
    evaluation: Annotated[
        Path,
        typer.Option(
            "--evaluation",
            metavar="RESULTS",
            help="Results folder of evaluate grading or evaluate lesions for this bundle.",
        ),
    ],
) -> None:
    """Write intended use, figures and measured limits into a bundle's card, and seal it again.

    The sections that training wrote stay. The card's earlier sections of the same titles are
    replaced.
    """
    from fundoscope.evaluate import card as cards
    from fundoscope.models import bundle as bundles
    from fundoscope.quoting import printable
    from fundoscope.writing import write_text

    manifest = bundles.load(bundle).manifest
    text = cards.written(bundles.card(bundle), manifest, evaluation)
    write_text(bundle / bundles.CARD, text, overwrite=True)
    bundles.seal(bundle, overwrite=True)
    typer.echo(printable(f"{bundle}: card written from {evaluation}, and sealed"))
