"""Documents are narrow enough to read beside the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import MARKDOWN, ROOT, name_of, prose_of

LONGEST = 100
PRINTED = ("docs/results.md", "docs/performance.md", "docs/notebook/", "docs/decisions/")
"""Here tables are as a command printed them, and may be wider."""
GENERATED = ("docs/reference/commands.md",)
WIDEST_ROW = 240
README_LINES = 120
COMMANDS = (
    "python3 -m venv .venv && .venv/bin/pip install -q ."
    " && .venv/bin/fundoscope read examples --out readings",
    "scripts/test",
)
"""What the README must say, word by word: read the examples, and pass the tests."""


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_lines_are_at_most_100_characters(page: Path) -> None:
    if name_of(page).startswith(GENERATED):
        return
    printed = name_of(page).startswith(PRINTED)
    long = [
        (number, len(line))
        for number, line in prose_of(page)
        if len(re.sub(r"https?://\S+", "", line))
        > (WIDEST_ROW if printed and line.startswith("|") else LONGEST)
    ]
    assert long == []


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_no_cell_of_a_table_is_longer_than_a_line(page: Path) -> None:
    cells = [
        (number, cell.strip())
        for number, line in prose_of(page)
        if line.startswith("|")
        for cell in line.strip("|").split("|")
    ]
    assert [(number, cell) for number, cell in cells if len(cell) > LONGEST] == []


def test_the_readme_is_short_and_has_the_two_commands() -> None:
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= README_LINES
    assert [command for command in COMMANDS if command not in lines] == []
    assert lines.index("## Read photographs") < lines.index("## Measure, label, train")
