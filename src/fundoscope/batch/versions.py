"""The versions of the software that computed a result."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

CORE_LIBRARIES: Final = (
    "numpy", "scipy", "onnxruntime", "simplejpeg", "pillow", "msgspec", "typer", "rich",
)  # fmt: skip
"""The packages that the core needs, by their names in pip."""
OPENVINO: Final = "openvino"
"""Named only where it is installed: it may run the networks."""


def installed(name: str) -> str | None:
    """The version of a package, by its name in pip; ``None`` if it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """The versions of fundoscope, Python and what computes its results, by name."""
    from fundoscope._version import __version__

    libraries = {name: installed(name) for name in CORE_LIBRARIES}
    if (openvino := installed(OPENVINO)) is not None:
        libraries[OPENVINO] = openvino
    return {"fundoscope": __version__, "python": platform.python_version(), **libraries}
