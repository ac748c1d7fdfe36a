"""Rule files that would mislead or never end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from fundoscope.errors import UsageError
from fundoscope.grading.rules import engine, rulesets
from fundoscope.grading.rules.evidence import Evidence, PlacedLesion

HEADER = """
id = "mine"
title = "Ours"
year = 2026
citation = "an agreement of our readers"
[[levels]]
id = "A"
name = "nothing"
[[levels]]
id = "B"
name = "something"
"""
RULE = '[[rules]]\nid = "{id}"\nlevel = "B"\ntitle = "t"\nwhen = {when}\n'
IRMA = RULE.format(id="r0", when='{ kinds = ["irma"] }')


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (
            '{ kinds = ["irma"], within = 1.0, divided = "quadrants", in_each_of = 2 }',
            "'r' has divided and within or beyond in one condition",
        ),
        ('{ kinds = ["irma"], beyond = 1.0, area_at_least = 0.5 }', "within or beyond and area"),
        ('{ kinds = ["irma"], area_at_least = 0.5, at_least = 2 }', "at_least and area_at_least"),
        ('{ kinds = ["irma"], beyond = 2.0, within = 1.0 }', "beyond 2, which is not less than"),
        ('{ kinds = ["irma"], beyond = 1.0, within = 1.0 }', "beyond 1, which is not less than"),
        ("{ acuity_at_most = nan }", "acuity_at_most nan"),
        ("{ acuity_at_most = -1 }", "acuity_at_most -1"),
        ("{ acuity_at_most = 6.0 }", "acuity_at_most 6, not more than 0 and at most 3"),
    ],
)
def test_conditions_of_which_a_part_would_be_ignored(when: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rulesets.parse((HEADER + RULE.format(id="r", when=when)).encode(), "mine.toml")


def test_the_level_that_is_never_excluded_is_one_of_the_set() -> None:
    with pytest.raises(UsageError, match="unknown level 'C' in not_excluded"):
        rulesets.parse(f'not_excluded = "C"\n{HEADER}{IRMA}'.encode(), "mine.toml")


@pytest.mark.parametrize("name", rulesets.names())
def test_a_file_may_not_call_itself_by_the_name_of_a_shipped_set(name: str, tmp_path: Path) -> None:
    """Readings name rule sets by their ids, and compare the grade with icdr."""
    path = tmp_path / "mine.toml"
    path.write_text(HEADER.replace('"mine"', f'"{name}"') + IRMA)
    with pytest.raises(UsageError, match=f"has the id '{name}' of a set that comes with"):
        rulesets.load(str(path))


def test_rules_that_refer_twice_to_the_rule_before_them_are_evaluated_once() -> None:
    """Otherwise each rule would take twice the time of the rule before it."""
    twice = "{{ any = [{{ rule = 'r{0}' }}, {{ rule = 'r{0}' }}] }}"
    rules = [RULE.format(id=f"r{n}", when=twice.format(n - 1)) for n in range(1, 60)]
    ruleset = rulesets.parse((HEADER + IRMA + "".join(rules)).encode(), "mine.toml")
    began = time.process_time()
    engine.apply(ruleset, Evidence())
    assert time.process_time() - began < 1.0


def test_a_long_chain_of_rules_is_applied() -> None:
    rules = [RULE.format(id=f"r{n}", when=f"{{ rule = 'r{n - 1}' }}") for n in range(1, 1500)]
    ruleset = rulesets.parse((HEADER + "".join(rules) + IRMA).encode(), "mine.toml")
    evidence = Evidence((PlacedLesion("irma", 3),), frozenset({"irma"}))
    outcome = engine.apply(ruleset, evidence)
    assert len(outcome.fired) == 1500
    assert {boxes for _, boxes in outcome.fired} == {frozenset({3})}
