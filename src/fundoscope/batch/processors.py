"""How many photographs are read side by side, and with how many threads each."""

from __future__ import annotations

import os


def available() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(workers: int, photographs: int) -> int:
    """For one photograph, so that all processors work however few photographs there are.

    Args:
        workers: photographs that may be read at a time.
        photographs: that there are.
    """
    side_by_side = max(1, min(workers, photographs))
    return max(1, available() // side_by_side)
