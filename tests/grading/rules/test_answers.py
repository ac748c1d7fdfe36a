"""Visual acuity and answers of a person."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.errors import UsageError
from fundoscope.grading.rules import answers, rulesets

US = rulesets.shipped("etdrs-us")
KEY = next(iter(US.facts))


@pytest.mark.parametrize(
    ("text", "decimal"),
    [("6/12", 0.5), ("20/40", 0.5), ("6/6", 1.0), ("0.5", 0.5), ("20/200", 0.1)],
)
def test_fractions_of_metres_and_feet_and_decimals_are_one_scale(text: str, decimal: float) -> None:
    assert answers.acuity(text) == pytest.approx(decimal)


@pytest.mark.parametrize("text", ["", "6/0", "0", "-1", "good", "6/6/6", "nan", "inf", "600/6"])
def test_what_is_no_acuity_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write a fraction such as 6/12"):
        answers.acuity(text)


@given(st.text(max_size=12))
def test_any_text_is_an_acuity_or_refused(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert 0.0 < answers.acuity(text) <= 3.0


def test_a_question_has_one_answer() -> None:
    assert answers.facts([f"{KEY}=yes", f"{KEY}=yes"], [US]) == {KEY: True}
    with pytest.raises(UsageError, match="is answered with yes and with no"):
        answers.facts([f"{KEY}=yes", f"{KEY}=no"], [US])


def test_questions_are_answered_by_yes_and_no() -> None:
    assert answers.facts([f"{KEY}=yes"], [US]) == {KEY: True}
    assert answers.facts([f"{KEY}=no"], [US]) == {KEY: False}
    assert answers.facts([], [US]) == {}


@pytest.mark.parametrize("given_fact", [KEY, f"{KEY}=", f"{KEY}=maybe"])
def test_another_answer_is_refused(given_fact: str) -> None:
    with pytest.raises(UsageError, match="is not a yes or no answer"):
        answers.facts([given_fact], [US])


def test_a_question_that_no_set_asks_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=KEY):
        answers.facts(["stable=yes"], [US])
    with pytest.raises(UsageError, match="they ask: nothing"):
        answers.facts(["stable=yes"], [rulesets.shipped("icdr")])
