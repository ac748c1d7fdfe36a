"""The ``fundoscope`` command, and the place where an error becomes a line and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from itertools import pairwise
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from fundoscope.cli.exit_codes import DONE, FAILED, INTERRUPTED, PIPE_CLOSED
from fundoscope.cli.extras import extra_of
from fundoscope.errors import FundoscopeError, MissingExtraError, OutputError, UsageError

PRINTING: Final = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EPIPE, errno.EBADF)
"""Why printing fails: a full disk behind a redirection, a closed stream."""
COMMANDS: Final = (
    "read",
    "annotate",
    "rules",
    "models",
    "doctor",
    "verify",
    "phantom",
    "evaluate",
    "monitor",
    "calibrate",
    "data",
    "train",
    "bundle",
    "serve",
    "store",
    "audit",
    "reproduce",
)
"""In the order of the help. Each is ``fundoscope.cli.<name>``, loaded when it is called: either a
Typer app named ``app`` or a function of the command's name, with the class of its command in
``COMMAND`` where that is not the usual one."""

DEBUG: Final = "FUNDOSCOPE_DEBUG"


class LazyCommands(TyperGroup):
    """The group of :data:`COMMANDS`. It loads a command only when it is used."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The names, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Load a command; ``None`` if there is no command of this name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"fundoscope.cli.{cmd_name}")
        if hasattr(module, "app"):
            command: Any = get_group(module.app)
        else:
            single = typer.Typer(add_completion=False)
            kind = getattr(module, "COMMAND", TyperCommand)
            single.command(cmd_name, cls=kind)(getattr(module, cmd_name))
            command = get_command(single)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=LazyCommands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from fundoscope._version import __version__

        typer.echo(f"fundoscope {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Read photographs of the retina and grade diabetic retinopathy.

    For research; the result is not a diagnosis. Start with: fundoscope read PHOTOGRAPH
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit code.

    Args:
        arguments: of the command; by default those of the process.
    """
    from fundoscope.cli.terminal import flush_output, open_standard_streams

    open_standard_streams()
    code = run(sys.argv[1:] if arguments is None else arguments)
    unwritten = flush_output()
    if unwritten is not None and code == DONE:
        code = _code_of_output(unwritten)
    sys.exit(code)


def _code_of_output(number: int) -> int:
    """The exit code where standard output could not be written; says so unless it was closed."""
    if number == errno.EPIPE:
        return PIPE_CLOSED
    _complain(str(_unwritten(number)))
    return FAILED


def _unwritten(number: int) -> OutputError:
    why = f"cannot be written ({os.strerror(number)})"
    return OutputError("standard output", why, "free some space")


def run(arguments: list[str]) -> int:
    """Run the command line.

    Returns:
        The exit code, see :mod:`fundoscope.cli.exit_codes`.
    """
    try:
        _require_values(arguments)
        app(arguments, prog_name="fundoscope")
    except SystemExit as leaving:  # how Typer ends every command, also one used wrongly
        return PIPE_CLOSED if _output_was_closed() else _code(leaving)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return PIPE_CLOSED
    except Exception as error:
        if os.environ.get(DEBUG):
            raise
        explained = _explained(error)
        _complain(str(explained))
        return explained.exit_code
    return DONE  # pragma: no cover (Typer always leaves by SystemExit)


def _require_values(arguments: list[str]) -> None:
    """Refuse ``--out ""``, as a script with an unset variable writes it: it is the working folder.

    Raises:
        UsageError: the value of an option, or another argument, is empty.
    """
    for option, value in pairwise([*arguments, "end"]):
        name, equals, given = option.partition("=")
        if name.startswith("--") and (value if not equals else given) == "":
            raise UsageError(name, "has an empty value", "give one, or leave the option out")
    if "" in arguments:
        what = f"argument {arguments.index('')} of {arguments[0] or 'fundoscope'}"
        raise UsageError(what, "is empty", "give a name, or leave it out")


def _output_was_closed() -> bool:
    """Whether Typer met a closed pipe: it ends with 1 then, and wraps standard output."""
    return type(sys.stdout).__name__ == "PacifyFlushWrapper"


def _code(leaving: SystemExit) -> int:
    if leaving.code is None:
        return DONE
    return leaving.code if isinstance(leaving.code, int) else FAILED


def _explained(error: Exception) -> FundoscopeError:
    """The error as a sentence for the user; an unforeseen error becomes an internal error."""
    if isinstance(error, FundoscopeError):
        return error
    if isinstance(error, ModuleNotFoundError):
        missing = (error.name or "").partition(".")[0]
        extra = extra_of(missing)
        if extra is not None:
            return MissingExtraError(f"this command (it uses {missing})", extra)
    if isinstance(error, OSError) and error.filename is not None:
        why = f"cannot be read or written ({error.strerror})"
        return FundoscopeError(str(error.filename), why, "check its name and its permissions")
    if isinstance(error, OSError) and error.errno is not None and error.errno in PRINTING:
        return _unwritten(error.errno)  # A command printed; files are named in their errors.
    return FundoscopeError(
        "internal error",
        f"{type(error).__name__}: {error}",
        f"please report it, with what {DEBUG}=1 prints",
    )


def _complain(message: str) -> None:
    from fundoscope.cli.terminal import complain
    from fundoscope.quoting import printable

    complain(printable(message))
