"""Names and cards of fitted bundles."""

from __future__ import annotations

import pytest

from fundoscope.calibrate import cards

CARD = "# old\n\nWhat it is.\n\n## Figures\n\nGood.\n"
SECTION = "## Fitted\n\nYesterday.\n"


@pytest.mark.parametrize(
    ("given", "chosen", "name"),
    [("a", None, "a-calibrated"), ("a-calibrated", None, "a-calibrated"), ("a", "mine", "mine")],
)
def test_a_bundle_that_is_fitted_twice_is_marked_once(
    given: str, chosen: str | None, name: str
) -> None:
    assert cards.new_name(given, chosen) == name


def test_a_card_has_the_new_name_on_top() -> None:
    assert cards.renamed(CARD, "new").startswith("# new\n\nWhat it is.")
    assert cards.renamed("Without a title.", "new") == "# new\n\nWithout a title."


def test_a_section_replaces_the_earlier_one_and_no_other() -> None:
    once = cards.with_section(CARD, SECTION)
    assert once.endswith("## Figures\n\nGood.\n\n## Fitted\n\nYesterday.\n")
    twice = cards.with_section(once, "## Fitted\n\nToday.\n")
    assert "Yesterday" not in twice
    assert twice.endswith("## Figures\n\nGood.\n\n## Fitted\n\nToday.\n")
    assert cards.with_section(twice, SECTION) == once
