"""Worker processes that read photographs, each with a deadline and a memory limit.

Each worker is a process with one reader. Where a photograph takes too long or too much memory, or
ends the process, the worker is replaced, and that one photograph is refused.
"""

from __future__ import annotations

import atexit
import multiprocessing
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Final, Self

import msgspec

from fundoscope import errors
from fundoscope.batch import worker_process
from fundoscope.batch.jobs import Answer, Job, PhotoReader, Refusal, title
from fundoscope.batch.worker_process import Failure, Loaded, Message, WorkerLimits, resident_bytes
from fundoscope.errors import FundoscopeError
from fundoscope.photo.refusals import OUT_OF_MEMORY
from fundoscope.reading import Reading

__all__ = ["Answer", "Job", "Loaded", "Refusal", "WorkerLimits", "WorkerPool"]

DEADLINE, DIED = "deadline", "worker_died"
"""Codes of refusals, beside :data:`fundoscope.photo.refusals.OUT_OF_MEMORY`."""
LOOK: Final = 0.05
"""Seconds between two looks at a worker's time and memory. A process fills memory at some 4 GB a
second, so it passes its limit by about 200 MB."""
START: Final = 300.0
"""Seconds in which a worker must have loaded its models."""
ATTEMPTS: Final = 2
"""To read a photograph whose worker died: something else may have killed it."""
MIB: Final = 2**20
MESSAGES: Final = msgspec.msgpack.Decoder(Message)
"""Made once: msgspec crashes if two threads build the decoder of a type at the same time."""


class _DiedError(Exception):
    """A worker's process ended."""


@dataclass(slots=True)
class _Process:
    """The process of a worker.

    Attributes:
        process: to be ended.
        pipe: to talk to it.
        memory: its resident memory when its models were loaded.
    """

    process: BaseProcess
    pipe: Connection
    memory: int | None = None

    def end(self) -> None:
        """Kill the process and wait for its end."""
        self.process.kill()
        self.process.join()
        self.process.close()
        self.pipe.close()


_Task = tuple[Job, Future[Answer | Refusal]]


class WorkerPool:
    """A context manager: worker processes that answer jobs, in any order.

    Closing it ends the processes at once; jobs that are not done then raise ``CancelledError``.
    """

    def __init__(
        self,
        workers: int,
        make: Callable[[], PhotoReader] | None = None,
        limits: WorkerLimits | None = None,
    ) -> None:
        """Describe the workers; entering the context starts them.

        Args:
            workers: processes, at least 1.
            make: makes the reader of each; it is pickled, as are its arguments. ``None`` means a
                :class:`fundoscope.reader.Reader` with the models that ship.
            limits: of one photograph.
        """
        self._make = make or _default_reader
        self._limits = limits or WorkerLimits()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._loaded: Future[Loaded] = Future()
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"fundoscope-worker-{number}", daemon=True)
            for number in range(workers)
        ]

    def __enter__(self) -> Self:
        """Start the workers, and wait until the first has loaded its models.

        Raises:
            FundoscopeError: the models cannot be loaded.
        """
        atexit.register(self.close)
        for thread in self._threads:
            thread.start()
        try:
            self._loaded.result()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the workers."""
        self.close()

    @property
    def loaded(self) -> Loaded:
        """The models of the workers."""
        return self._loaded.result()

    def submit(self, job: Job) -> Future[Reading | Refusal]:
        """Have a photograph read.

        Returns:
            Its Reading, or why there is none. The future raises a ``FundoscopeError`` where reading
            failed for a reason that concerns all photographs.
        """
        inner, outer = self.examine(job), Future[Reading | Refusal]()
        inner.add_done_callback(partial(_pass_on, outer))
        return outer

    def examine(self, job: Job) -> Future[Answer | Refusal]:
        """Have a photograph read, and its picture drawn if the job wants one.

        Returns:
            As :meth:`submit`, with the picture.
        """
        future: Future[Answer | Refusal] = Future()
        self._tasks.put((job, future))
        if self._closing.is_set():
            self._cancel_waiting()
        return future

    def close(self) -> None:
        """End the workers at once, and wait until they have ended."""
        self._closing.set()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        self._cancel_waiting()
        atexit.unregister(self.close)

    def _cancel_waiting(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                return
            if task is not None and task[1].cancel():
                task[1].set_running_or_notify_cancel()

    def _work(self) -> None:
        """Take jobs, one after the other; the body of a thread."""
        worker: _Process | None = None
        try:
            worker = self._started_or_none()
            while not self._closing.is_set():
                task = self._tasks.get()
                if task is not None and task[1].set_running_or_notify_cancel():
                    worker = self._answer(worker, *task)
        finally:
            if worker is not None:
                worker.end()

    def _answer(
        self, worker: _Process | None, job: Job, future: Future[Answer | Refusal]
    ) -> _Process | None:
        """Answer one job; return the worker for the next one, ``None`` if a new one is needed."""
        for _ in range(ATTEMPTS):
            try:
                worker = worker or self._started()
                result, worker = self._ask(worker, job)
            except _DiedError:
                worker = None
                if self._closing.is_set():
                    break
            except CancelledError:
                worker = None
                break
            except Exception as error:  # noqa: BLE001 - whoever waits for the future gets it
                future.set_exception(error)
                return None
            else:
                future.set_result(result)
                return worker
        if self._closing.is_set():
            future.set_exception(CancelledError())
        else:
            future.set_result(died(job))
        return worker

    def _ask(self, worker: _Process, job: Job) -> tuple[Answer | Refusal, _Process | None]:
        """Send a job to a worker and wait for the answer, within the limits.

        Raises:
            _DiedError: the process ended.
            CancelledError: the pool is closed meanwhile.
            FundoscopeError: as :meth:`submit`.
        """
        began = time.monotonic()
        try:
            worker.pipe.send(job)
            while not worker.pipe.poll(LOOK):
                refusal = self._past_limit(worker, job, time.monotonic() - began)
                if refusal is not None:
                    worker.end()
                    return refusal, None
                if self._closing.is_set():
                    raise CancelledError
            message = _received(worker.pipe)
        except (EOFError, OSError, msgspec.MsgspecError):
            worker.end()
            raise _DiedError from None
        except BaseException:
            worker.end()
            raise
        result = message.answer or message.refusal
        if result is None:
            worker.end()
            raise error_of(message.failure)
        return result, worker

    def _past_limit(self, worker: _Process, job: Job, seconds: float) -> Refusal | None:
        if seconds > self._limits.deadline_s:
            return self._too_slow(job)
        now = resident_bytes(worker.process.pid or 0)
        if now is None or worker.memory is None:
            return None
        if now - worker.memory > self._limits.memory_bytes:
            why = f"needs more than {self._limits.memory_bytes // MIB} MiB of memory"
            return Refusal(title(job), why, "check where the file comes from", OUT_OF_MEMORY)
        return None

    def _too_slow(self, job: Job) -> Refusal:
        why = f"was not read within {self._limits.deadline_s:g} seconds"
        return Refusal(title(job), why, "check where the file comes from", DEADLINE)

    def _started_or_none(self) -> _Process | None:
        """Start a process; the first error goes to whoever waits for the pool."""
        try:
            return self._started()
        except Exception as error:  # noqa: BLE001 - whoever waits for the pool gets it
            with self._lock:
                if not self._loaded.done():
                    self._loaded.set_exception(_of_start(error))
            return None

    def _started(self) -> _Process:
        """Start a process and wait until its models are loaded.

        Raises:
            _DiedError: the process ended, or took too long.
            CancelledError: the pool is closed meanwhile.
            FundoscopeError: the models cannot be loaded.
        """
        spawn = multiprocessing.get_context("spawn")
        ours, theirs = spawn.Pipe()
        process = spawn.Process(
            target=worker_process.main, args=(theirs, self._make, self._limits), daemon=True
        )
        process.start()
        theirs.close()
        worker = _Process(process, ours)
        began = time.monotonic()
        try:
            while not ours.poll(LOOK):
                if self._closing.is_set():
                    raise CancelledError
                if time.monotonic() - began > START:
                    raise _DiedError
            message = _received(ours)
            if message.loaded is None:
                raise error_of(message.failure)
        except (EOFError, OSError, msgspec.MsgspecError):
            worker.end()
            raise _DiedError from None
        except BaseException:
            worker.end()
            raise
        worker.memory = resident_bytes(process.pid or 0)
        with self._lock:
            if not self._loaded.done():
                self._loaded.set_result(message.loaded)
        return worker


def died(job: Job) -> Refusal:
    """The refusal of a photograph that ends the processes which read it."""
    why = "ended the process that read it"
    return Refusal(title(job), why, "report it, with the photograph", DIED)


def _default_reader() -> PhotoReader:
    from fundoscope.reader import Reader

    return Reader()


def _received(pipe: Connection) -> Message:
    return MESSAGES.decode(pipe.recv_bytes())


def error_of(failure: Failure | None) -> FundoscopeError:
    """The error that a worker met, of its own class where that is one of ours."""
    if failure is None:
        return FundoscopeError("worker", "sent an empty message", "please report it")
    kind = getattr(errors, failure.kind, FundoscopeError)
    if kind in (errors.PhotoError, errors.MissingExtraError):  # they are made of other parts
        kind = kind.__base__
    error: FundoscopeError = kind(failure.what, failure.why, failure.remedy)
    return error


def _of_start(error: Exception) -> Exception:
    if isinstance(error, _DiedError):
        why = "ended before its models were loaded"
        remedy = "see whether the machine has enough memory, or use fewer --workers"
        return FundoscopeError("a worker process", why, remedy)
    return error


def _pass_on(outer: Future[Reading | Refusal], inner: Future[Answer | Refusal]) -> None:
    """Hand the result of a job on, without its picture."""
    if inner.cancelled():
        outer.cancel()
    if not outer.set_running_or_notify_cancel():
        return
    error = inner.exception()
    if error is not None:
        outer.set_exception(error)
    else:
        result = inner.result()
        outer.set_result(result.reading if isinstance(result, Answer) else result)
