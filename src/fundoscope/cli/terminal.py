"""Writes lines to standard output and standard error, around a progress bar on a terminal."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Final

import typer

from fundoscope.errors import OutputError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

STOPPING: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Ctrl-C, the end of a service or a machine, and a terminal that is closed."""
REPORTED_EVERY: Final = 60.0
"""Seconds between two lines of progress where standard error is no terminal, such as a log."""
AT_ONCE: Final = 0.5
"""Seconds within which several signals are one request to stop."""
STDERR: Final = 2
JSON_ENCODING: Final = "utf-8"


@dataclass(slots=True)
class Progressed:
    """How far a command has come.

    Attributes:
        total: the number of photographs.
        done: the number that are done.
        began: when it began, on the monotonic clock.
        reported: when a line was last made.
    """

    total: int = 0
    done: int = 0
    began: float = field(default_factory=time.monotonic)
    reported: float = field(default_factory=time.monotonic)
    _here: int = 0

    def advance(self) -> str:
        """Count one photograph; a line about the progress now and then, else ``""``."""
        self.done += 1
        self._here += 1
        now = time.monotonic()
        if now - self.reported < REPORTED_EVERY:
            return ""
        self.reported = now
        speed = self._here / (now - self.began)
        left = timedelta(seconds=round(max(0, self.total - self.done) / speed))
        return (
            f"{self.done:,} of {self.total:,} photographs, {speed:.1f} photographs a second,"
            f" about {left} left"
        )

    def speed(self) -> str:
        """Photographs a second since this command began, in words."""
        seconds = time.monotonic() - self.began
        return f"{self._here / seconds:.1f} photographs/s" if seconds > 0 else ""


class Terminal:
    """The output of a command while it works.

    Attributes:
        closed: the program that read standard output has stopped (``… | head``).
    """

    def __init__(
        self, bar: Progress | None = None, task: TaskID | None = None, *, total: int = 0
    ) -> None:
        """Write above a progress bar and advance its task; without a bar, write lines only.

        Args:
            bar: on the terminal.
            task: of the bar.
            total: the number of photographs, as far as it is known.
        """
        self._bar = bar
        self._task = task
        self.closed = False
        self._progress = Progressed(total)

    def begin(self, total: int, earlier: int = 0) -> None:
        """Say how many photographs there are.

        Args:
            total: all of them.
            earlier: those that an earlier run has read.
        """
        self._progress = Progressed(total, earlier)
        if self._bar is not None and self._task is not None:
            self._bar.reset(self._task, total=total, completed=earlier)
        if earlier:
            self.err(
                f"resuming an earlier run: {earlier:,} of {total:,} photographs were read already"
            )

    def out(self, line: str, *, encoding: str | None = None) -> None:
        r"""Write a line to standard output; do nothing once its reader has stopped.

        Args:
            line: without a line end.
            encoding: by default that of the terminal. Characters that it lacks are written as
                ``\x…``.

        Raises:
            OutputError: standard output cannot be written, e.g. a full disk.
        """
        if self._bar is not None and not self._bar.finished and sys.stdout.isatty():
            self._above_bar(line)
            return
        data = f"{line}\n".encode(encoding or sys.stdout.encoding, "backslashreplace")
        try:
            if not self.closed:
                typer.echo(data, nl=False)
        except BrokenPipeError:
            self.closed = True
            # Python flushes standard output again when it ends, which must not fail then.
            _discard(sys.stdout.fileno())
        except OSError as error:
            _discard(sys.stdout.fileno())
            raise OutputError(
                "standard output", f"cannot be written ({error.strerror})", "free some space"
            ) from None

    def err(self, line: str) -> None:
        """Write a line to standard error; do nothing where that cannot be written."""
        if self._bar is not None:
            self._above_bar(line)
        else:
            complain(line)

    def advance(self) -> None:
        """Count one more photograph as done."""
        line = self._progress.advance()
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=1, speed=self._progress.speed())
        elif line:
            complain(line)

    def _above_bar(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)


def complain(line: str) -> None:
    """Write a line to standard error; a closed or full one must not end a run."""
    try:
        typer.echo(line, err=True)
    except OSError:
        _discard(sys.stderr.fileno())


def open_standard_streams() -> None:
    """Give a process that was started with closed standard streams (``>&-``) open ones.

    Otherwise the next file that is opened would get the number of standard output, and whatever is
    printed would be written into it. What standard output cannot encode, such as bytes in the name
    of a file, is printed as escapes.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDONLY if descriptor == 0 else os.O_WRONLY)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
        if getattr(sys, name) is None:
            mode = "r" if descriptor == 0 else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def flush_output() -> int | None:
    """Write what is left for standard output.

    Returns:
        ``None`` if it was written, else the error's number. Python would report it a second time.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        _discard(sys.stdout.fileno())
        return error.errno
    return None


@contextmanager
def terminal(count: int | None = None) -> Iterator[Terminal]:
    """Give a :class:`Terminal`, with a bar of photographs if standard error is one.

    Args:
        count: the number of photographs; ``None`` if it is not known yet.
    """
    if not sys.stderr.isatty():
        yield Terminal(total=count or 0)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    speed = TextColumn("{task.fields[speed]}")
    columns = (BarColumn(), MofNCompleteColumn(), speed, TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    with bar:
        task = bar.add_task("photographs", total=count, speed="")
        yield Terminal(bar, task, total=count or 0)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide what C libraries write to file descriptor 2; ``sys.stderr`` works as before.

    libtiff writes a message there for each damaged line, beside our own line about the file.
    """
    try:
        visible = sys.stderr.fileno() == STDERR
    except (OSError, AttributeError):  # a test's or a notebook's standard error has none
        visible = False
    if not visible:
        yield
        return
    python_stderr = sys.stderr
    python_stderr.flush()
    kept = os.dup(STDERR)
    _discard(STDERR)
    sys.stderr = os.fdopen(
        os.dup(kept), "w", buffering=1, encoding=python_stderr.encoding, errors="backslashreplace"
    )
    try:
        yield
    finally:
        sys.stderr.close()
        sys.stderr = python_stderr
        os.dup2(kept, STDERR)
        os.close(kept)


def _discard(descriptor: int) -> None:
    """Discard what is written to a file descriptor."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextmanager
def stopping() -> Iterator[Event]:
    """Give an event that the first signal of :data:`STOPPING` sets; a later one interrupts.

    Signals within :data:`AT_ONCE` count as one: ``timeout`` sends SIGTERM to a command and then to
    its group, and a closed terminal sends SIGHUP from several sides. A signal that is ignored stays
    so: ``nohup`` lets a command outlive its terminal.
    """
    stop = Event()
    before = {number: signal.getsignal(number) for number in STOPPING}
    before = {number: was for number, was in before.items() if was != signal.SIG_IGN}

    first = 0.0

    def request(number: int, frame: FrameType | None) -> None:
        nonlocal first
        now = time.monotonic()
        if not stop.is_set():
            first = now
            stop.set()
        elif now - first > AT_ONCE:
            signal.default_int_handler(number, frame)

    try:
        for number in before:
            signal.signal(number, request)
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
