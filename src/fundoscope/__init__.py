"""fundoscope reads retinal photographs and grades diabetic retinopathy.

>>> import fundoscope
>>> reading = fundoscope.read("photo.jpg")          # doctest: +SKIP
>>> reading.grade.icdr                              # doctest: +SKIP
2

Research software: a person supervises it; it is not a certified medical device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["FundoscopeError", "PhotoError", "Reader", "Reading", "__version__", "read"]

if TYPE_CHECKING:
    from fundoscope.errors import FundoscopeError, PhotoError
    from fundoscope.reader import Reader, read
    from fundoscope.reading import Reading

_HOMES = {
    "read": "fundoscope.reader",
    "Reader": "fundoscope.reader",
    "Reading": "fundoscope.reading",
    "FundoscopeError": "fundoscope.errors",
    "PhotoError": "fundoscope.errors",
}


def __getattr__(name: str) -> Any:
    """Load public names when they are first used, so that importing fundoscope stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fundoscope' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
