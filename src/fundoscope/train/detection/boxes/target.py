"""What a Faster R-CNN should find on a training tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from torch import Tensor


class Target(msgspec.Struct, frozen=True, eq=False):
    """The lesions of a training tile.

    Not a dictionary: Lightning Fabric would convert its numbers to half precision with the pixels.

    Attributes:
        boxes: float ``(M, 4)`` in the tile's pixels.
        labels: int64 ``(M,)``, from 1.
        unassessed: int64, labels of the kinds that nobody annotated on the tile; ``None``: none.
        background: whether what has no box is background for the first stage.
    """

    boxes: Tensor
    labels: Tensor
    unassessed: Tensor | None = None
    background: bool = True
