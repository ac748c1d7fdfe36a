"""``fundoscope phantom``: draw synthetic eyes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from fundoscope.errors import OutputError, UsageError

if TYPE_CHECKING:
    from fundoscope.phantom import PhantomSpec, Truth
    from fundoscope.phantom.spec import Eye, Shape

SIZE: Final = re.compile(r"(\d{1,5})x(\d{1,5})")


def phantom(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT.jpg|DIR",
            help="Picture to write (.jpg, .png, .tif), or a folder for phantom-SEED.jpg.",
        ),
    ],
    seed: Annotated[int, typer.Option(min=0, help="The same seed is the same eye.")] = 0,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="In pixels, 224 to 6000 on the long side.")
    ] = "1280x960",
    shape: Annotated[
        list[str] | None,
        typer.Option(
            help="How the disc is framed: full, clipped (by the edges) or square (no border). "
            "Repeat for what else there is: notch, label, frame, grey or noisy border, dark."
        ),
    ] = None,
    stretch: Annotated[
        float, typer.Option(help="True width over height of a pixel; 1.5 squashes 3:2 to a square.")
    ] = 1.0,
    eye: Annotated[str, typer.Option(help="left or right.")] = "right",
    grade: Annotated[int, typer.Option(help="0 to 4 of the International scale.")] = 0,
    count: Annotated[
        int, typer.Option(min=1, help="How many to draw into DIR, with seeds from --seed on.")
    ] = 1,
    varied: Annotated[
        bool, typer.Option("--varied", help="Each of another shape, size, eye and grade.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there.")
    ] = False,
) -> None:
    """Draw synthetic fundus photographs with lesions at known places.

    The truth (field of view, disc, fovea, lesions, grade) lies beside each as NAME.truth.json.
    """
    from fundoscope.phantom import PhantomSpec, files, specimens

    if count > 1 and files.is_picture(out):
        raise UsageError(f"--count {count}", f"{out.name} is one picture", "name a folder")
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
        raise UsageError(f"--size {text}", "is not of the form WxH", "write e.g. --size 1280x960")
    return int(match[1]), int(match[2])


def _named(
    out: Path, specs: Iterator[PhantomSpec], *, varied: bool
) -> Iterator[tuple[Path, PhantomSpec]]:
    """Each spec with its file: ``out`` itself, or numbered in the folder ``out``."""
    from fundoscope.phantom import files
    from fundoscope.writing import explained

    if files.is_picture(out):
        yield from ((out, spec) for spec in specs)
        return
    with explained(out, "cannot be made a folder", "name another one"):
        out.mkdir(parents=True, exist_ok=True)
    for number, spec in enumerate(specs):
        yield out / f"phantom-{number if varied else spec.seed:04d}.jpg", spec


def _draw(spec: PhantomSpec, picture: Path, *, overwrite: bool) -> Truth:
    """Draw one and write both files."""
    from fundoscope.phantom import draw, files
    from fundoscope.writing import write_whole

    sidecar = files.truth_path(picture)
    there = [path for path in (picture, sidecar) if path.exists()]
    if there and not overwrite:
        raise OutputError(str(there[0]), "is there already", "add --overwrite to replace it")
    pixels, truth = draw(spec)
    write_whole(picture, files.encoded(pixels, picture.suffix))
    write_whole(sidecar, truth.to_json().encode())
    return truth


def _in_words(truth: Truth) -> str:
    shape = " ".join(truth.field.shape)
    squashed = "" if truth.field.stretch == 1.0 else f", stretch {truth.field.stretch:g}"
    return (
        f"{truth.width}x{truth.height} {shape}{squashed}, {truth.eye} eye, "
        f"grade {truth.grade}, {len(truth.lesions)} lesions, seed {truth.seed}"
    )
