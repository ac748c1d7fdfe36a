"""Synthetic eyes with their truth: fundus photographs that nobody's eye was needed for."""

from __future__ import annotations

from fundoscope.phantom.drawing import draw
from fundoscope.phantom.spec import PhantomSpec, Truth
from fundoscope.phantom.specimens import specimens

__all__ = ["PhantomSpec", "Truth", "draw", "specimens"]
