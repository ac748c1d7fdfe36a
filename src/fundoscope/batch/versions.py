"""Which versions of what computed a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

CORE_LIBRARIES: Final = (
    "numpy", "scipy", "onnxruntime", "simplejpeg", "pillow", "msgspec", "typer", "rich",
)  # fmt: skip
"""The packages that the core needs, by the names that pip knows."""


def installed(name: str) -> str | None:
    """The version of an installed package, by the name that pip knows; ``None`` without it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """Versions of fundoscope, Python and the core's libraries, by name."""
    from fundoscope._version import __version__

    libraries = {name: installed(name) for name in CORE_LIBRARIES}
    return {"fundoscope": __version__, "python": platform.python_version(), **libraries}
