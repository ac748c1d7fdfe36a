"""The configurations that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fundoscope.errors import UsageError

FOLDER: Final = Path(__file__).parents[1] / "configs"
SUFFIX: Final = ".toml"


def names() -> tuple[str, ...]:
    """Their names, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob(f"*{SUFFIX}")))


def text(name: str) -> str:
    """A configuration as TOML.

    Raises:
        UsageError: no configuration has that name.
    """
    if name not in names():
        raise UsageError(
            f"configuration {name}", "does not exist", f"name one of {', '.join(names())}"
        )
    return (FOLDER / f"{name}{SUFFIX}").read_text(encoding="utf-8")


def title(name: str) -> str:
    """What a configuration is for: the first sentence of its comment."""
    comment = " ".join(
        line.removeprefix("#").strip() for line in text(name).splitlines() if line.startswith("#")
    )
    return comment.partition(".")[0]


def path(given: Path) -> Path:
    """The file that a user means: their own, or the shipped configuration of that name."""
    if not given.exists() and str(given) in names():
        return FOLDER / f"{given}{SUFFIX}"
    return given
