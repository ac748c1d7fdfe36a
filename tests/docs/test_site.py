"""The site builds strictly, and nothing on it is fetched from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import pytest
from documents import ROOT

FETCHED = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"?(https?:[^\"\s>]+)")
LINKED = re.compile(r"<link\b[^>]*\bhref=\"?(https?:[^\"\s>]+)")
IN_STYLES = re.compile(r"url\(\"?(https?:[^)\"]+)|@import")
REFERENCE = re.compile(r"<a\b[^>]*\bhref=\"([^\"]*)\"")
ANCHOR = re.compile(r"\b(?:id|name)=\"?([^\"\s>]+)")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(module, reason="the site needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    fetched = {
        (path.name, address)
        for path in site.rglob("*.html")
        for pattern in (FETCHED, LINKED)
        for address in pattern.findall(path.read_text("utf-8"))
    }
    assert fetched == set()
    assert [p.name for p in site.rglob("*.css") if IN_STYLES.search(p.read_text("utf-8"))] == []


def test_every_link_of_the_site_leads_to_a_page_and_a_heading(site: Path) -> None:
    pages = {path: path.read_text("utf-8") for path in site.rglob("*.html") if path.stem != "404"}
    anchors = {path: set(ANCHOR.findall(text)) for path, text in pages.items()}
    broken = []
    for page, text in pages.items():
        for link in map(unescape, REFERENCE.findall(text)):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / unquote(path)).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            if not target.exists() or (anchor and anchor not in anchors.get(target, {anchor})):
                broken.append((page.relative_to(site).as_posix(), link))
    assert broken == []
