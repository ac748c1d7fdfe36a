"""Write the reference of the command line as Markdown, from the commands themselves.

``python -m fundoscope.cli.reference`` prints it; the documentation includes it.
"""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Iterator
from typing import Any, Final

from typer.main import get_command

from fundoscope.cli.exit_codes import MEANINGS
from fundoscope.cli.main import app

NAME: Final = "fundoscope"
WIDTH: Final = 100
"""Characters of a line."""
INDENT: Final = "  "
OF_TYPER: Final = frozenset({"help", "install_completion", "show_completion"})
"""Options that every program made with Typer has, in words that change with its version."""
INTRODUCTION: Final = (
    "Written by `scripts/command_reference` from the commands themselves; do not edit.",
    "Every command has `--help`. `fundoscope --install-completion` sets up completion for your"
    " shell. Values in capitals stand for what you type, e.g. `DIR` for a folder. Options may be"
    " left out unless they are required.",
    "With the environment variable `FUNDOSCOPE_DEBUG=1`, an error prints its full traceback.",
)


def markdown() -> str:
    """The whole reference."""
    root: Any = get_command(app)
    blocks = ["# Command line", *map(_wrapped, INTRODUCTION), *_exit_codes()]
    blocks += _commands(root, NAME)
    return "\n\n".join(blocks) + "\n"


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes"
    yield "\n".join(_item(f"`{code}`", meaning) for code, meaning in MEANINGS.items())


def _commands(command: Any, name: str) -> Iterator[str]:
    """A command and those below it, in the order of the help."""
    yield f"## {name}"
    subcommands = [command.get_command(None, each) for each in _names(command)]
    if not subcommands or name == NAME:
        yield _usage(command, name, group=bool(subcommands))
    yield from _prose(command.help or "")
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [
        param
        for param in command.params
        if param.param_type_name == "option" and param.name not in OF_TYPER and not param.hidden
    ]
    for title, items in (
        ("Arguments", [_item(f"`{param.metavar}`", _meaning(param)) for param in arguments]),
        ("Options", [_item(f"`{_spelling(param)}`", _meaning(param)) for param in options]),
        ("Commands", [_link(each, f"{name} {each.name}") for each in subcommands]),
    ):
        if items:
            yield f"{title}:"
            yield "\n".join(items)
    for each in subcommands:
        yield from _commands(each, f"{name} {each.name}")


def _names(command: Any) -> list[str]:
    return command.list_commands(None) if hasattr(command, "list_commands") else []


def _usage(command: Any, name: str, *, group: bool) -> str:
    """The line to type, with what is required."""
    words = [name]
    for param in command.params:
        if param.param_type_name == "argument":
            value = param.metavar + (" ..." if param.nargs < 0 else "")
            words.append(value if param.required else f"[{value}]")
        elif param.required:
            words.append(_spelling(param))
    words.append("COMMAND" if group else "[OPTIONS]")
    lines = textwrap.wrap(
        " ".join(words), WIDTH, subsequent_indent=INDENT * 2, break_on_hyphens=False
    )
    return "\n".join(("```text", *lines, "```"))


def _prose(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        yield _wrapped(" ".join(paragraph.split()))


def _link(command: Any, name: str) -> str:
    first, _, _ = inspect.cleandoc(command.help or "").partition("\n\n")
    return _item(f"[`{name}`](#{name.replace(' ', '-')})", " ".join(first.split()))


def _spelling(param: Any) -> str:
    """An option as it is typed: ``--out DIR``, ``--disc / --no-disc``."""
    names = " / ".join([max(param.opts, key=len), *param.secondary_opts])
    return names if param.is_flag else f"{names} {param.metavar}"


def _meaning(param: Any) -> str:
    """The help of an argument or option, with its default."""
    parts = [param.help.rstrip(".") + "."]
    if param.required:
        parts.append("Required.")
    elif isinstance(param.show_default, str):
        parts.append(f"Default: `{param.show_default}`.")
    elif param.default is not None and param.show_default and not _is_off(param):
        default = getattr(param.default, "value", param.default)
        shown = _switched(param) if isinstance(default, bool) else str(default)
        parts.append(f"Default: `{shown}`.")
    return " ".join(parts)


def _is_off(param: Any) -> bool:
    """Whether an option is a plain switch, off by default."""
    return param.is_flag and not param.secondary_opts


def _switched(param: Any) -> str:
    return str(param.opts[0] if param.default else param.secondary_opts[0])


def _item(name: str, meaning: str) -> str:
    return textwrap.fill(
        f"- {name}: {meaning}",
        WIDTH,
        subsequent_indent=INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _wrapped(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def main() -> None:
    """Print the reference."""
    sys.stdout.write(markdown())


if __name__ == "__main__":
    main()
