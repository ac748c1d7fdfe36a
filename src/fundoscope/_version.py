"""The version of fundoscope, read by the build and by every module that reports it."""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"
