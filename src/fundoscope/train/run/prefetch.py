"""Prepare each batch while the step before it is computed, so that a GPU does not wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Batch = TypeVar("_Batch")


def batches(make: Callable[[int], _Batch], steps: range, *, ahead: bool) -> Iterator[_Batch]:
    """The batch of each step, in order.

    Args:
        make: makes the batch of a step. It depends on nothing but the step, so a resumed run makes
            the same batches.
        steps: the steps.
        ahead: make each batch in another thread while the one before is used.
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
