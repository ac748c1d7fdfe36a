"""What runs on each CPU of a cluster: an actor that reads photographs.

Its reader is in a process of its own, with the deadline and memory limit of a local worker. Answers
leave as MessagePack, as they come from that process.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial

import msgspec

from fundoscope.batch import workers
from fundoscope.batch.cluster import transfer
from fundoscope.batch.jobs import Job, Refusal
from fundoscope.batch.versions import versions
from fundoscope.batch.worker_process import Message, WorkerLimits, failure_of
from fundoscope.errors import FundoscopeError


@dataclass(frozen=True, slots=True)
class Arrival:
    """What an actor says first.

    Attributes:
        versions: of the software on its machine.
        message: that its models are loaded, or why not.
    """

    versions: dict[str, str | None]
    message: Message


class Actor:
    """Reads one photograph after the other."""

    def __init__(self, spec: transfer.ReaderSpec, limits: WorkerLimits) -> None:
        """Describe the reader.

        Args:
            spec: how the reader is made.
            limits: of one photograph.
        """
        # multiprocessing would run Ray's own script again in the process of the reader.
        sys.modules["__main__"].__file__ = None
        self._pool = workers.WorkerPool(1, partial(transfer.reader, spec), limits)

    def load(self) -> bytes:
        """Load the models.

        Returns:
            An encoded :class:`Arrival`.
        """
        try:
            self._pool.__enter__()
            message = Message(loaded=self._pool.loaded)
        except FundoscopeError as error:
            message = Message(failure=failure_of(error))
        return msgspec.msgpack.encode(Arrival(versions(), message))

    def read(self, job: Job) -> bytes:
        """Read a photograph.

        Returns:
            An encoded :class:`fundoscope.batch.worker_process.Message`.
        """
        try:
            result = self._pool.examine(job).result()
        except FundoscopeError as error:
            return msgspec.msgpack.encode(Message(failure=failure_of(error)))
        if isinstance(result, Refusal):
            return msgspec.msgpack.encode(Message(refusal=result))
        return msgspec.msgpack.encode(Message(answer=result))
