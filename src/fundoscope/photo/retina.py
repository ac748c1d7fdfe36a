"""Whether what the disc shows can be a retina."""

from __future__ import annotations

from fundoscope.photo.decode import Pixels
from fundoscope.photo.rim import Ellipse


def plausible(pixels: Pixels, ellipse: Ellipse) -> bool:
    """Whether the content of the disc can be a retina."""
    return True
