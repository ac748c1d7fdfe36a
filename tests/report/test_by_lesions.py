"""What lesions support, in words."""

from __future__ import annotations

from fundoscope.opinions import FiredRule, LesionGrade, OpenRule, RuleGrade
from fundoscope.report.by_lesions import lesion_grade_in_words, rules_in_words


def test_a_rule_set_s_grade_in_words() -> None:
    grade = RuleGrade(
        "mine", "Ours", 2026, "B", "something", recall="3 months",
        fired=(FiredRule("a", "A", "an old scar"), FiredRule("b", "B", "three haemorrhages", (1,))),
        open=(OpenRule("c", "C", "new vessels", ("neovascularisation", "acuity")),), highest="C",
    )  # fmt: skip
    assert rules_in_words(grade) == (
        "mine (2026): at least something (three haemorrhages); next examination: 3 months;"
        " cannot tell: acuity, neovascularisation"
    )
    assert rules_in_words(RuleGrade("mine", "Ours", 2026, "A", "nothing")) == (
        "mine (2026): at least nothing (no rule is met)"
    )


def test_the_grade_by_lesions_names_the_grade_and_how_likely_referral_is() -> None:
    grade = LesionGrade(2, (0.05, 0.12, 0.6, 0.2, 0.03), 0.83)
    assert lesion_grade_in_words(grade) == (
        "lesions alone: 2 moderate NPDR, referable with a probability of 83 %"
    )


def test_a_proliferative_grade_says_that_new_vessels_were_not_looked_for() -> None:
    grade = LesionGrade(4, (0.0, 0.0, 0.1, 0.3, 0.6), 1.0)
    assert lesion_grade_in_words(grade).endswith("; new vessels themselves are not looked for")
