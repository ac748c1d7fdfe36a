"""Every link and path in the documents leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from documents import DOCS, PAGES, ROOT, name_of, prose_of, text_of

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)", re.S)
CODE = re.compile(r"`[^`]*`")
PATH = re.compile(r"`((?:bench|configs|docs|examples|scripts|src|tests)/[\w./-]+)`")
NAV = re.compile(r"^\s+- (?:[^:\n]+: )?(\S+\.md)$", re.M)
ELSEWHERE = ("http://", "https://", "mailto:")


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and Python-Markdown make them of plain words."""
    found: set[str] = set()
    for _, line in prose_of(page):
        heading = re.match(r"#{1,6} +(.*)", line)
        if heading:
            words = re.sub(r"[^\w\s-]", "", heading[1]).strip().lower()
            found.add(re.sub(r"[\s]+", "-", words))
    return found


def links_of(page: Path) -> list[str]:
    """The targets of a page's links."""
    prose = "\n".join(line for _, line in prose_of(page))
    return LINK.findall(CODE.sub("``", prose))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    broken = []
    for link in links_of(page):
        if link.startswith(ELSEWHERE):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (
            anchor and target.suffix in {".md", ".ipynb"} and anchor not in anchors_of(target)
        ):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", [p for p in PAGES if DOCS in p.parents], ids=name_of)
def test_pages_of_the_site_link_to_pages_of_the_site(page: Path) -> None:
    links = [link for link in links_of(page) if not link.startswith((*ELSEWHERE, "#"))]
    outside = [
        link
        for link in links
        if DOCS not in (page.parent / link.partition("#")[0]).resolve().parents
    ]
    assert outside == [], "write them as paths in backticks"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_paths_in_backticks_exist(page: Path) -> None:
    paths = {path for path in PATH.findall(text_of(page)) if "NAME" not in path}
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


def test_every_page_has_its_place_in_the_navigation() -> None:
    listed = NAV.findall((ROOT / "mkdocs.yml").read_text("utf-8"))
    pages = [page.with_suffix(".md") for page in PAGES if DOCS in page.parents]
    assert sorted(listed) == sorted(page.relative_to(DOCS).as_posix() for page in pages)


def test_documents_that_the_code_names_exist() -> None:
    named = re.compile(r"\bdocs/[\w/-]+\.(?:md|csv|json|png)\b")
    missing = {
        (path.relative_to(ROOT).as_posix(), name)
        for folder in ("bench", "configs", "scripts", "src")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and (not path.suffix or path.suffix in {".py", ".sh", ".toml"})
        for name in named.findall(path.read_text("utf-8"))
        if not (ROOT / name).exists()
    }
    assert missing == set()
