"""The memory of a training run: whether it suffices, and how freed memory is kept."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fundoscope.errors import UsageError

if TYPE_CHECKING:
    from torch import nn

M_TRIM_THRESHOLD: Final = -1
M_MMAP_MAX: Final = -4
"""Options of ``mallopt`` (malloc.h of the GNU C library)."""
NEVER: Final = 2**31 - 1
COPIES: Final = 5
"""Of the weights while training: themselves, gradients, two moments, the moving average."""
BYTES: Final = 4
KIBIBYTE: Final = 1024


def require(make: Callable[[], nn.Module], title: str) -> int:
    """Check that training a network's weights fits into the free memory, before any is taken.

    Args:
        make: makes the network. It is called on torch's "meta" device, which allocates nothing.
        title: how messages call the network.

    Returns:
        Its number of weights.

    Raises:
        UsageError: the memory does not suffice.
    """
    import torch

    with torch.device("meta"):
        weights = sum(p.numel() for p in make().parameters())
    needed, free = weights * BYTES * COPIES, available()
    if free is not None and needed > free:
        raise UsageError(
            title,
            f"has {weights / 1e6:,.0f} million weights, and training them takes"
            f" {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free",
            "choose a smaller input or another network",
        )
    return weights


def available() -> int | None:
    """Bytes of memory that a process can still take; ``None`` where that is unknown."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        sizes = dict(line.split(":", 1) for line in lines)
        return int(sizes["MemAvailable"].split()[0]) * KIBIBYTE
    except (OSError, KeyError, ValueError):
        return None


def keep() -> bool:
    """Keep freed memory for the next step instead of returning it to the system.

    Every step of training takes and frees the same large arrays; by default each is mapped and
    cleared again. Measured with EfficientNet-Lite0 at 256 px on one thread: 7.7 photographs a
    second before, 11.6 after.

    Returns:
        Whether the C library supports it; elsewhere nothing is changed.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, NEVER))
