"""Every command that a page shows can be typed: the command and its options exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
from documents import MARKDOWN, ROOT, name_of

from fundoscope.cli.main import app

SHELL = re.compile(r"^ *```(?:sh|bash)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s/(=])fundoscope (.*)")
END = re.compile(r"\s(?:&&|\|\|?|>|2>|;|&)(?:\s|$)|\)\"|\)$")
OPTIONAL = re.compile(r"\[[^]]*\]")
COMMENT = re.compile(r"(?:^|\s)#.*")
LEFT_OUT = "…"
"""A command with it is not complete."""
WRITTEN_ELSEWHERE = ROOT / "docs" / "reference" / "commands.md"
"""Written from the commands themselves, with placeholders for what is to be typed."""


def commands_of(page: Path) -> list[str]:
    """What follows ``fundoscope`` in the shell blocks of a page."""
    lines = "\n".join(SHELL.findall(page.read_text("utf-8"))).replace("\\\n", " ").splitlines()
    found = (COMMAND.search(COMMENT.sub("", line)) for line in lines)
    return [END.split(each[1], maxsplit=1)[0] for each in found if each]


def fault(words: list[str]) -> str:
    """Why these arguments cannot be typed; ``""`` if they can."""
    command: Any = typer.main.get_command(app)
    while hasattr(command, "get_command") and words and not words[0].startswith("-"):
        name, *words = words
        command = command.get_command(None, name)
        if command is None:
            return f"there is no {name}"
    context = command.context_class(command, info_name="x")
    given, rest, _ = command.make_parser(context).parse_args(args=[*words])
    if rest:
        return f"takes no {rest[0]}"
    if LEFT_OUT in words or {"--help", "--version"} & {*words}:
        return ""
    missing = [each.name for each in command.params if each.required and not given.get(each.name)]
    return f"needs {', '.join(missing)}" if missing else ""


@pytest.mark.parametrize("page", [p for p in MARKDOWN if p != WRITTEN_ELSEWHERE], ids=name_of)
def test_commands_and_options_exist(page: Path) -> None:
    wrong = {}
    for line in commands_of(page):
        try:
            why = fault(shlex.split(OPTIONAL.sub("", line)))
        except Exception as error:  # noqa: BLE001 (of Click, which newer versions of Typer include)
            why = str(error) or repr(error)
        if why:
            wrong[line] = why
    assert wrong == {}
