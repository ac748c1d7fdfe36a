"""What lesions support, in words."""

from __future__ import annotations

import pytest

from fundoscope.opinions import FiredRule, LesionGrade, OpenRule, RuleGrade
from fundoscope.report.by_lesions import lesion_grade_in_words, rules_in_words
from fundoscope.report.languages import codes, language
from fundoscope.report.paper import sentences


def test_a_rule_set_s_grade_in_words() -> None:
    grade = RuleGrade(
        "mine", "Ours", 2026, "B", "something", recall="3 months",
        fired=(FiredRule("a", "A", "an old scar"), FiredRule("b", "B", "three haemorrhages", (1,))),
        open=(OpenRule("c", "C", "new vessels", ("neovascularisation", "acuity")),), highest="C",
    )  # fmt: skip
    assert rules_in_words(grade) == (
        "mine (2026): at least something (three haemorrhages); next examination at that"
        " level: 3 months; cannot tell: acuity, neovascularisation"
    )
    assert rules_in_words(RuleGrade("mine", "Ours", 2026, "A", "nothing")) == (
        "mine (2026): nothing, as far as the lesions show (no rule is met)"
    )


def test_the_grade_by_lesions_names_the_grade_and_how_likely_referral_is() -> None:
    grade = LesionGrade(2, (0.05, 0.12, 0.6, 0.2, 0.03), 0.83)
    assert lesion_grade_in_words(grade) == (
        "lesions alone: 2 moderate NPDR, referable with a probability of 83 %"
    )


def test_a_proliferative_grade_says_that_new_vessels_were_not_looked_for() -> None:
    grade = LesionGrade(4, (0.0, 0.0, 0.1, 0.3, 0.6), 1.0)
    assert lesion_grade_in_words(grade).endswith("; new vessels themselves are not looked for")


def test_a_photograph_too_small_for_every_kind_says_so() -> None:
    grade = LesionGrade(2, (0.05, 0.12, 0.6, 0.2, 0.03), 0.83)
    words = lesion_grade_in_words(grade, kind_assessed=False)
    assert words.endswith(
        "; from weak signs only: the photograph is too small to show any kind of lesion"
    )


@pytest.mark.parametrize("code", codes())
def test_a_report_says_so_too(code: str) -> None:
    words = language(code)
    grade = LesionGrade(4, (0.0, 0.0, 0.1, 0.3, 0.6), 1.0)
    shown = sentences.by_lesions(grade, words)
    assert sentences.by_lesions(grade, words, kind_assessed=False) == words.say(
        "by_lesions.no_kind", text=shown
    )
    assert shown != sentences.by_lesions(grade, words, kind_assessed=False)
