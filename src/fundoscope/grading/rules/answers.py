"""What a person knows of an eye beside its photograph: visual acuity, and answers to questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fundoscope import limits
from fundoscope.errors import UsageError
from fundoscope.grading.rules.rulesets import RuleSet
from fundoscope.quoting import quoted

ANSWERS: Final = {"yes": True, "no": False}
SNELLEN: Final = "/"
"""Stands between the two distances of a Snellen fraction, such as 6/12 and 20/40."""


def acuity(text: str) -> float:
    """A visual acuity as a decimal fraction.

    Args:
        text: a Snellen fraction such as ``"6/12"`` and ``"20/40"``, or a decimal such as ``"0.5"``.

    Raises:
        UsageError: it is neither, or not more than 0 and at most
            :data:`fundoscope.limits.MAX_ACUITY`.
    """
    top, mark, bottom = text.partition(SNELLEN)
    try:
        value = float(top) / (float(bottom) if mark else 1.0)
    except (ValueError, ZeroDivisionError):
        value = 0.0
    if not 0.0 < value <= limits.MAX_ACUITY:
        raise UsageError(
            f"the acuity {quoted(text)}",
            f"is not a number above 0 and up to {limits.MAX_ACUITY:g}",
            "write a fraction such as 6/12 or 20/40, or a decimal such as 0.5",
        )
    return value


def facts(given: Iterable[str], rulesets: Sequence[RuleSet]) -> Mapping[str, bool]:
    """The answers to the questions of some rule sets.

    Args:
        given: each ``"key=yes"`` or ``"key=no"``.
        rulesets: whose ``facts`` have the keys.

    Raises:
        UsageError: an answer is neither, no set asks that question, or it is answered both ways.
    """
    questions = {key for ruleset in rulesets for key in ruleset.facts}
    answers: dict[str, bool] = {}
    for each in given:
        key, _, answer = each.partition("=")
        if answer not in ANSWERS:
            raise UsageError(
                f"the answer {quoted(each)}",
                "is not a yes or no answer",
                "write KEY=yes or KEY=no",
            )
        if key not in questions:
            asked = ", ".join(sorted(questions)) or "nothing"
            raise UsageError(
                f"the answer {quoted(each)}",
                f"belongs to no question of these rule sets; they ask: {asked}",
                "list the questions with: fundoscope rules show NAME",
            )
        if answers.setdefault(key, ANSWERS[answer]) != ANSWERS[answer]:
            raise UsageError(
                f"the question {quoted(key)}",
                "is answered with yes and with no",
                "give one answer",
            )
    return answers
