"""Time and memory of an action, measured in a child process that is ended at a deadline."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

DEADLINE_S = 20
"""Seconds after which an action is ended."""
MEMORY_BYTES = 8 * 2**30
"""Address space of an action, so that a bomb that goes off harms nobody."""
KIB = 1024


@dataclass(frozen=True)
class Cost:
    """What an action cost.

    Attributes:
        outcome: ``"done"``, ``"refused"``, or what went wrong.
        detail: the message.
        seconds: of the processor, so that other work of the machine does not count; by the clock
            if the action was ended.
        mebibytes: the largest memory of the process less that before the action.
    """

    outcome: str
    detail: str
    seconds: float
    mebibytes: float


def cost(action: Callable[[], object], *, deadline_s: int = DEADLINE_S) -> Cost:
    """Run an action in a fork of this process, which must not have threads.

    Args:
        action: may raise ``FundoscopeError``, which counts as a refusal.
        deadline_s: seconds after which it is ended.
    """
    receiver, sender = os.pipe()
    started = time.perf_counter()
    process = os.fork()
    if process == 0:
        os.close(receiver)
        _child(action, sender, deadline_s)
    os.close(sender)
    with os.fdopen(receiver, "rb") as stream:
        said = stream.read()
    _, status, _ = os.wait4(process, 0)
    seconds = time.perf_counter() - started
    if os.WIFSIGNALED(status) or not said:
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        name = (
            signal.Signals(number).name if number else f"exit {os.waitstatus_to_exitcode(status)}"
        )
        return Cost("ended", name, seconds, float("nan"))
    outcome, detail, before, after, seconds = json.loads(said)
    return Cost(outcome, detail, seconds, (after - before) / KIB)


def _child(action: Callable[[], object], sender: int, deadline_s: int) -> None:
    """Run the action and report; never returns."""
    signal.alarm(deadline_s)
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY or hard > MEMORY_BYTES:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = _processor_time()
    outcome, detail = _outcome(action)
    seconds = _processor_time() - started
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # A child of the action starts small, so all its memory counts.
    after = max(after, before + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    os.write(sender, json.dumps((outcome, detail[:500], before, after, seconds)).encode())
    os._exit(0)


def _processor_time() -> float:
    """Seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def _outcome(action: Callable[[], object]) -> tuple[str, str]:
    from fundoscope.errors import FundoscopeError

    try:
        action()
    except FundoscopeError as error:
        return "refused", str(error)
    except BaseException as error:  # noqa: BLE001 (also a panic of Rust)
        return "failed", f"{type(error).__name__}: {error}"
    return "done", ""
