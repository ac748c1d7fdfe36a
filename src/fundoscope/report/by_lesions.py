"""What the lesions of a photograph support, in words: by published rules, and by a fitted model."""

from __future__ import annotations

from typing import Final

from fundoscope.kinds import KINDS
from fundoscope.opinions import LesionGrade, RuleGrade
from fundoscope.report.kind_names import kind_in_words
from fundoscope.report.wording import grade_in_words, percent

PROLIFERATIVE: Final = 4
MISSING: Final = {
    "fovea": "the place of the fovea",
    "optic_disc": "the optic disc",
    "edge": "the retina around the fovea",
    "withheld": "lesions that are not drawn",
    "macula": "the area of exudates in the macula",
}
"""Words for what is missing to decide a rule; those of other codes are the codes themselves."""
NO_RULE: Final = "as far as the lesions show (no rule is met)"
"""What follows the mildest level of a rule set, which holds where no rule is met."""
WEAK: Final = "from weak signs only: the photograph is too small to show any kind of lesion"
"""What is added where no kind was assessed."""
UNSEEN: Final = "new vessels themselves are not looked for"
"""What is added to a grade that new vessels define."""


def rules_in_words(grade: RuleGrade) -> str:
    """Say what a rule set gives, and why: ``"icdr (2003): at least moderate NPDR (…)"``.

    Where no rule is met, the mildest level is no finding: ``"icdr (2003): no apparent retinopathy,
    as far as the lesions show (no rule is met)"``.

    Args:
        grade: of a rule set.
    """
    why = "; ".join(rule.title for rule in grade.fired if rule.level == grade.level)
    level = f"at least {grade.name} ({why})" if why else f"{grade.name}, {NO_RULE}"
    missing = sorted({each for rule in grade.open for each in rule.missing})
    unknown = f"; cannot tell: {', '.join(map(_missing_in_words, missing))}" if missing else ""
    recall = f"; next examination at that level: {grade.recall}" if grade.recall else ""
    return f"{grade.ruleset} ({grade.year}): {level}{recall}{unknown}"


def lesion_grade_in_words(grade: LesionGrade, *, kind_assessed: bool = True) -> str:
    """Say which grade the lesions alone look like.

    E.g. ``"lesions alone: 2 moderate NPDR, referable with a probability of 83 %"``.

    Args:
        grade: by the lesions.
        kind_assessed: whether any kind of lesion was assessed on its own.
    """
    probability = percent(grade.referable_probability)
    words = f"{grade_in_words(grade.icdr)}, referable with a probability of {probability}"
    unseen = f"; {UNSEEN}" if grade.icdr == PROLIFERATIVE else ""
    weak = "" if kind_assessed else f"; {WEAK}"
    return f"lesions alone: {words}{unseen}{weak}"


def _missing_in_words(key: str) -> str:
    if key in MISSING:
        return MISSING[key]
    return kind_in_words(key, 0) if key in KINDS else key.replace("_", " ")
