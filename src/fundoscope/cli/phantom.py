"""``fundoscope phantom``: draw synthetic photographs of the retina."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from fundoscope.cli.options import Overwrite
from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from fundoscope.phantom import PhantomSpec, Truth
    from fundoscope.phantom.spec import Eye, Shape

SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")
"""Width and height in pixels, e.g. ``1280x960``."""


def phantom(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT.jpg|DIR",
            help="Picture to write (.jpg, .png or .tif), or a folder for pictures named"
            " phantom-SEED.jpg.",
            show_default=False,
        ),
    ],
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed; the same seed draws the same eye.")
    ] = 0,
    size: Annotated[
        str,
        typer.Option(
            metavar="WxH", help="Width and height in pixels; the long side has 224 to 6000."
        ),
    ] = "1280x960",
    shape: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WORD",
            help="View of the retina: full, clipped (cut by the edges) or square (no border)."
            " Repeat the option to add notch, label, frame, grey (border), noisy (border), dark.",
        ),
    ] = None,
    stretch: Annotated[
        float,
        typer.Option(
            metavar="RATIO",
            help="True width over height of a pixel; 1.5 squeezes a 3:2 picture into a square.",
        ),
    ] = 1.0,
    eye: Annotated[str, typer.Option(metavar="left|right", help="Which eye to draw.")] = "right",
    grade: Annotated[
        int,
        typer.Option(
            metavar="GRADE", help="Grade of retinopathy on the international scale, 0 to 4."
        ),
    ] = 0,
    count: Annotated[
        int,
        typer.Option(
            metavar="N", min=1, help="Number of pictures to draw into DIR; seeds count from --seed."
        ),
    ] = 1,
    varied: Annotated[
        bool,
        typer.Option(
            "--varied",
            help="Vary shape, size, eye and grade from picture to picture, in place of the options"
            " for them. Pictures are numbered from 0.",
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Draw synthetic photographs of the retina with lesions at known places.

    What was drawn (field of view, optic disc, fovea, lesions, grade) is written next to each
    picture as NAME.truth.json.
    """
    from fundoscope.phantom import PhantomSpec, files, specimens

    if count > 1 and files.is_picture(out):
        raise UsageError(f"--count {count}", f"{out.name} is a single picture", "name a folder")
    if varied:
        specs = specimens(count, seed)
    else:
        width, height = _size(size)
        words = cast("tuple[Shape, ...]", tuple(shape or ("full",)))
        which = cast("Eye", eye)  # PhantomSpec checks both
        specs = (
            PhantomSpec(number, width, height, grade, which, words, stretch)
            for number in range(seed, seed + count)
        )
    for picture, spec in _named(out, specs, varied=varied):
        truth = _draw(spec, picture, overwrite=overwrite)
        typer.echo(f"{picture}: {_in_words(truth)}")


def _size(text: str) -> tuple[int, int]:
    match = SIZE.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--size {text}", "does not have the form WxH", "write it like --size 1280x960"
        )
    return int(match[1]), int(match[2])


def _named(
    out: Path, specs: Iterator[PhantomSpec], *, varied: bool
) -> Iterator[tuple[Path, PhantomSpec]]:
    """Each specification with its file: ``out`` itself, or a numbered file in the folder."""
    from fundoscope.phantom import files
    from fundoscope.writing import explained

    if files.is_picture(out):
        yield from ((out, spec) for spec in specs)
        return
    with explained(out, "cannot be created as a folder", "name another one"):
        out.mkdir(parents=True, exist_ok=True)
    for number, spec in enumerate(specs):
        yield out / f"phantom-{number if varied else spec.seed:04d}.jpg", spec


def _draw(spec: PhantomSpec, picture: Path, *, overwrite: bool) -> Truth:
    """Draw a picture; write it and what was drawn."""
    from fundoscope.phantom import draw, files
    from fundoscope.writing import refuse_existing, write_whole

    sidecar = files.truth_path(picture)
    for path in (picture, sidecar):
        refuse_existing(path, overwrite=overwrite)
    pixels, truth = draw(spec)
    write_whole(picture, files.encoded(pixels, picture.suffix))
    write_whole(sidecar, truth.to_json().encode())
    return truth


def _in_words(truth: Truth) -> str:
    shape = " ".join(truth.field.shape)
    stretch = "" if truth.field.stretch == 1.0 else f", stretch {truth.field.stretch:g}"
    return (
        f"{truth.width}x{truth.height} {shape}{stretch}, {truth.eye} eye, "
        f"grade {truth.grade}, {len(truth.lesions)} lesions, seed {truth.seed}"
    )
