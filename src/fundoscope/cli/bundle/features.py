"""``fundoscope bundle features``: let a grader's network give its features, too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.options import Overwrite


def features(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="A grading bundle.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder to write the new bundle into."),
    ],
    overwrite: Overwrite = False,
) -> None:
    """Let a grader's network give the features of its last stage as a second output.

    No weight and no grade changes. `fundoscope calibrate judge` needs the features. Bundles that
    fundoscope exports have them already.
    """
    from fundoscope.cli.extras import TRAIN, require
    from fundoscope.models import bundle as bundles
    from fundoscope.train.onnx import features as graphs
    from fundoscope.writing import refuse_existing

    require("fundoscope bundle features", TRAIN)
    refuse_existing(out / bundles.MANIFEST, overwrite=overwrite)
    manifest = graphs.add_to_bundle(bundle, out)
    typer.echo(f"{out}: {manifest.name} gives its features")
