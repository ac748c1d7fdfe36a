"""The processors, and the threads for each photograph that is read."""

from __future__ import annotations

import os


def available() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads(workers: int, photographs: int) -> int:
    """The threads for one photograph that keep all processors busy, even with few photographs.

    Args:
        workers: photographs that may be read at a time.
        photographs: the number of photographs.
    """
    at_a_time = max(1, min(workers, photographs))
    return max(1, available() // at_a_time)
