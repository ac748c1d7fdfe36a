"""Every test that the page of threats names exists."""

import re

import pytest
from documents import DOCS, ROOT

PAGE = DOCS / "explanation" / "threats.md"
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NAMES = sorted(set(NAMED.findall(PAGE.read_text(encoding="utf-8"))))


def test_tests_are_named() -> None:
    assert len(NAMES) >= 20


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_a_named_test_exists(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_threat_names_a_test() -> None:
    threats = re.split(r"^### ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert [text.splitlines()[0] for text in threats if not NAMED.search(text)] == []
