"""The README's table of limits repeats figures of other pages: it may not lag behind them."""

from __future__ import annotations

import re

import pytest
from documents import DOCS, ROOT

PAGES = ("results.md", "explanation/judging.md", "explanation/rules.md")
"""Those that the README names as the source of its figures."""
FIGURE = re.compile(r"\b(?:0\.\d+|\d{1,3}(?:,\d{3})+|\d{2,})\b")


def rows() -> list[str]:
    """The rows of the README's table, without its head."""
    section = (ROOT / "README.md").read_text("utf-8").split("## Limits\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("| ")][1:]


@pytest.mark.parametrize("row", rows())
def test_each_figure_of_the_limits_is_on_a_page_that_the_readme_names(row: str) -> None:
    pages = " ".join((DOCS / page).read_text("utf-8") for page in PAGES)
    on_pages = set(FIGURE.findall(pages))
    assert set(FIGURE.findall(row)) <= on_pages
