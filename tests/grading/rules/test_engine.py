"""Three-valued logic, evidence of rules, and rule files that are not valid."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.errors import UsageError
from fundoscope.grading.rules import conditions, engine, rulesets
from fundoscope.grading.rules.conditions import Answer
from fundoscope.grading.rules.evidence import QUADRANTS, Evidence, PlacedLesion
from fundoscope.kinds import LESIONS

SHOWN = frozenset({"microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate"})
ANSWERS = st.lists(st.sampled_from([True, False, None]).map(Answer), min_size=1, max_size=5)


@given(ANSWERS)
def test_logic_of_kleene(parts: list[Answer]) -> None:
    values = [part.met for part in parts]
    order = {False: 0, None: 1, True: 2}
    assert conditions.any_of(parts).met == max(values, key=order.__getitem__)
    assert conditions.all_of(parts).met == min(values, key=order.__getitem__)


LESION = st.builds(
    PlacedLesion,
    kind=st.sampled_from(LESIONS),
    index=st.integers(0, 99),
    quadrant=st.sampled_from([*QUADRANTS, None]),
    distance=st.none() | st.floats(0, 5),
    error=st.floats(0, 1),
    in_macula=st.none() | st.booleans(),
    area=st.none() | st.floats(0, 2),
)
EVIDENCE = st.builds(
    Evidence,
    lesions=st.lists(LESION, max_size=30).map(tuple),
    assessed=st.frozensets(st.sampled_from(LESIONS)),
    quadrants_seen=st.frozensets(st.sampled_from(QUADRANTS)),
    acuity=st.none() | st.floats(0, 1.5),
)


@given(EVIDENCE, LESION, st.sampled_from(rulesets.names()))
def test_one_more_lesion_never_lowers_the_level(
    evidence: Evidence, lesion: PlacedLesion, name: str
) -> None:
    ruleset = rulesets.shipped(name)
    more = replace(evidence, lesions=(*evidence.lesions, lesion))
    before, after = engine.apply(ruleset, evidence), engine.apply(ruleset, more)
    assert ruleset.rank(after.level.id) >= ruleset.rank(before.level.id)
    assert ruleset.rank(after.highest.id) >= ruleset.rank(after.level.id)


@given(EVIDENCE, st.sampled_from(rulesets.names()))
def test_what_was_not_excluded_holds_what_more_sight_finds(evidence: Evidence, name: str) -> None:
    """Assessing every kind and seeing every quadrant only narrows the answer down."""
    ruleset = rulesets.shipped(name)
    sighted = replace(evidence, assessed=frozenset(LESIONS), quadrants_seen=frozenset(QUADRANTS))
    before, after = engine.apply(ruleset, evidence), engine.apply(ruleset, sighted)
    assert ruleset.rank(after.highest.id) <= ruleset.rank(before.highest.id)


def test_the_boxes_of_a_rule_are_those_that_meet_it() -> None:
    lesions = (
        PlacedLesion("haemorrhage", 0, QUADRANTS[0], 2.0),
        PlacedLesion("hard_exudate", 1, QUADRANTS[0], 0.5),
        PlacedLesion("hard_exudate", 2, QUADRANTS[0], 1.5),
    )
    outcome = engine.apply(rulesets.shipped("oedema-risk"), Evidence(lesions, SHOWN))
    assert {rule.id: boxes for rule, boxes in outcome.fired} == {
        "any-exudate": {1, 2},
        "near-the-fovea": {1},
    }


@pytest.mark.parametrize(
    ("distance", "error", "level", "highest"),
    [
        (0.2, 0.8, "2", "2"),
        (0.3, 0.8, "1", "2"),
        (1.7, 0.8, "1", "2"),
        (1.9, 0.8, "1", "1"),
        (None, 0.0, "1", "2"),
    ],
)
def test_a_fovea_whose_place_is_estimated(
    distance: float | None, error: float, level: str, highest: str
) -> None:
    lesion = PlacedLesion("hard_exudate", 0, None, distance, error)
    evidence = Evidence((lesion,), SHOWN, macula_shown=2.0)
    outcome = engine.apply(rulesets.shipped("oedema-risk"), evidence)
    assert (outcome.level.id, outcome.highest.id) == (level, highest)
    if level != highest:
        assert [missing for _, missing in outcome.open] == [{"fovea"}]


def test_kinds_that_no_detector_sees_stay_open() -> None:
    outcome = engine.apply(rulesets.shipped("icdr"), Evidence((), SHOWN, frozenset(QUADRANTS)))
    missing = {rule.id: set(what) for rule, what in outcome.open}
    assert missing["2-beading"] == {"venous_beading"}
    assert missing["1-irma"] == {"irma"}
    assert missing["new-vessels"] == {"neovascularisation"}
    assert "4-haemorrhages" not in missing
    assert (outcome.level.id, outcome.highest.id) == ("0", "4")


def test_without_a_disc_haemorrhages_of_a_quadrant_cannot_be_told() -> None:
    lesions = tuple(PlacedLesion("haemorrhage", index) for index in range(84))
    outcome = engine.apply(rulesets.shipped("icdr"), Evidence(lesions, SHOWN))
    missing = {rule.id: what for rule, what in outcome.open}
    assert missing["4-haemorrhages"] == {"quadrants"}
    assert outcome.level.id == "2"


def test_two_thousand_lesions_are_graded_at_once() -> None:
    lesions = tuple(
        PlacedLesion("haemorrhage", index, QUADRANTS[index % 4], 2.0) for index in range(2000)
    )
    evidence = Evidence(lesions, SHOWN, frozenset(QUADRANTS))
    began = time.process_time()
    for name in rulesets.names():
        engine.apply(rulesets.shipped(name), evidence)
    assert time.process_time() - began < 1.0
    assert engine.apply(rulesets.shipped("icdr"), evidence).level.id == "3"


def test_the_reading_s_form() -> None:
    lesions = (PlacedLesion("haemorrhage", 7, QUADRANTS[0], 2.0),)
    grade = engine.rule_grade(engine.apply(rulesets.shipped("icdr"), Evidence(lesions, SHOWN)))
    assert (grade.ruleset, grade.level, grade.icdr, grade.refer) == ("icdr", "2", 2, True)
    assert [(rule.id, rule.boxes) for rule in grade.fired] == [("more-than-microaneurysms", (7,))]
    assert grade.highest == "4"


VALID = """
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
[[rules]]
id = "some"
level = "B"
title = "three haemorrhages"
when = { kinds = ["haemorrhage"], at_least = 3 }
"""


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(VALID)
    ruleset = rulesets.load(str(path))
    few, enough = (
        Evidence(tuple(PlacedLesion("haemorrhage", n) for n in range(count)), SHOWN)
        for count in (2, 3)
    )
    assert engine.apply(ruleset, few).level.id == "A"
    assert engine.apply(ruleset, enough).level.id == "B"


RULE = '[[rules]]\nid = "{id}"\nlevel = "B"\ntitle = "t"\nwhen = {when}\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id = ", "is not a rule set"),
        (VALID.replace("year = 2026", 'year = "soon"'), r"rule set: Expected `int`.*year"),
        (VALID + "colour = 3\n", "unknown field `colour`"),
        (VALID.replace("at_least = 3", "at_leest = 3"), r"unknown field `at_leest`.*rules\[0\]"),
        (VALID.replace('"haemorrhage"', '"hemorrhage"'), "counts 'hemorrhage', which is not one"),
        (VALID.replace('level = "B"', 'level = "C"'), "'some' has the unknown level 'C'"),
        (VALID.replace("at_least = 3", "at_least = 0"), "at_least 0, which is less than 1"),
        (VALID.replace('id = "mine"', 'id = "My rules"'), "may have lower-case letters"),
        (VALID.replace('id = "B"', 'id = "A"', 1), "has the level 'A' twice"),
        (VALID + RULE.format(id="some", when='{ kinds = ["irma"] }'), "has the rule 'some' twice"),
        (VALID + RULE.format(id="x", when='{ rule = "y" }'), "refers to the unknown rule 'y'"),
        (VALID + RULE.format(id="x", when='{ rule = "x" }'), "in a loop: 'x'"),
        (
            VALID + RULE.format(id="x", when='{ any = [{ rule = "y" }] }')
            + RULE.format(id="y", when='{ all = [{ rule = "x" }] }'),
            "in a loop: 'x', 'y'",
        ),
        (VALID + RULE.format(id="x", when="{}"), "exactly one of any, all, .* it has none"),
        (
            VALID + RULE.format(id="x", when='{ kinds = ["irma"], fact = "f" }'),
            "; it has kinds, fact",
        ),
        (VALID + RULE.format(id="x", when='{ fact = "f" }'), "asks for the fact 'f'"),
        (
            VALID + RULE.format(id="x", when='{ rule = "some", within = 1.0 }'),
            "mixes a lesion count with rule",
        ),
        (
            VALID + RULE.format(id="x", when='{ kinds = ["irma"], divided = "quadrants" }'),
            "needs both divided and in_each_of",
        ),
        (
            VALID
            + RULE.format(id="x", when='{ kinds = ["irma"], divided = "halves", in_each_of = 1 }'),
            "is divided by 'halves'",
        ),
        (
            VALID
            + RULE.format(
                id="x", when='{ kinds = ["irma"], divided = "quadrants", in_each_of = 5 }'
            ),
            "in_each_of 5, not 1 to 4",
        ),
        (VALID + RULE.format(id="x", when='{ kinds = ["irma"], within = -1 }'), "within -1"),
        (VALID + RULE.format(id="x", when='{ kinds = ["irma"], within = nan }'), "within nan"),
        (VALID + RULE.format(id="x", when='{ ruleset = "icdr" }'), "needs both ruleset and level"),
        (
            VALID + RULE.format(id="x", when='{ ruleset = "icrd", level = "2" }'),
            "refers to the unknown rule set 'icrd'",
        ),
        (
            VALID + RULE.format(id="x", when='{ ruleset = "icdr", level = "7" }'),
            "refers to the unknown level '7' of 'icdr'",
        ),
        (
            VALID + RULE.format(id="x", when='{ ruleset = "mtmdr", level = "yes" }'),
            "which refers to others itself",
        ),
        (
            VALID + RULE.format(id="x", when="{ any = [" * 25 + '{ fact = "f" }' + "] }" * 25),
            "nested too deeply",
        ),
    ],
)  # fmt: skip
def test_a_file_that_is_not_valid_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        rulesets.load(str(path))
    assert str(caught.value).startswith("mine.toml")


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        rulesets.load(str(tmp_path / "none.toml"))
    with pytest.raises(UsageError, match="the rule set 'ICDR': is unknown"):
        rulesets.load("ICDR")
    (tmp_path / "latin.toml").write_bytes(b'id = "\xe9"')
    with pytest.raises(UsageError, match="not text in UTF-8"):
        rulesets.load(str(tmp_path / "latin.toml"))
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    with pytest.raises(UsageError, match=r"deep.toml: (is nested too deeply|is not a rule set)"):
        rulesets.load(str(tmp_path / "deep.toml"))
