"""Work on several threads whose results come in the order of the input."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

AHEAD: Final = 2
"""Items in progress or waiting to be taken, for each thread: enough to keep it busy while a slow
item delays the others, few enough for memory."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_order(
    items: Iterable[_Item], work: Callable[[_Item], _Result], workers: int
) -> Generator[_Result, None, None]:
    """Work on items on several threads and yield the results in order.

    At most ``AHEAD * workers`` are in memory. Closing the iterator cancels what has not begun.

    Args:
        items: taken one after the other, not all at once.
        work: called with each item, from several threads.
        workers: threads, at least 1.
    """
    waiting = iter(items)
    window: deque[Future[_Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="fundoscope")
    try:
        window.extend(pool.submit(work, each) for each in islice(waiting, AHEAD * workers))
        while window:
            yield window.popleft().result()
            window.extend(pool.submit(work, each) for each in islice(waiting, 1))
    finally:
        pool.shutdown(cancel_futures=True)
