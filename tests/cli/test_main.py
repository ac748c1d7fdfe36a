"""The command as a whole: help, errors in one line, and what importing it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope import __version__
from fundoscope.cli import main
from fundoscope.errors import BundleError, PhotoError

HEAVY = ("numpy", "scipy", "PIL", "onnxruntime", "torch", "msgspec", "simplejpeg", "sklearn")
Command = Callable[..., Any]


@pytest.mark.parametrize("module", ["fundoscope", "fundoscope.cli.main"])
def test_importing_is_light(module: str) -> None:
    script = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_help_is_light_and_names_every_command() -> None:
    script = (
        "import sys; from fundoscope.cli.main import run; code = run(['--help']);"
        f"print('heavy:', [m for m in {HEAVY!r} if m in sys.modules], code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "heavy: [] 0" in done.stdout
    assert all(f" {name} " in done.stdout for name in main.COMMANDS)
    assert "not a diagnosis" in done.stdout


@pytest.mark.parametrize("name", main.COMMANDS)
def test_every_command_has_help(name: str, fundoscope: Command) -> None:
    said = fundoscope(name, "--help")
    assert said.code == 0
    assert f"fundoscope {name}" in said.out


def test_version(fundoscope: Command) -> None:
    assert fundoscope("--version").out == f"fundoscope {__version__}\n"


def test_python_m(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fundoscope", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"fundoscope {__version__}\n"


def test_names_that_the_terminal_cannot_show_are_printed_as_escapes(tmp_path: Path) -> None:
    """They used to end a command that had done its work in an internal error."""
    folder = os.fsencode(tmp_path) + "/Ä".encode("latin-1")
    try:
        os.mkdir(folder)  # noqa: PTH102 (not text)
    except OSError:
        pytest.skip("this disk has no such names")
    done = subprocess.run(
        [sys.executable, "-m", "fundoscope", "phantom", folder, "--size", "320x240"],
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\udcc4/phantom-0000.jpg: 320x240" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["read"],
        ["read", "--workers", "0", "a"],
        ["read", "a", "--out", ""],
        ["read", "a", "--out="],
        # As a script with an unset variable writes it; they would be the working folder.
        ["read", ""],
        ["read", "-q", "", "--no-lesions"],
        ["annotate", "", "--out", "boxes"],
        ["models", ""],
    ],
)
def test_misuse_exits_2(arguments: list[str], fundoscope: Command) -> None:
    said = fundoscope(*arguments)
    assert said.code == 2
    assert said.out == ""


def test_an_empty_argument_is_named_by_its_place(fundoscope: Command) -> None:
    said = fundoscope("read", "a.jpg", "")
    assert said.err == "argument 2 of read: is empty; give a name, or leave it out\n"


def test_no_command_shows_the_help(fundoscope: Command) -> None:
    said = fundoscope()
    assert "Usage" in said.out + said.err


def broken(error: BaseException) -> Callable[..., None]:
    def app(*_: object, **__: object) -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (BundleError("b", "is broken", "replace it"), 2, "b: is broken; replace it"),
        (PhotoError("p", "is\nempty", "copy it", code="empty"), 3, "p: is\\nempty; copy it"),
        (
            ModuleNotFoundError("No module named 'sklearn'", name="sklearn.metrics"),
            2,
            "this command (it uses sklearn): needs the optional part [evaluate]; "
            'install it with: pip install "fundoscope[evaluate]"',
        ),
        (
            ModuleNotFoundError("No module named 'torch'", name="torch"),
            2,
            "this command (it uses torch): needs the optional part [train]; "
            'install it with: pip install "fundoscope[train]"',
        ),
        (
            ZeroDivisionError("a\nb"),
            1,
            "internal error: ZeroDivisionError: a\\nb; please report it, "
            "with what FUNDOSCOPE_DEBUG=1 prints",
        ),
        (
            ModuleNotFoundError("No module named 'x'", name="x"),
            1,
            "internal error: ModuleNotFoundError: No module named 'x'; please report it, "
            "with what FUNDOSCOPE_DEBUG=1 prints",
        ),
    ],
)
def test_an_error_is_one_line_and_a_code(
    error: Exception,
    code: int,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(main, "app", broken(error))
    with pytest.raises(SystemExit) as left:
        main.main(["read"])
    assert left.value.code == code
    assert capsys.readouterr().err == line + "\n"


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "app", broken(ZeroDivisionError()))
    monkeypatch.setenv("FUNDOSCOPE_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main.run([])


@pytest.mark.parametrize(
    ("leaving", "code"),
    [(KeyboardInterrupt(), 130), (SystemExit(), 0), (SystemExit(5), 5), (SystemExit("text"), 1)],
)
def test_how_the_process_leaves(
    leaving: BaseException, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "app", broken(leaving))
    monkeypatch.setattr(sys, "argv", ["fundoscope", "read"])
    with pytest.raises(SystemExit) as left:
        main.main()
    assert left.value.code == code
