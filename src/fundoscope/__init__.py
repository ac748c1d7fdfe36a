"""fundoscope reads photographs of the retina and grades diabetic retinopathy.

>>> import fundoscope
>>> reading = fundoscope.read("photo.jpg")          # doctest: +SKIP
>>> reading.grade.icdr                              # doctest: +SKIP
2

Research software. It is not a certified medical device; a qualified person must supervise it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fundoscope._version import __version__

__all__ = ["FundoscopeError", "PhotoError", "Reader", "Reading", "__version__", "draw", "read"]

if TYPE_CHECKING:
    from fundoscope.errors import FundoscopeError, PhotoError
    from fundoscope.reader import Reader, read
    from fundoscope.reading import Reading
    from fundoscope.report.drawing import draw

_MODULE_OF = {
    "read": "fundoscope.reader",
    "draw": "fundoscope.report.drawing",
    "Reader": "fundoscope.reader",
    "Reading": "fundoscope.reading",
    "FundoscopeError": "fundoscope.errors",
    "PhotoError": "fundoscope.errors",
}
"""Where each public name is defined."""


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that importing fundoscope stays cheap."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'fundoscope' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The module's names, with the public ones that are not loaded yet."""
    return sorted({*globals(), *__all__})
