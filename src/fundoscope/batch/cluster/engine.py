"""An engine whose photographs are read on the machines of a Ray cluster."""

from __future__ import annotations

import itertools
import multiprocessing
import tempfile
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from fundoscope.batch.cluster import agent, connecting, transfer
from fundoscope.batch.cluster.agent import Plan, Reply
from fundoscope.batch.engines import AHEAD_OF_PROCESSES
from fundoscope.batch.jobs import Answer, Job, PhotoReader, Refusal
from fundoscope.batch.worker_process import Loaded, Message, WorkerLimits
from fundoscope.batch.workers import MESSAGES, error_of
from fundoscope.reading import ModelUsed
from fundoscope.staging import PrivateFolder, left_behind, private_folder
from fundoscope.switching import JOURNAL

LOOK: Final = 0.1
"""Seconds between two looks whether the cluster is there."""
REPLIES: Final = msgspec.msgpack.Decoder(Reply)


class Cluster:
    """Reads on a cluster, through an agent: a process of this machine that talks to Ray."""

    ends_at_once = True

    def __init__(
        self,
        make: Callable[..., PhotoReader],
        options: Mapping[str, object],
        *,
        address: str | None,
        workers: int | None,
        limits: WorkerLimits,
        stop: threading.Event,
    ) -> None:
        """Describe the cluster; entering the context joins it.

        Args:
            make: makes the reader of each actor; a class or function of a module.
            options: what it is called with.
            address: ``HOST:PORT`` of the cluster, or ``auto``; ``None`` starts one on this machine.
            workers: photographs that are read at a time; ``None``: one for each CPU.
            limits: of one photograph.
            stop: once set, waiting for the cluster ends.

        Raises:
            FundoscopeError: a bundle or a file of rules cannot be read.
        """
        self._spec = transfer.reader_spec(make, options)
        self._address, self._workers, self._limits = address, workers, limits
        self._stop = stop
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Answer | Refusal]] = {}
        self._lock = threading.Lock()
        self._loaded: Future[Loaded] = Future()
        self._ending: Exception | None = None
        self.ahead = AHEAD_OF_PROCESSES

    @property
    def models(self) -> tuple[ModelUsed, ...]:
        """The bundles of the readers."""
        return self._loaded.result().models

    @property
    def lesion_thresholds(self) -> Mapping[str, float]:
        """For each kind that is looked for, the lowest score of a lesion."""
        return self._loaded.result().lesion_thresholds

    def __enter__(self) -> Self:
        """Join the cluster, and wait until one actor has loaded its models.

        Raises:
            FundoscopeError: there is no cluster, or the models cannot be loaded.
            KeyboardInterrupt: the run is to stop.
        """
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        self._folder = _private_folder()
        plan = Plan(self._address, self._workers, self._spec, self._limits, str(self._folder.path))
        self._process = spawn.Process(target=agent.main, args=(theirs, plan), daemon=True)
        self._process.start()
        theirs.close()
        self._receiver = threading.Thread(target=self._receive, daemon=True)
        self._receiver.start()
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait(self) -> None:
        """Wait until an actor has loaded its models."""
        while not self._loaded.done():
            if self._ending is not None:
                raise self._ending
            if self._stop.wait(LOOK):
                raise KeyboardInterrupt

    def __exit__(self, *_: object) -> None:
        """End the agent at once; Ray ends the actors of a command that has gone."""
        self._end(CancelledError())
        if self._process.pid is not None:
            agent.end_group(self._process.pid)
        self._process.kill()
        self._process.join()
        self._receiver.join()
        self._pipe.close()
        self._folder.remove()

    def begin(self, job: Job) -> Future[Answer | Refusal]:
        """Have a photograph read."""
        future: Future[Answer | Refusal] = Future()
        number = next(self._numbers)
        with self._lock:
            if self._ending is not None:
                future.set_exception(self._ending)
                return future
            self._waiting[number] = future
        with suppress(OSError):  # Then the receiver sees the end, too.
            self._pipe.send((number, job))
        return future

    def _receive(self) -> None:
        """Take replies until the agent ends; the body of a thread."""
        with suppress(EOFError, OSError, msgspec.MsgspecError):
            while True:
                reply = REPLIES.decode(self._pipe.recv_bytes())
                message = MESSAGES.decode(reply.message)
                if reply.number:
                    self._answered(reply.number, message)
                elif message.loaded is None:
                    self._end(error_of(message.failure))
                else:
                    self.ahead = AHEAD_OF_PROCESSES * reply.workers
                    self._loaded.set_result(message.loaded)
        self._end(connecting.lost("Ray ended the connection"))

    def _answered(self, number: int, message: Message) -> None:
        with self._lock:
            future = self._waiting.pop(number, None)
        result = message.answer or message.refusal
        if future is None:
            return  # The run has ended.
        if result is None:
            future.set_exception(error_of(message.failure))
        else:
            future.set_result(result)

    def _end(self, error: Exception) -> None:
        """Give up what waits, unless that was done."""
        with self._lock:
            if self._ending is not None:
                return
            self._ending = error
            waiting, self._waiting = list(self._waiting.values()), {}
        for future in waiting:
            future.set_exception(error)


def _private_folder() -> PrivateFolder:
    """A folder for Ray's files; those that killed runs left are removed."""
    parent = Path(tempfile.gettempdir())
    for folder in left_behind(parent):
        if (folder.path / JOURNAL).exists():
            folder.release()  # results in the middle of a switch, which their next run completes
        else:
            folder.remove()
    return private_folder(parent)
