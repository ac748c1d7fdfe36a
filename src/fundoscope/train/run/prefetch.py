"""Batches that are made while the step before is computed, so that a GPU need not wait for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Batch = TypeVar("_Batch")


def batches(make: Callable[[int], _Batch], steps: range, *, ahead: bool) -> Iterator[_Batch]:
    """The batch of each step, in order.

    Args:
        make: makes the batch of a step, as a function of the step alone; so what was made ahead of
            a kill is made again.
        steps: which ones.
        ahead: make each in one other thread while the one before is used.
    """
    if not ahead or not steps:
        yield from map(make, steps)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as maker:
        waiting = maker.submit(make, steps[0])
        for following in steps[1:]:
            made = waiting.result()
            waiting = maker.submit(make, following)
            yield made
        yield waiting.result()
