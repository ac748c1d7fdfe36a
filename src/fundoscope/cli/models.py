"""``fundoscope models``: list bundles and verify them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from fundoscope.errors import BundleError


def models(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(metavar="BUNDLE", help="Bundles of your own, each a folder or a zip file."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON array.")] = False,
) -> None:
    """List the bundles that come with fundoscope and those named here, and verify their hashes.

    Exit code 0: all are sound. 2: one is missing or damaged.
    """
    from fundoscope.models import bundle
    from fundoscope.report.wording import printable

    found = [_described(path) for path in (*_shipped(), *(bundles or ()))]
    if not found:
        bundle.shipped()  # says what to do when none comes with this installation
    if json:
        import msgspec

        typer.echo(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    for one in found:
        if not one["verified"]:
            typer.echo(printable(one["error"]), err=True)
        elif not json:
            for line in _in_words(one):
                typer.echo(printable(line))
    if not all(one["verified"] for one in found):
        raise typer.Exit(BundleError.exit_code)


def _shipped() -> list[Path]:
    from fundoscope.models.bundle import MANIFEST, SHIPPED

    return sorted(path.parent for path in SHIPPED.glob(f"*/{MANIFEST}"))


def _described(path: Path) -> dict[str, Any]:
    """A bundle as plain values; what is wrong with it where it cannot be verified."""
    import msgspec

    from fundoscope.models import bundle

    try:
        loaded = bundle.load(path)
    except BundleError as error:
        return {"path": str(path), "verified": False, "error": str(error)}
    known: dict[str, Any] = msgspec.to_builtins(loaded.manifest)
    return {"path": str(path), "verified": True, "model_bytes": len(loaded.model)} | known


def _in_words(one: dict[str, Any]) -> Iterator[str]:
    trained_on = one["trained_on"]["photographs"]
    sources = ", ".join(f"{source} {count}" for source, count in trained_on.items())
    yield f"{one['name']}: verified, {one['path']}"
    yield (
        f"  {one['task']} at {_size(one['input_size'])} px, {one['model_bytes'] / 1e6:.1f} MB, "
        f"sha256 {one['model_sha256'][:12]}"
    )
    yield from _OF_TASK[one["task"]](one)
    yield f"  trained on {sum(trained_on.values())} photographs ({sources})"
    yield f"  licence: {one['licence']}"


def _of_grader(one: dict[str, Any]) -> Iterator[str]:
    yield f"  referable from a probability of {one['referable_threshold']:.3f}"


def _of_detector(one: dict[str, Any]) -> Iterator[str]:
    for kind in one["classes"]:
        least = one["minimum_radius"].get(kind)
        seen = "on no photograph" if least is None else f"on fields of a radius from {least:.0f} px"
        yield f"  {kind} from a score of {one['thresholds'][kind]:.3f}, {seen}"


_OF_TASK: Final = {"grading": _of_grader, "detection": _of_detector}


def _size(size: int | list[int]) -> str:
    """Side, or height x width."""
    return str(size) if isinstance(size, int) else " x ".join(map(str, size))
