"""The versions of the software that computed a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

CORE_LIBRARIES: Final = (
    "numpy", "scipy", "onnxruntime", "simplejpeg", "pillow", "msgspec", "typer", "rich",
)  # fmt: skip
"""The packages that the core needs, by their names in pip."""


def installed(name: str) -> str | None:
    """The version of a package, by its name in pip; ``None`` if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """The versions of fundoscope, Python and the libraries of the core, by name."""
    from fundoscope._version import __version__

    libraries = {name: installed(name) for name in CORE_LIBRARIES}
    return {"fundoscope": __version__, "python": platform.python_version(), **libraries}
