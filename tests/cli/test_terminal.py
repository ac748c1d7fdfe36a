"""Lines, bars and signals, without a process of their own."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fundoscope.cli import terminal as module
from fundoscope.cli.terminal import Progressed, Terminal, quiet_libraries, stopping, terminal
from fundoscope.errors import OutputError


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@contextmanager
def kept_stdout(monkeypatch: pytest.MonkeyPatch, path: Path) -> Iterator[None]:
    """Standard output into a file, in ASCII; its descriptor may be replaced."""
    with path.open("w", encoding="ascii") as stream, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        yield


def failing(error: Exception) -> Any:
    def echo(*_: object, **__: object) -> None:
        raise error

    return echo


def test_letters_that_a_terminal_lacks_are_written_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with kept_stdout(monkeypatch, tmp_path / "stdout"):
        screen = Terminal()
        screen.out("Müller")
        screen.out("Müller", encoding="utf-8")
    assert (tmp_path / "stdout").read_bytes() == b"M\\xfcller\n" + "Müller\n".encode()


def test_once_the_reader_has_gone_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with kept_stdout(monkeypatch, tmp_path / "stdout"):
        screen = Terminal()
        monkeypatch.setattr(module.typer, "echo", failing(BrokenPipeError()))
        screen.out("one")
        assert screen.closed
        monkeypatch.setattr(module.typer, "echo", failing(AssertionError()))
        screen.out("two")


def test_standard_output_on_a_full_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module.typer, "echo", failing(OSError(28, "No space left on device")))
    with (
        kept_stdout(monkeypatch, tmp_path / "stdout"),
        pytest.raises(OutputError, match="standard output: cannot be written"),
    ):
        Terminal().out("one")


def test_on_a_terminal_there_is_a_bar_and_lines_stand_above_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = Screen()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setattr(sys, "stdout", Screen())
    monkeypatch.setenv("TERM", "xterm")
    with terminal(2) as screen:
        screen.out("[bold]eye.jpg: 1")
        screen.err("b.jpg: is empty")
        screen.advance()
        screen.advance()
    assert "[bold]eye.jpg: 1\n" in shown.getvalue().replace("\r", "")
    assert "b.jpg: is empty" in shown.getvalue()
    assert "2/2" in shown.getvalue()


def test_elsewhere_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal(2) as screen:
        screen.out("out")
        screen.err("err")
        screen.advance()
    assert capsys.readouterr() == ("out\n", "err\n")


def test_c_libraries_are_silent_and_python_is_not(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(2, "w", closefd=False) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with quiet_libraries():
            os.write(2, b"from C\n")
            sys.stderr.write("from Python\n")
        os.write(2, b"later\n")
        assert sys.stderr is stream
        assert capfd.readouterr().err == "from Python\nlater\n"


def test_a_stderr_that_is_not_the_process_own_is_left_alone(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with (tmp_path / "stderr").open("w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        with quiet_libraries():
            os.write(2, b"from C\n")
            assert sys.stderr is stream
    assert capfd.readouterr().err == "from C\n"


def test_a_stderr_without_a_number_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with quiet_libraries():
        assert sys.stderr is stream


def test_signals_that_come_together_are_one_request() -> None:
    """``timeout`` sends SIGTERM twice, to the command and to its group."""
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        time.sleep(0.01)  # an interrupt would come here


def test_the_first_signal_asks_and_the_second_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fundoscope.cli.terminal.AT_ONCE", 0.0)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with stopping() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_progress_says_how_fast_and_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = Progressed(total=1000, done=400)
    assert progress.advance() == ""
    monkeypatch.setattr("fundoscope.cli.terminal.REPORTED_EVERY", 0.0)
    progress.began -= 10
    line = progress.advance()
    assert line.startswith("402 of 1,000 photographs, 0.2 photographs a second, about 0:4")
    assert line.endswith(" left")
    assert progress.speed() == "0.2 photographs/s"


def test_progress_in_a_log_counts_to_the_number_that_the_command_gave(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("fundoscope.cli.terminal.REPORTED_EVERY", 0.0)
    with terminal(12) as screen:
        screen.advance()
    assert capsys.readouterr().err.startswith("1 of 12 photographs")


def test_a_log_is_told_what_an_earlier_run_did(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal() as screen:
        screen.begin(2000, 1500)
    assert capsys.readouterr().err == (
        "resuming an earlier run: 1,500 of 2,000 photographs were read already\n"
    )


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs the signals of Unix")
def test_a_command_under_nohup_outlives_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.is_set()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with stopping() as stop:
            signal.raise_signal(signal.SIGHUP)
            assert stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)
