"""``fundoscope rules``: rule sets are listed, shown and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.grading.rules import rulesets

Command = Callable[..., Any]


def test_every_set_is_listed(fundoscope: Command) -> None:
    said = fundoscope("rules", "list")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == list(rulesets.names())


@pytest.mark.parametrize("name", rulesets.names())
def test_a_set_is_shown_with_its_source_and_every_rule(fundoscope: Command, name: str) -> None:
    said = fundoscope("rules", "show", name)
    assert said.code == 0
    ruleset = rulesets.shipped(name)
    assert "source: " in said.out
    assert str(ruleset.year) in said.out
    for rule in ruleset.rules:
        assert rule.title.split()[0] in said.out
    assert all(len(line) <= 100 for line in said.out.splitlines()[1:])


def test_an_unknown_set_names_those_that_are_known(fundoscope: Command) -> None:
    said = fundoscope("rules", "show", "icrd")
    assert said.code == 2
    assert "the rule set 'icrd': is unknown; give a file, or one of ada-recall" in said.err


def test_a_file_of_ones_own_is_checked(fundoscope: Command, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'id = "mine"\ntitle = "Ours"\nyear = 2026\ncitation = "our readers"\n'
        '[[levels]]\nid = "A"\nname = "nothing"\n'
        '[[rules]]\nid = "r"\nlevel = "A"\ntitle = "t"\nwhen = { kinds = ["irma"] }\n'
    )
    said = fundoscope("rules", "check", path)
    assert (said.code, said.out) == (0, "mine.toml: 1 rules, 1 levels: valid\n")
    path.write_text(path.read_text().replace("irma", "irmas"))
    said = fundoscope("rules", "check", path)
    assert said.code == 2
    assert "mine.toml: rule 'r' counts 'irmas'" in said.err
    assert fundoscope("rules", "check", tmp_path / "mine.txt").code == 2
