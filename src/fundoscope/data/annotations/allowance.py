"""How much memory the masks of a file may take, and how many corners a polygon may have.

A mask of 80 megapixels may be written in fifteen bytes, so the size of a file does not bound it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fundoscope import limits
from fundoscope.data.annotations.annotation import Mask


@dataclass(slots=True)
class MaskAllowance:
    """The pixels that the masks of a file may still take.

    Attributes:
        left: pixels, a byte each.
    """

    left: int = limits.MAX_MASKS_PIXELS

    @classmethod
    def of(cls, file_bytes: int) -> MaskAllowance:
        """The allowance of a file of this size: run lengths of lesions need room in it."""
        explained = limits.MASK_PIXELS_A_BYTE * file_bytes
        return cls(min(max(explained, limits.MASKS_FREE_PIXELS), limits.MAX_MASKS_PIXELS))

    def require(self, pixels: int) -> None:
        """Check, before a mask is made, that its pixels fit.

        Raises:
            ValueError: there is no room for it.
        """
        if pixels > self.left:
            raise ValueError(
                "and the masks before it have far too many pixels (split the file into several)"
            )

    def take(self, mask: Mask) -> None:
        """Count a mask that is kept.

        Raises:
            ValueError: there is no room for it.
        """
        self.require(mask.pixels.size)
        self.left -= mask.pixels.size


def require_corners(count: int) -> None:
    """Check the number of corners of a polygon.

    Raises:
        ValueError: it is above :data:`fundoscope.limits.MAX_CORNERS`.
    """
    if count > limits.MAX_CORNERS:
        raise ValueError(f"has a polygon of {count} corners, more than {limits.MAX_CORNERS}")
