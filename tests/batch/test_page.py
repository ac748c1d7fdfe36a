"""The page about a run: complete, escaped, without network or script."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest

from fundoscope.batch import page
from fundoscope.batch.ledger.record import Facts
from fundoscope.batch.ledger.tally import Tally

EVIL = '<script>alert(1)</script>"&\n.jpg'
FACTS = (
    Facts("a.jpg", "Anna", "left", "read", picture="a-00000000.png", icdr=2, probability=0.6),
    Facts("b.jpg", "", "", "read", picture="b 1-00000000.png", icdr=0, positive=False,
          attention=("boxes differ",)),
    Facts(EVIL, EVIL, EVIL, "refused", "truncated", EVIL, "copy it", attention=()),
    Facts("d.jpg", "", "", "not_graded", "not_gradable", "is too dark", "retake it",
          quality=("dark",)),
    Facts("e.jpg", "", "", "read", icdr=4, probability=0.9, familiar=False,
          attention=("unfamiliar",)),
)  # fmt: skip


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


def facts() -> Iterator[tuple[int, Facts]]:
    return iter(enumerate(FACTS, start=1))


def parsed(*, interrupted: bool = False) -> tuple[str, Elements]:
    tally = Tally(len(FACTS) + interrupted, interrupted=interrupted)
    for each in FACTS:
        tally.add(each)
    text, elements = "".join(page.lines(tally, facts)), Elements()
    elements.feed(text)
    return text, elements


def test_what_a_person_needs_is_there() -> None:
    text, elements = parsed()
    assert "Incomplete" not in text
    for words in ("Photographs5", "Graded3", "Not graded1", "Refused1", "2 moderate NPDR1",
                  "truncated1", "not gradable1", "dark1"):  # fmt: skip
        assert words in elements.text.replace("\n", ""), words
    titles = (
        "Referable, the likeliest first (2)", "A person should look at these, too (1)",
        "Not graded (1)", "Refused (1)",
    )  # fmt: skip
    places = [text.index(title) for title in titles]
    assert places == sorted(places)
    assert text.index("No. 5") < text.index("No. 1")  # the likelier one stands first
    assert "b%201-00000000.png" in elements.addresses
    assert "boxes differ" in elements.text


def test_names_do_no_harm_and_nothing_is_fetched() -> None:
    text, elements = parsed()
    assert "script" not in elements.tags
    assert "alert(1)" in elements.text
    assert not any(re.match(r"[a-z]+:|//", address) for address in elements.addresses)
    assert "default-src 'none'" in text


def test_a_page_of_a_stopped_run_says_so() -> None:
    _, elements = parsed(interrupted=True)
    assert "Incomplete: the run was stopped after 5 of 6 photographs" in elements.text


def test_a_long_list_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_SHOWN", 1)
    _, elements = parsed()
    assert "Referable, the likeliest first (2)" in elements.text
    assert "and 1 more: see summary.csv" in elements.text
