"""The process of a worker: it loads a reader once, then reads what it is sent.

It ends on its own when its parent has ended, however that happened, even while it reads.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import msgspec

from fundoscope.batch.jobs import Answer, Job, PhotoReader, Refusal, answer
from fundoscope.errors import FundoscopeError
from fundoscope.reading import ModelUsed

GRACE: Final = 5.0
"""Seconds after the deadline at which the system ends a worker whose parent did not."""
LEFT_TO_PARENT: Final = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that a terminal or a service manager sends to all processes of a command: the parent acts
on them and ends its workers, so that none of them dies first and costs a photograph."""
MAPPED_WITH_A_GPU: Final = 2**34
"""Bytes of address space from which on the driver of a GPU must have mapped some: CUDA maps tens of
gigabytes at its start, and more later. Our models and libraries map less than one."""
STATM: Final = "/proc/{}/statm"
"""Where Linux reports the memory of a process, in pages: address space, then resident memory."""


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """What one photograph may take.

    Attributes:
        deadline_s: seconds.
        memory_bytes: memory beyond that of the loaded models. It is enforced on Linux.
    """

    deadline_s: float = 120.0
    memory_bytes: int = 3 * 2**29


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a worker says when its models are loaded.

    Attributes:
        models: the bundles in use.
        lesion_thresholds: as of :class:`fundoscope.batch.jobs.PhotoReader`.
    """

    models: tuple[ModelUsed, ...] = ()
    lesion_thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failure:
    """An error that concerns all photographs; the parts of a ``FundoscopeError``.

    Attributes:
        kind: the name of the error's class.
        what: see :class:`fundoscope.errors.FundoscopeError`.
        why: likewise.
        remedy: likewise.
    """

    kind: str
    what: str
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Message:
    """What a worker sends: one of its fields.

    Attributes:
        loaded: the first message.
        answer: to a job.
        refusal: to a job.
        failure: instead of any other.
    """

    loaded: Loaded | None = None
    answer: Answer | None = None
    refusal: Refusal | None = None
    failure: Failure | None = None


def main(pipe: Connection, make: Callable[[], PhotoReader], limits: WorkerLimits) -> None:
    """Run a worker until the pipe is closed.

    Args:
        pipe: jobs come and messages leave here.
        make: makes the reader.
        limits: of one photograph.
    """
    leave_signals_to_parent()
    threading.Thread(target=end_with_parent, daemon=True).start()
    serve(pipe, make, limits)


def serve(pipe: Connection, make: Callable[[], PhotoReader], limits: WorkerLimits) -> None:
    """Make a reader, say so, and answer jobs until the pipe is closed.

    Args:
        pipe: jobs come and messages leave here.
        make: makes the reader.
        limits: of one photograph.
    """
    try:
        reader = make()
        _send(pipe, Message(loaded=Loaded(reader.models, dict(reader.lesion_thresholds))))
        bound_address_space(limits.memory_bytes)
        while True:
            job: Job = pipe.recv()
            _end_at(limits.deadline_s + GRACE)
            result = answer(job, reader)
            _end_at(0)
            if isinstance(result, Refusal):
                _send(pipe, Message(refusal=result))
            else:
                _send(pipe, Message(answer=result))
    except FundoscopeError as error:
        _send(pipe, Message(failure=failure_of(error)))
    except (EOFError, ConnectionError):
        return  # The parent has no more jobs, or has ended.


def failure_of(error: FundoscopeError) -> Failure:
    """The parts of an error that concerns all photographs."""
    return Failure(type(error).__name__, error.what, error.why, error.remedy)


def _send(pipe: Connection, message: Message) -> None:
    pipe.send_bytes(msgspec.msgpack.encode(message))


def resident_bytes(process: int) -> int | None:
    """The resident memory of a process; ``None`` where the system does not report it."""
    return _memory(process, 1)


def _memory(process: int | str, place: int) -> int | None:
    try:
        pages = Path(STATM.format(process)).read_text(encoding="ascii").split()
        return int(pages[place]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError, AttributeError):
        return None


def leave_signals_to_parent() -> None:
    """Ignore the signals of :data:`LEFT_TO_PARENT` in this process."""
    for name in LEFT_TO_PARENT:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


def end_with_parent() -> None:
    """Wait for the end of the parent, however that happens, and end this process then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _end_at(seconds: float) -> None:
    """Have the system end this process after some seconds, whatever it does; 0 means never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)


def bound_address_space(more: int) -> None:
    """Let the process map this many bytes more than now: then one huge allocation fails at once.

    The models and libraries map far more than they use, so the bound counts from what they took.
    Where the driver of a GPU maps at will, there is no bound.
    """
    mapped = _memory("self", 0)
    if sys.platform == "linux" and mapped is not None and mapped < MAPPED_WITH_A_GPU:
        import resource

        most = resource.getrlimit(resource.RLIMIT_AS)[1]
        wanted = mapped + more
        if most == resource.RLIM_INFINITY or wanted < most:
            resource.setrlimit(resource.RLIMIT_AS, (wanted, most))
