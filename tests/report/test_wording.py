"""Readings in words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.kinds import KINDS, LESIONS
from fundoscope.opinions import MacularOedema
from fundoscope.quoting import printable
from fundoscope.reading import (
    NEEDS_READER_REASONS,
    NO_FIELD_REASONS,
    NOT_ASSESSED_REASONS,
    Anatomy,
    FieldOfView,
    Fovea,
    Grade,
    Lesion,
    LesionSummary,
    ModelUsed,
    NextStep,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
)
from fundoscope.report.kind_names import SHORT_NAMES, kind_in_words
from fundoscope.report.wording import (
    NEEDS_READER,
    NotAssessed,
    certainty,
    certainty_in_words,
    lesions_in_words,
    listed,
    listed_over,
    not_assessed,
    oedema_in_words,
    percent,
    probability_in_words,
    reader_needed,
    short_percent,
    summary,
    why_not_assessed,
    why_not_graded,
    why_unlike_grade,
)

GRADED = Reading(
    PhotoFacts("a.jpg", "0" * 64, 100, 100),
    FieldOfView(True, (50.0, 50.0), 45.0, 1.0),
    Quality(),
    Grade(2, (0.1, 0.1, 0.61, 0.1, 0.09), 1.9, Referable(0.8, True, 0.4)),
    (),
    (ModelUsed("grading", "g", "0" * 64),),
    (),
    "fundoscope test",
)
UNGRADED = replace(GRADED, grade=Grade())


def test_a_graded_reading_on_one_line() -> None:
    assert summary(GRADED) == "referable (probability 0.80), 2 moderate NPDR, certainty 61 %"
    assert why_not_graded(GRADED) is None


def test_warnings_stand_behind() -> None:
    assert summary(replace(GRADED, warnings=("first", "sec\nond"))).endswith("; first; sec\\nond")


def test_not_referable_is_said() -> None:
    grade = replace(GRADED.grade, icdr=0, referable=Referable(0.05, False, 0.4))
    assert "0 no apparent retinopathy" in summary(replace(GRADED, grade=grade))
    assert "not referable (probability 0.05)" in summary(replace(GRADED, grade=grade))


def test_certainty_is_the_probability_of_the_grade_that_was_given() -> None:
    assert certainty(GRADED.grade) == 0.61
    assert certainty(Grade()) is None
    assert certainty(Grade(icdr=2)) is None


def test_a_likelier_grade_than_the_one_that_was_given_is_named() -> None:
    assert certainty_in_words(GRADED.grade) == "61 %"
    assert certainty_in_words(Grade()) == ""
    severe = Grade(4, (0.0, 0.0, 0.01, 0.89, 0.1), 3.09, Referable(1.0, True, 0.4))
    assert certainty_in_words(severe) == "10 % (3 is likelier: 89 %)"
    assert "4 PDR, certainty 10 % (3 is likelier: 89 %)" in summary(replace(GRADED, grade=severe))
    even = replace(severe, icdr=4, probabilities=(0.0, 0.0, 0.0, 0.5, 0.5))
    assert certainty_in_words(even) == "50 %"


@pytest.mark.parametrize(
    ("grade", "sentence"),
    [
        (Grade(1, (0.1, 0.49, 0.41, 0, 0), 1.3, Referable(0.41, True, 0.37)),
         "mild is likeliest; moderate or worse has 41 %, and from 37 % on it is referred"),
        (Grade(0, (0.5, 0, 0, 0, 0.5), 2.0, Referable(0.5, True, 0.37)),
         "no retinopathy is likeliest; moderate or worse has 50 %, and from 37 % on it is"
         " referred"),
        (Grade(2, (0.3, 0.3, 0.4, 0, 0), 1.1, Referable(0.4, False, 0.55)),
         "moderate is likeliest; moderate or worse has 40 %, and it is referred only from 55 % on"),
        (Grade(1, (0.1, 0.5, 0.4, 0, 0), 1.3, Referable(0.3702, True, 0.37)),
         "mild is likeliest; moderate or worse has 37.02 %, and from 37.00 % on it is referred"),
    ],
)  # fmt: skip
def test_a_grade_that_does_not_fit_referable_says_why(grade: Grade, sentence: str) -> None:
    assert why_unlike_grade(grade) == sentence
    assert sentence in summary(replace(GRADED, grade=grade))


PROBABILITIES = st.lists(st.floats(0.001, 1), min_size=5, max_size=5).map(
    lambda weights: tuple(weight / sum(weights) for weight in weights)
)


@given(PROBABILITIES, st.floats(0, 1))
def test_a_grade_and_referable_agree_or_the_line_says_why(
    p: tuple[float, float, float, float, float], threshold: float
) -> None:
    icdr, probability = p.index(max(p)), sum(p[2:])
    grade = Grade(icdr, p, 2.0, Referable(probability, probability >= threshold, threshold))
    agree = (icdr >= 2) == (probability >= threshold)
    assert (why_unlike_grade(grade) == "") == agree
    line = summary(replace(GRADED, grade=grade))
    assert line.startswith("referable" if probability >= threshold else "not referable")
    assert "likelier" not in line
    assert ("likeliest" in line) != agree


def test_nothing_uncertain_is_said_to_be_certain() -> None:
    assert percent(1.0) == "more than 99 %"
    assert percent(0.999) == "more than 99 %"
    assert percent(0.001) == "less than 1 %"
    assert percent(0.0) == "less than 1 %"  # where two outputs of the network cross


def test_why_a_person_should_look_is_said() -> None:
    odd = replace(GRADED, needs_reader=("lesions_unlike_grade", "a_new_code"))
    assert reader_needed(odd) == (
        "the lesions do not fit the grade: a person should look",
        "a person should look at this photograph",
    )
    assert "; the lesions do not fit the grade: a person should look; " in summary(odd)
    assert set(NEEDS_READER) == set(NEEDS_READER_REASONS)


def test_a_photograph_that_is_too_poor_is_taken_again_before_a_person_looks() -> None:
    step = NextStep("retake", "not_gradable", "the photograph is too poor to be graded")
    poor = replace(UNGRADED, needs_reader=("not_gradable", "unfamiliar"), next_step=step)
    assert reader_needed(poor) == (NEEDS_READER["not_gradable"],)
    line = summary(poor)
    assert "if a new one is no better, a person should look" in line
    assert line.count("person") == 1
    assert line.endswith("next: take another photograph")


@pytest.mark.parametrize("reason", [*NO_FIELD_REASONS, None, "a_new_one"])
def test_every_reason_for_no_field_has_a_sentence_and_a_remedy(reason: str | None) -> None:
    cause = why_not_graded(replace(UNGRADED, field=FieldOfView(False, reason=reason)))
    assert cause is not None
    assert cause.code == (reason or "no_disc")
    assert cause.reason
    assert cause.remedy


def test_low_quality_and_other_causes() -> None:
    blurred = why_not_graded(replace(UNGRADED, quality=Quality(False, ("blurred", "dark"))))
    assert blurred is not None
    assert (blurred.code, blurred.reason) == ("not_gradable", "is not gradable (blurred, dark)")
    dark = why_not_graded(replace(UNGRADED, quality=Quality(False, ("too_dark",))))
    assert dark is not None
    assert (dark.reason, dark.remedy[:9]) == ("is too dark", "retake it")
    small = why_not_graded(replace(UNGRADED, warnings=("too small",)))
    assert small is not None
    assert (small.code, small.reason) == ("no_grade", "was not graded (too small)")
    cause = "not graded: the field of view is too small (radius 60 pixels); give the original"
    small = why_not_graded(replace(UNGRADED, warnings=("its transparency was ignored", cause)))
    assert small is not None
    assert small.reason == "was not graded: the field of view is too small (radius 60 pixels)"
    assert small.remedy == "give the original"
    unsaid = why_not_graded(UNGRADED)
    assert unsaid is not None
    assert unsaid.reason == "was not graded"


def with_summary(*entries: LesionSummary, unknown: str = "unknown_to_detector") -> Reading:
    """A reading with these entries, and all other kinds not assessed."""
    given = {one.kind: one for one in entries}
    summary = tuple(given.get(kind, LesionSummary(kind, False, unknown)) for kind in LESIONS)
    return replace(GRADED, lesion_summary=summary)


def found(kind: str, count: int) -> LesionSummary:
    return LesionSummary(kind, True, None, count, 10.0 * count)


TOO_SMALL = LesionSummary("microaneurysm", False, "photograph_too_small")


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "<1 %"), (0.003, "<1 %"), (0.36, "36 %"), (0.998, ">99 %"), (1.0, ">99 %")],
)
def test_a_small_share_is_not_none(share: float, words: str) -> None:
    assert short_percent(share) == words


def test_lesions_that_are_not_drawn_are_counted_in_words() -> None:
    haemorrhages = replace(found("haemorrhage", 0), withheld=3)
    exudate = replace(found("hard_exudate", 0), withheld=1)
    words = lesions_in_words(with_summary(haemorrhages, exudate, found("soft_exudate", 0)))
    assert words == (
        "no soft exudates found, 3 possible haemorrhages, 1 possible hard exudate not drawn"
        " (together not enough to tell this eye from a healthy one)"
    )
    drawn = replace(found("haemorrhage", 2), withheld=0)
    assert "possible" not in lesions_in_words(with_summary(drawn))


def test_what_is_never_assessed() -> None:
    assert [str(one) for one in not_assessed(GRADED)] == [
        "image quality", "lesions", "macular oedema",
    ]  # fmt: skip
    judged = replace(GRADED, quality=Quality(True, ()))
    assert [one.what for one in not_assessed(judged)] == ["lesions", "macular oedema"]


def test_lesions_without_a_detector_or_a_field_are_listed_together() -> None:
    without = not_assessed(with_summary(unknown="no_detector"))
    assert "lesions" in map(str, without)
    no_field = not_assessed(with_summary(unknown="no_field"))
    assert "lesions (no field of view)" in map(str, no_field)


def test_kinds_that_could_not_be_seen_are_listed_one_by_one_with_the_reason() -> None:
    listed_apart = list(map(str, not_assessed(with_summary(TOO_SMALL, found("haemorrhage", 0)))))
    assert "microaneurysms (photograph too small)" in listed_apart
    assert "laser scars (this detector does not find them)" in listed_apart
    assert "neovascularisation (this detector does not find them)" in listed_apart
    assert not any(one.startswith("haemorrhages") for one in listed_apart)
    assert len(listed_apart) == len(LESIONS) - 1 + 2


@pytest.mark.parametrize("reason", [*NOT_ASSESSED_REASONS, None, "a_new_one"])
def test_every_reason_has_words(reason: str | None) -> None:
    words = why_not_assessed(LesionSummary("irma", False, reason))
    assert bool(words) == (reason not in ("no_detector", None))
    assert "_" not in words


def test_what_has_one_reason_stands_together() -> None:
    missing = (
        NotAssessed("image quality"),
        NotAssessed("microaneurysms", "photograph too small"),
        NotAssessed("laser scars", "unknown"),
        NotAssessed("soft exudates", "photograph too small"),
        NotAssessed("macular oedema"),
    )
    assert listed(missing) == (
        "image quality; microaneurysms, soft exudates (photograph too small);"
        " laser scars (unknown); macular oedema"
    )


def test_over_many_photographs_it_is_said_on_how_many() -> None:
    counts = {
        NotAssessed("macular oedema"): 5,
        NotAssessed("microaneurysms", "photograph too small"): 2,
        NotAssessed("image quality"): 1,
    }
    assert listed_over(counts, 5) == (
        "macular oedema; microaneurysms (photograph too small, on 2 of 5);"
        " image quality (on 1 of 5)"
    )


def test_lesions_stand_in_the_summary_as_words() -> None:
    reading = with_summary(
        found("microaneurysm", 12),
        found("haemorrhage", 1),
        found("hard_exudate", 0),
        found("soft_exudate", 0),
    )
    assert summary(reading).endswith(
        "; 12 microaneurysms, 1 haemorrhage, no hard exudates or soft exudates found"
    )


def test_none_is_never_said_out_of_blindness() -> None:
    reading = with_summary(TOO_SMALL, found("haemorrhage", 0))
    assert summary(reading).endswith(
        "; no haemorrhages found; not assessed: microaneurysms (photograph too small)"
    )
    blind = summary(with_summary(unknown="no_detector"))
    assert blind == summary(GRADED)
    assert " found" not in blind


def test_a_reading_of_an_older_version_still_counts_its_lesions() -> None:
    old = replace(GRADED, lesions=(Lesion("irma", (0.0, 0.0, 1.0, 1.0), 0.5),) * 2)
    assert lesions_in_words(old) == "2 intraretinal microvascular abnormalities"


@pytest.mark.parametrize(
    ("kind", "one", "several", "of_all"),
    [
        ("haemorrhage", "haemorrhage", "haemorrhages", "haemorrhages"),
        (
            "neovascularisation",
            "area of neovascularisation",
            "areas of neovascularisation",
            "neovascularisation",
        ),
        (
            "venous_beading",
            "stretch of venous beading",
            "stretches of venous beading",
            "venous beading",
        ),
        ("Drusen", "Drusen", "Drusen", "Drusen"),
    ],
)
def test_kinds_in_words(kind: str, one: str, several: str, of_all: str) -> None:
    assert [kind_in_words(kind, n) for n in (1, 3, 0)] == [one, several, of_all]


def test_every_kind_has_a_short_name_of_its_own() -> None:
    assert set(SHORT_NAMES) == set(KINDS)
    assert len(set(SHORT_NAMES.values())) == len(KINDS)


@given(st.text())
def test_printable_is_one_line_that_steers_no_terminal(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1
    if text.isprintable():
        assert shown == text


def test_macular_oedema_in_words() -> None:
    possible = replace(GRADED, oedema=MacularOedema("possible", 0.43))
    assert oedema_in_words(possible) == (
        "macular oedema: possible, exudates 0.4 disc diameters from the fovea"
    )
    assert "macular oedema: possible" in summary(possible)
    for close in (0.0, 0.04):
        on_it = replace(GRADED, oedema=MacularOedema("possible", close))
        assert oedema_in_words(on_it) == "macular oedema: possible, exudates on the fovea"
    usual_place = Fovea("estimated", (1.0, 1.0), error=0.8)
    estimated = replace(possible, anatomy=Anatomy(fovea=usual_place))
    assert oedema_in_words(estimated).endswith("from the fovea, whose place is estimated")
    for state in (None, "no_exudates_near", "cannot_tell"):
        assert oedema_in_words(replace(GRADED, oedema=MacularOedema(state, 2.0))) == ""


@pytest.mark.parametrize(
    ("oedema", "listed_as"),
    [
        (MacularOedema(), ["macular oedema"]),
        (MacularOedema("possible", 0.4), []),
        (MacularOedema("no_exudates_near", None), []),
        (MacularOedema("cannot_tell", None, "not_assessed"), ["macular oedema"]),
        (
            MacularOedema("cannot_tell", None, "fovea"),
            ["macular oedema (the place of the fovea is not certain enough)"],
        ),
    ],
)
def test_macular_oedema_is_listed_where_it_was_not_assessed(
    oedema: MacularOedema, listed_as: list[str]
) -> None:
    missing = map(str, not_assessed(replace(GRADED, oedema=oedema)))
    assert [each for each in missing if each.startswith("macular")] == listed_as


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.834, "0.83"),
        (0.996, "more than 0.99"),
        (0.004, "less than 0.01"),
        (0.994, "0.99"),
        (1.0, "more than 0.99"),
        (0.0, "less than 0.01"),
    ],
)
def test_a_probability_is_not_rounded_to_certainty(value: float, words: str) -> None:
    assert probability_in_words(value) == words
