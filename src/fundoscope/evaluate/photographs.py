"""The status of each photograph of an evaluation, and work on many photographs at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

READ: Final = "read"
REFUSED: Final = "refused"
"""The statuses that evaluations of graders and of detectors share."""
OUT_OF_MEMORY: Final = (
    "out_of_memory",
    "needs more memory than there is",
    "use fewer --workers, or store the photograph at a smaller size",
)
"""Code, reason and remedy of a photograph that does not fit into memory."""

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    workers: int,
    on_done: Callable[[], None],
) -> Iterator[Result]:
    """Apply a function to every item in threads: decoding and inference release Python's lock.

    Args:
        function: called once an item.
        items: what it is applied to.
        workers: how many threads.
        on_done: called after each result, to report progress.

    Yields:
        The results, in the order of the items.
    """
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(function, items):
            on_done()
            yield result
