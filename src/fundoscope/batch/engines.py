"""What reads the photographs of a run: threads of this process, or processes of their own.

Threads need no time to start. Processes can be ended, so that a photograph that takes too long or
too much memory costs one refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final, Protocol, Self

from fundoscope.batch.jobs import Answer, Job, PhotoReader, Refusal, answer
from fundoscope.batch.workers import WorkerLimits, WorkerPool
from fundoscope.reading import ModelUsed

PROCESSES_FROM: Final = 8
"""From this number of photographs on, processes are worth their start: each takes one to two
seconds to load its models."""
AHEAD_OF_THREADS: Final = 2
"""Photographs in progress or waiting to be taken, for each thread: enough to keep it busy while a
slow one delays the others, few enough for memory."""
AHEAD_OF_PROCESSES: Final = 16
"""The same for a process: one may wait for the deadline of a photograph while others go on."""


class Engine(Protocol):
    """Reads photographs; a context manager."""

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles that it uses."""

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """For each kind that is looked for, the lowest score of a lesion."""

    @property
    def ahead(self) -> int:
        """Photographs that may be begun before the first of them is taken."""

    @property
    def ends_at_once(self) -> bool:
        """Whether its end drops what is in progress, too."""

    def begin(self, job: Job) -> Future[Answer | Refusal]:
        """Have a photograph read. The future raises what concerns all photographs."""

    def __enter__(self) -> Self:
        """Start."""

    def __exit__(self, *_: object) -> None:
        """End; what is not done is dropped."""


class Threads:
    """Reads in threads of this process, which share a reader."""

    def __init__(self, reader: PhotoReader, workers: int) -> None:
        """Take a reader that threads may share, and the number of threads, at least 1."""
        self._reader = reader
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="fundoscope")
        self.ahead = AHEAD_OF_THREADS * workers
        self.ends_at_once = False

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles of the reader."""
        return self._reader.models

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """For each kind that is looked for, the lowest score of a lesion."""
        return self._reader.lesion_thresholds

    def begin(self, job: Job) -> Future[Answer | Refusal]:
        """Have a photograph read."""
        return self._pool.submit(answer, job, self._reader)

    def __enter__(self) -> Self:
        """Return the engine; threads start when they are needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what is in progress; cancel the rest."""
        self._pool.shutdown(cancel_futures=True)


class Processes:
    """Reads in processes, each with a reader of its own."""

    def __init__(
        self, make: Callable[[], PhotoReader], workers: int, limits: WorkerLimits | None = None
    ) -> None:
        """Describe the processes; entering the context starts them.

        Args:
            make: makes the reader of each; it is pickled.
            workers: the number of processes, at least 1.
            limits: of one photograph.
        """
        self._pool = WorkerPool(workers, make, limits)
        self.ahead = AHEAD_OF_PROCESSES * workers
        self.ends_at_once = True

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles of the readers."""
        return self._pool.loaded.models

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """For each kind that is looked for, the lowest score of a lesion."""
        return self._pool.loaded.lesion_thresholds

    def begin(self, job: Job) -> Future[Answer | Refusal]:
        """Have a photograph read."""
        return self._pool.examine(job)

    def __enter__(self) -> Self:
        """Start the processes, and wait until one has loaded its models.

        Raises:
            FundoscopeError: the models cannot be loaded.
        """
        self._pool.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes at once."""
        self._pool.close()


def engine(
    make: Callable[..., PhotoReader],
    options: Mapping[str, object],
    *,
    workers: int,
    threads: int,
    photographs: int,
    limits: WorkerLimits,
    processes: bool | None = None,
) -> Engine:
    """The engine for a run.

    Args:
        make: makes a reader; a class or function of a module.
        options: what it is called with.
        workers: photographs that are read at a time, at least 1.
        threads: CPU threads for one photograph.
        photographs: their number; a lower bound of at least ``workers`` will do.
        limits: of one photograph; threads have none.
        processes: whether to use processes; ``None`` decides by the number of photographs.

    Raises:
        FundoscopeError: the models cannot be loaded.
    """
    make_one = partial(make, **options, threads=threads)
    if photographs >= PROCESSES_FROM if processes is None else processes:
        return Processes(make_one, max(1, min(workers, photographs)), limits)
    return Threads(make_one(), workers)
