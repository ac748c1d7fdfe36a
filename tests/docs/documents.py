"""The documents of the repository, for the tests of this folder."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MARKDOWN = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), ROOT / "examples" / "README.md"])
NOTEBOOKS = sorted(DOCS.rglob("*.ipynb"))
PAGES = [*MARKDOWN, *NOTEBOOKS]

FENCE = re.compile(r"^\s*```")


def name_of(page: Path) -> str:
    """The name of a page for the test's title."""
    return page.relative_to(ROOT).as_posix()


def text_of(page: Path) -> str:
    """The Markdown of a page or notebook."""
    text = page.read_text("utf-8")
    if page.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


def prose_of(page: Path) -> list[tuple[int, str]]:
    """Number and text of each line outside of fenced code."""
    lines, in_code = [], False
    for number, line in enumerate(text_of(page).splitlines(), 1):
        if FENCE.match(line):
            in_code = not in_code
        elif not in_code:
            lines.append((number, line))
    return lines
