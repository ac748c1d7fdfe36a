"""Phantoms: synthetic fundus photographs with their ground truth."""

from __future__ import annotations

from fundoscope.phantom.drawing import draw, truth_of
from fundoscope.phantom.spec import PhantomSpec, Truth
from fundoscope.phantom.variety import specimens

__all__ = ["PhantomSpec", "Truth", "draw", "specimens", "truth_of"]
