"""Array types that the whole evaluation shares, and ratios that may be undefined."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def share(part: Floats, whole: Floats) -> Floats:
    """Divide ``part`` by ``whole``; NaN where ``whole`` is 0.

    Args:
        part: any shape.
        whole: at least 0, of a shape that broadcasts to that of ``part``.
    """
    whole = np.broadcast_to(whole, np.shape(part))
    quotient: Floats = np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    return quotient
