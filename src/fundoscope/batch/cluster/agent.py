"""The process that talks to Ray, so that nothing of Ray is in the process with the ledger.

It takes jobs from its parent and hands their answers back. An actor that ends is replaced, and what
it had is read elsewhere. Ray prints, sets handlers of signals and ends its process where it loses
the cluster; all of that stays here. It ends with its parent.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Final

import msgspec

from fundoscope.batch.cluster import connecting, transfer
from fundoscope.batch.cluster.actor import Actor, Arrival
from fundoscope.batch.jobs import Job, Refusal
from fundoscope.batch.versions import versions
from fundoscope.batch.worker_process import (
    Loaded,
    Message,
    WorkerLimits,
    failure_of,
    leave_signals_to_parent,
)
from fundoscope.batch.workers import START, died, error_of
from fundoscope.errors import FundoscopeError

SENT_AHEAD: Final = 2
"""Photographs that an actor has: the one that it reads, and the next, so that it need not wait."""
LOOK: Final = 0.02
"""Seconds between two looks for new jobs while answers are awaited."""
ATTEMPTS: Final = 4
"""To read a photograph whose actor died, before it is refused. Its reader is in a process of its
own, so the photograph is seldom the cause."""
DEATHS_IN_A_ROW: Final = 20
"""Actors that may die without any answer between, for each actor, before the run ends."""
OVERDUE: Final = 60.0
"""Seconds after two deadlines and the start of a reader at which an actor counts as dead."""
ARRIVALS: Final = msgspec.msgpack.Decoder(Arrival)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the agent is to do.

    Attributes:
        address: of the cluster; ``None`` starts one on this machine.
        workers: the number of actors; ``None`` means one for each CPU.
        spec: how their readers are made.
        limits: of one photograph.
        folder: for the files of a cluster on this machine.
    """

    address: str | None
    workers: int | None
    spec: transfer.ReaderSpec
    limits: WorkerLimits
    folder: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the agent sends.

    Attributes:
        number: of the job; 0 for what concerns the cluster.
        message: an encoded :class:`fundoscope.batch.worker_process.Message`.
        workers: the number of actors, once they are known.
    """

    number: int
    message: bytes
    workers: int = 0


@dataclass(slots=True)
class _Task:
    number: int
    job: Job
    attempts: int = 0


@dataclass(slots=True)
class _Worker:
    """An actor.

    Attributes:
        actor: Ray's handle.
        loading: Ray's reference to its first message; ``None`` once its models are loaded.
        tasks: its jobs, by Ray's references to their answers, oldest first.
        since: the time of its last message, in seconds of the monotonic clock.
    """

    actor: Any
    loading: Any
    tasks: dict[Any, _Task] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic)

    @property
    def answers(self) -> list[Any]:
        """Ray's references to the answers that are still to come."""
        return [*self.tasks] if self.loading is None else [self.loading]


def main(pipe: Connection, plan: Plan) -> None:
    """Run the agent until the pipe is closed.

    Args:
        pipe: jobs, with their numbers, come and replies leave here.
        plan: what to do.
    """
    leave_signals_to_parent()
    if hasattr(os, "setsid"):
        os.setsid()  # what Ray starts here joins this group, and ends with it
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _silence()
    try:
        with connecting.cluster(plan.address, plan.workers, plan.folder) as workers:
            _Agent(pipe, plan, workers).serve()
    except FundoscopeError as error:
        _fail(pipe, error)
    except (EOFError, BrokenPipeError):
        return  # The parent has ended.
    except Exception as error:  # noqa: BLE001 (Ray has many, also of other libraries)
        said = " ".join(str(error).split())[: connecting.MESSAGE]
        _fail(pipe, connecting.lost(f"{type(error).__name__}: {said}"))


def _end_with_parent() -> None:
    """Wait for the end of the parent, however that happens, and end all that was started then."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        end_group(os.getpid())


def end_group(leader: int) -> None:
    """Kill a process and those of its group."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
    else:
        with suppress(OSError):
            os.kill(leader, signal.SIGTERM)  # which ends a process at once on Windows


def _silence() -> None:
    """Discard what Ray prints; errors reach the user in the words of our own."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _send(pipe: Connection, reply: Reply) -> None:
    pipe.send_bytes(msgspec.msgpack.encode(reply))


def _fail(pipe: Connection, error: FundoscopeError) -> None:
    _send(pipe, Reply(0, msgspec.msgpack.encode(Message(failure=failure_of(error)))))


class _Agent:
    """Hands jobs to actors."""

    def __init__(self, pipe: Connection, plan: Plan, workers: int) -> None:
        import ray

        self._ray = ray
        self._pipe = pipe
        self._limits = plan.limits
        self._class = ray.remote(Actor).options(
            num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD"
        )
        self._spec = ray.put(plan.spec)  # travels to each machine once
        self._waiting: deque[_Task] = deque()
        self._loaded: Loaded | None = None
        self._deaths = 0
        self._workers = [self._started() for _ in range(workers)]

    def serve(self) -> None:
        """Hand jobs out and answers back, until the parent closes the pipe.

        Raises:
            EOFError: the parent has closed the pipe.
            FundoscopeError: no photograph can be read any more.
        """
        while True:
            self._take()
            self._hand_out()
            self._settle()
            self._check_time()

    def _take(self) -> None:
        """Take all jobs that have come; wait for one only if nothing else may happen."""
        idle = not any(worker.answers for worker in self._workers)
        while self._pipe.poll(LOOK if idle else 0):
            self._waiting.append(_Task(*self._pipe.recv()))
            idle = False

    def _hand_out(self) -> None:
        for depth in range(SENT_AHEAD):
            for worker in self._workers:
                if self._waiting and worker.loading is None and len(worker.tasks) == depth:
                    self._hand(self._waiting.popleft(), worker)

    def _hand(self, task: _Task, worker: _Worker) -> None:
        job = transfer.with_content(task.job)
        if isinstance(job, Refusal):
            self._answer(task, Message(refusal=job))
            return
        if not worker.tasks:
            worker.since = time.monotonic()
        worker.tasks[worker.actor.read.remote(job)] = task

    def _settle(self) -> None:
        """Hand back the answers that have come, and replace actors that have died."""
        owed = {answer: worker for worker in self._workers for answer in worker.answers}
        if not owed:
            return
        done, _ = self._ray.wait(list(owed), num_returns=1, timeout=LOOK)
        if done:
            done, _ = self._ray.wait(list(owed), num_returns=len(owed), timeout=0)
        for answer in done:
            worker = owed[answer]
            if answer in worker.answers:  # else its actor died meanwhile
                self._settle_one(answer, worker)

    def _settle_one(self, answer: Any, worker: _Worker) -> None:
        try:
            content: bytes = self._ray.get(answer)
        except self._ray.exceptions.RayActorError as error:
            connecting.check_creation(error)
            self._replace(worker)
            return
        except self._ray.exceptions.OutOfMemoryError:
            self._replace(worker)  # Ray ended the actor to keep its machine alive
            return
        except self._ray.exceptions.ObjectLostError:
            self._ask_again(answer, worker)  # a machine is gone, with an answer that it held
            return
        worker.since = time.monotonic()
        if worker.loading is not None:
            self._arrived(ARRIVALS.decode(content))
            worker.loading = None
            return
        self._deaths = 0
        _send(self._pipe, Reply(worker.tasks.pop(answer).number, content))

    def _arrived(self, arrival: Arrival) -> None:
        """Check that an actor reads as this machine would, and as the other actors do.

        Raises:
            FundoscopeError: it does not, or cannot load its models.
        """
        loaded = arrival.message.loaded
        if loaded is None:
            raise error_of(arrival.message.failure)
        connecting.check_versions(versions(), arrival.versions)
        if self._loaded is None:
            self._loaded = loaded
            message = msgspec.msgpack.encode(arrival.message)
            _send(self._pipe, Reply(0, message, len(self._workers)))
        elif loaded.models != self._loaded.models:
            raise FundoscopeError(
                "a machine of the cluster",
                "has other models than the other machines",
                "install the same fundoscope on each machine",
            )

    def _ask_again(self, answer: Any, worker: _Worker) -> None:
        """Have a photograph read again whose answer was lost."""
        if worker.loading is not None:
            self._replace(worker)
            return
        task = worker.tasks.pop(answer)
        task.attempts += 1
        if task.attempts >= ATTEMPTS:
            self._answer(task, Message(refusal=died(task.job)))
        else:
            self._waiting.appendleft(task)

    def _replace(self, worker: _Worker) -> None:
        """Start an actor in the place of a dead one, and have what that had read again."""
        self._deaths += 1
        if self._deaths > DEATHS_IN_A_ROW * len(self._workers):
            raise connecting.lost("its worker processes failed repeatedly")
        tasks, worker.tasks, worker.loading = list(worker.tasks.values()), {}, None
        for task in tasks[:1]:  # it was being read
            task.attempts += 1
            if task.attempts >= ATTEMPTS:
                self._answer(tasks.pop(0), Message(refusal=died(task.job)))
        self._waiting.extendleft(reversed(tasks))
        self._workers[self._workers.index(worker)] = self._started()

    def _started(self) -> _Worker:
        actor = self._class.remote(self._spec, self._limits)
        return _Worker(actor, actor.load.remote())

    def _check_time(self) -> None:
        """End actors that do not answer, and the run where no actor can start.

        Raises:
            FundoscopeError: no actor has started.
        """
        now = time.monotonic()
        longest = 2 * self._limits.deadline_s + START + OVERDUE
        for worker in self._workers:
            if worker.tasks and now - worker.since > longest:
                self._ray.kill(worker.actor)
        if all(worker.loading and now - worker.since > START for worker in self._workers):
            raise connecting.lost("no CPU was free, or no worker could start")

    def _answer(self, task: _Task, message: Message) -> None:
        _send(self._pipe, Reply(task.number, msgspec.msgpack.encode(message)))
