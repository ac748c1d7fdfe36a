"""The page by the rules of WCAG that axe-core can check."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import Any

import pytest

pytest.importorskip("axe_playwright_python", reason="needs axe-core (axe-playwright-python)")
Open = Callable[..., Any]
RUN = """() => axe.run({
    resultTypes: ['violations'],
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
})"""
SERIOUS = ("serious", "critical")


def findings(page: Any) -> list[str]:
    """Serious and critical findings of axe-core, with the elements."""
    script = resources.files("axe_playwright_python") / "axe.min.js"
    page.add_script_tag(content=script.read_text(encoding="utf-8"))
    found = page.evaluate(RUN)
    return [
        f"{each['id']}: {[node['html'] for node in each['nodes']]}"
        for each in found["violations"]
        if each["impact"] in SERIOUS
    ]


def test_axe_has_no_serious_finding(site: Any, open_page: Open) -> None:
    # Our own policy forbids scripts from elsewhere, axe-core among them.
    page = open_page(site.address, bypass_csp=True)
    bad = site.file("bad.jpg", b"no photograph")
    page.set_input_files("#files", [str(bad)])
    page.locator(".uploads .error").wait_for()
    site.upload(page, site.photograph(2, "left"))
    assert findings(page) == []
    page.locator(".uploads a").first.click()
    page.locator(".eye[data-loaded]").wait_for()
    page.get_by_role("button", name="Correct patient or eye").click()
    assert findings(page) == []
    page.get_by_role("button", name="Cancel").click()
    page.keyboard.press("r")
    page.locator(".boxes button").first.click()
    assert findings(page) == []
    page.emulate_media(color_scheme="dark")
    assert findings(page) == []
    page.keyboard.press("?")
    assert findings(page) == []
