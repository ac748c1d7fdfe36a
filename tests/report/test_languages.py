"""The texts of reports and of the page, in every language."""

from __future__ import annotations

import json
import string
from importlib import resources

import pytest

from fundoscope.errors import UsageError
from fundoscope.grading.oedema import NOT_ASSESSED, REASONS
from fundoscope.kinds import KINDS
from fundoscope.photo.reasons import NO_FIELD
from fundoscope.quality import QUALITY_REASONS
from fundoscope.reading import (
    AGREEMENTS,
    EYES,
    NEEDS_READER_REASONS,
    NEXT_STEPS,
    NOT_ASSESSED_REASONS,
)
from fundoscope.report.kind_names import kind_in_words
from fundoscope.report.languages import ENGLISH, codes, language
from fundoscope.report.wording import GRADE_NAMES, WHY_NO_OEDEMA, apart, percent


def texts(code: str) -> dict[str, str]:
    file = resources.files("fundoscope.report.languages") / f"{code}.json"
    read: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return read


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("code", codes())
def test_every_language_has_every_text_with_the_same_places_for_values(code: str) -> None:
    english, own = texts(ENGLISH), texts(code)
    assert own.keys() == english.keys()
    assert {key: places(own[key]) for key in own} == {key: places(english[key]) for key in own}


def test_english_and_chinese_are_there() -> None:
    assert {"en", "zh"} <= set(codes())


@pytest.mark.parametrize(
    ("section", "keys"),
    [
        ("grade", range(5)),
        ("kind", KINDS),
        ("eye", EYES),
        ("step", NEXT_STEPS),
        ("quality", QUALITY_REASONS),
        ("no_field", NO_FIELD),
        ("missing", NOT_ASSESSED_REASONS),
        ("agreement", AGREEMENTS),
        ("why", NEEDS_READER_REASONS),
        ("no_oedema", (NOT_ASSESSED, *REASONS)),
    ],
)
def test_every_code_of_a_reading_has_a_text(section: str, keys: object) -> None:
    assert {f"{section}.{key}" for key in keys} <= texts(ENGLISH).keys()  # type: ignore[attr-defined]


def test_english_texts_are_those_of_the_command_line() -> None:
    english = language()
    assert [english.say(f"grade.{icdr}") for icdr in range(5)] == list(GRADE_NAMES)
    assert [english.say(f"kind.{kind}") for kind in KINDS if kind not in ("optic_disc", "fovea")]
    for kind in KINDS:
        if not KINDS[kind].anatomy:
            assert english.say(f"kind.{kind}") == kind_in_words(kind, 0)
    for share in (0.0, 0.001, 0.3, 0.999, 1.0):
        assert english.percent(share) == percent(share)
    for reason, why in WHY_NO_OEDEMA.items():
        assert english.say(f"no_oedema.{reason}") == why


@pytest.mark.parametrize(
    ("share", "limit", "written"),
    [
        (0.3702, 0.37, ("37.02 %", "37.00 %")),
        (0.9999, 0.996, ("99.99 %", "99.60 %")),
        (0.99997, 0.9997, ("more than 99 %", "more than 99 %")),
        (0.00002, 0.0004, ("less than 1 %", "less than 1 %")),
    ],
)
def test_no_probability_beside_its_limit_is_0_or_100(
    share: float, limit: float, written: tuple[str, str]
) -> None:
    assert apart(share, limit) == written
    assert language().apart(share, limit) == written


def test_a_code_of_a_later_version_is_shown_in_words() -> None:
    assert language().say("quality.lens_flare") == "lens flare"


def test_an_unknown_language_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"'xx': is unknown; choose one of .*en.*zh"):
        language("xx")
