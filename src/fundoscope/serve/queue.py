"""The bounded queue between the web and the workers.

A place is taken before an upload is read, and given back when its photograph is read. Who finds no
place gets 503 at once. An accepted photograph is on the disk: if the service dies, it is read after
the next start.
"""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import Final, Protocol

from starlette.concurrency import run_in_threadpool

from fundoscope.batch.jobs import Job, Refusal
from fundoscope.errors import FundoscopeError
from fundoscope.reading import Reading
from fundoscope.serve.metrics import Metrics
from fundoscope.serve.problems import Problem, retry
from fundoscope.serve.store import records
from fundoscope.serve.store.photographs import path_of
from fundoscope.serve.store.records import Record, Refused
from fundoscope.serve.store.store import Store
from fundoscope.serve.store.tables import WAITING


class Pool(Protocol):
    """What the queue needs of :class:`fundoscope.batch.workers.WorkerPool`."""

    def submit(self, job: Job) -> Future[Reading | Refusal]:
        """Have a photograph read."""


SWEEP_S: Final = 5.0
"""How often the queue looks for accepted photographs that nobody reads: after a start, and where
the database failed when a reading was to be stored."""
SMOOTHING: Final = 0.2
"""The weight of the last reading in the mean time of one."""
USUAL_S: Final = 1.0
"""The mean time before the first reading."""
IN_A_MINUTE: Final = "send it again in a minute; if that fails, ask who runs the service"
"""The remedy where the file is not to blame."""
READ: Final = "read"

_log = logging.getLogger(__name__)


class Queue:
    """The photographs that are being uploaded, wait, or are being read."""

    def __init__(
        self, store: Store, pool: Pool, metrics: Metrics, *, places: int, workers: int
    ) -> None:
        """Make an empty queue.

        Args:
            store: where photographs and readings are.
            pool: the workers.
            metrics: counts.
            places: the most photographs at the same time.
            workers: photographs that are read at the same time.
        """
        self._store, self._pool, self._metrics = store, pool, metrics
        self._places, self._workers = places, workers
        self._taken = 0
        self._mean_s = USUAL_S
        self._stopping = asyncio.Event()
        self._tasks: dict[str, asyncio.Task[Record | None]] = {}

    def take_place(self) -> None:
        """Take a place for an upload.

        Raises:
            Problem: 503; there is none.
        """
        if self._taken >= self._places:
            self._metrics.turned_away.inc()
            raise Problem(
                503,
                "busy",
                f"the service is busy with {self._taken} photographs",
                "send the photograph again after the seconds in Retry-After",
                headers=retry(self._mean_s * self._taken / self._workers / 2),
            )
        self._set_taken(self._taken + 1)

    def leave(self) -> None:
        """Give back a place whose upload came to nothing."""
        self._set_taken(self._taken - 1)

    def submit(self, record: Record) -> asyncio.Task[Record | None]:
        """Let an accepted photograph be read; its place is given back then.

        Returns:
            A task that gives the record with its reading; ``None`` if it was deleted meanwhile.
        """
        task = asyncio.create_task(self._work(record))
        self._tasks[record.id] = task
        task.add_done_callback(lambda done: self._done(record.id, done))
        return task

    async def read_again(self, record: Record, eye: str | None) -> Reading | Refused:
        """Read a stored photograph as one of another eye; nothing is stored.

        Raises:
            Problem: 503; there is no place.
        """
        self.take_place()
        try:
            path = path_of(self._store.data, record.photograph)
            return _outcome(await asyncio.wrap_future(self._pool.submit(Job(str(path), eye=eye))))
        finally:
            self.leave()

    async def sweep(self) -> None:
        """Read what was accepted and is not read yet, until the service stops."""
        while not self._stopping.is_set():
            try:
                left = await run_in_threadpool(records.waiting, self._store)
            except FundoscopeError:  # the database does not answer; requests report it
                left = []
            for record in left:
                if record.id not in self._tasks:
                    await self._pick_up(record.id)
            await self._pause(SWEEP_S)

    async def _pick_up(self, id_: str) -> None:
        """Read an accepted photograph that nobody reads, once there is a place."""
        while self._taken >= self._places and not self._stopping.is_set():
            await self._pause(self._mean_s / self._workers)
        if self._stopping.is_set():
            return
        self._set_taken(self._taken + 1)
        try:
            record = await run_in_threadpool(records.get, self._store, id_)
        except FundoscopeError:
            record = None
        # It may have been read, deleted or picked up by its own request meanwhile.
        if record is None or record.status != WAITING or id_ in self._tasks:
            self.leave()
        else:
            self.submit(record)

    def stop_sweeping(self) -> None:
        """Let :meth:`sweep` end. It is not cancelled: a thread would go on using the database."""
        self._stopping.set()

    async def _pause(self, seconds: float) -> None:
        """Wait some time, or until the service stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def drain(self, seconds: float) -> int:
        """Wait for the accepted photographs.

        Args:
            seconds: how long at most.

        Returns:
            How many are not read; they are read after the next start.
        """
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=seconds)
        return len(self._tasks)

    async def _work(self, record: Record) -> Record | None:
        started = time.monotonic()
        path = path_of(self._store.data, record.photograph)
        job = Job(str(path), eye=record.given.eye)
        outcome = _outcome(await asyncio.wrap_future(self._pool.submit(job)))
        taken = time.monotonic() - started
        self._metrics.reading_seconds.observe(taken)
        self._mean_s += SMOOTHING * (taken / max(1, self._taken) * self._workers - self._mean_s)
        finished = await run_in_threadpool(records.finish, self._store, record.id, outcome)
        word = READ if isinstance(outcome, Reading) else outcome.code
        self._metrics.outcomes.labels(word).inc()
        return finished

    def _done(self, id_: str, task: asyncio.Task[Record | None]) -> None:
        self._tasks.pop(id_, None)
        self.leave()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a photograph could not be finished (%s); retried", type(error).__name__)

    def _set_taken(self, taken: int) -> None:
        self._taken = taken
        self._metrics.in_service.set(taken)


def _outcome(result: Reading | Refusal) -> Reading | Refused:
    """The result without the name of the stored file."""
    if isinstance(result, Refusal):
        remedy = IN_A_MINUTE if result.code in records.NOT_THE_FILE else result.remedy
        return Refused(result.code, result.why, remedy)
    return replace(result, photo=replace(result.photo, name=None))
