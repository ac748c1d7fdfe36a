"""``fundoscope models``: list bundles and verify them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from fundoscope.cli.exit_codes import WRONG_USE
from fundoscope.errors import BundleError

HASH_SHOWN: Final = 12
"""Characters of a hash that are printed."""
MEGABYTE: Final = 1e6


def models(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="BUNDLE", help="Further bundles to list, each a folder or a zip file."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as a JSON array.")] = False,
) -> None:
    """List the bundles that come with fundoscope, and any others you name, and verify their hashes.

    A bundle holds a trained network and what is needed to use it. Bundles of version 0.1 are not
    sealed, so that an edited threshold would not be noticed: fundoscope bundle seal seals them.

    Exit codes: 0 if all bundles are intact, 2 if one is missing or damaged.
    """
    from fundoscope.models import bundle
    from fundoscope.quoting import as_json, printable

    described = [_described(path) for path in (*_shipped(), *(bundles or ()))]
    if not described:
        bundle.shipped()  # raises an error that says what to do
    if json:
        typer.echo(as_json(described).decode(), nl=False)
    for facts in described:
        if not facts["verified"]:
            typer.echo(printable(facts["error"]), err=True)
        elif not json:
            for line in _lines(facts):
                typer.echo(printable(line))
    if not all(facts["verified"] for facts in described):
        raise typer.Exit(WRONG_USE)


def _shipped() -> list[Path]:
    from fundoscope.models.bundle import MANIFEST, SHIPPED

    return sorted(path.parent for path in SHIPPED.glob(f"*/{MANIFEST}"))


def _described(path: Path) -> dict[str, Any]:
    """A bundle as plain values, or the error if it cannot be verified."""
    import msgspec

    from fundoscope.models import bundle

    try:
        loaded = bundle.load(path)
    except BundleError as error:
        return {"path": str(path), "verified": False, "error": str(error)}
    manifest: dict[str, Any] = msgspec.to_builtins(loaded.manifest)
    facts = {"path": str(path), "verified": True, "sealed": loaded.sealed}
    return facts | {"model_bytes": len(loaded.model)} | manifest


def _lines(facts: dict[str, Any]) -> Iterator[str]:
    from fundoscope.models.bundle import MANIFEST

    trained_on = facts["trained_on"]["photographs"]
    sources = ", ".join(f"{source} {count}" for source, count in trained_on.items())
    sealed = "" if facts["sealed"] else f" (not sealed: no hash covers {MANIFEST})"
    yield f"{facts['name']}: verified{sealed}, {facts['path']}"
    yield (
        f"  {facts['task']} at {_size(facts['input_size'])} px,"
        f" {facts['model_bytes'] / MEGABYTE:.1f} MB, sha256 {facts['model_sha256'][:HASH_SHOWN]}"
    )
    yield from _LINES[facts["task"]](facts)
    yield f"  trained on {sum(trained_on.values())} photographs ({sources})"
    yield f"  licence: {facts['licence']}"


def _lines_of_grader(facts: dict[str, Any]) -> Iterator[str]:
    yield f"  referable from a probability of {facts['referable_threshold']:.3f}"


def _lines_of_detector(facts: dict[str, Any]) -> Iterator[str]:
    for kind in facts["classes"]:
        radius = facts["minimum_radius"].get(kind)
        where = (
            "on no photograph"
            if radius is None
            else f"if the retina has a radius of at least {radius:.0f} px"
        )
        yield f"  {kind} from a score of {facts['thresholds'][kind]:.3f}, {where}"


def _lines_of_landmarks(facts: dict[str, Any]) -> Iterator[str]:
    yield (
        "  optic disc and fovea, if the retina has a radius of at least"
        f" {facts['minimum_radius']:.0f} px"
    )


_LINES: Final = {
    "grading": _lines_of_grader,
    "detection": _lines_of_detector,
    "landmarks": _lines_of_landmarks,
}


def _size(size: int | list[int]) -> str:
    """The side of a square, or height x width."""
    return str(size) if isinstance(size, int) else " x ".join(map(str, size))
