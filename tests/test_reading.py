from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError, replace

import jsonschema
import msgspec
import pytest

from fundoscope.kinds import LESIONS
from fundoscope.reading import (
    NOT_ASSESSED_REASONS,
    Anatomy,
    FieldOfView,
    Grade,
    Lesion,
    LesionSummary,
    ModelUsed,
    OpticDisc,
    PhotoFacts,
    Quality,
    Reading,
    Referable,
    schema,
)

GRADED = Reading(
    photo=PhotoFacts("a.jpg", "0" * 64, 4288, 2848),
    field=FieldOfView(True, (1980.0, 1411.5), 1704.0, 1.0),
    quality=Quality(),
    grade=Grade(2, (0.1, 0.2, 0.5, 0.15, 0.05), 1.85, Referable(0.7, True, 0.4)),
    lesions=(Lesion("microaneurysm", (1.0, 2.0, 3.0, 4.0), 0.9),),
    models=(ModelUsed("grading", "grader", "1" * 64),),
    warnings=(),
    software="fundoscope 0",
    lesion_summary=(
        LesionSummary("microaneurysm", True, None, 1, 4.0, 2e-5),
        *(LesionSummary(kind, False, NOT_ASSESSED_REASONS[1]) for kind in LESIONS[1:]),
    ),
    anatomy=Anatomy(OpticDisc(True, (10.0, 20.0, 500.0, 530.0), (255.0, 275.0), 500.0, 0.99)),
)
REFUSED = replace(
    GRADED, field=FieldOfView(False, reason="no_disc"), grade=Grade(), warnings=("not found",)
)


@pytest.mark.parametrize("reading", [GRADED, REFUSED])
def test_a_reading_survives_json(reading: Reading) -> None:
    assert Reading.from_json(reading.to_json()) == reading


def test_a_reading_of_before_does_not_say_which_bundle_json() -> None:
    older = GRADED.to_dict()
    del older["models"][0]["bundle_sha256"]
    assert Reading.from_json(json.dumps(older)) == GRADED


@pytest.mark.parametrize("reading", [GRADED, REFUSED])
def test_json_is_of_the_published_schema(reading: Reading) -> None:
    jsonschema.validate(json.loads(reading.to_json()), schema())


def test_the_keys_that_others_rely_on() -> None:
    keys = json.loads(GRADED.to_json())
    assert keys["version"] == "fundoscope.reading/1"
    assert set(keys) == {
        "photo", "field", "quality", "grade", "lesions", "models", "warnings", "software",
        "lesion_summary", "anatomy", "version", "needs_reader", "rules", "oedema",
        "agreement", "familiar", "next_step", "heat", "lesion_grade",
    }  # fmt: skip
    assert set(keys["photo"]) >= {"name", "sha256", "width", "height"}
    assert set(keys["field"]) >= {"found", "centre", "radius", "stretch"}
    assert set(keys["quality"]) >= {"gradable", "reasons"}
    assert set(keys["grade"]) >= {"icdr", "probabilities", "expected", "referable"}
    assert set(keys["grade"]["referable"]) >= {"probability", "positive", "threshold"}
    assert set(keys["lesions"][0]) >= {"kind", "box", "score"}
    assert set(keys["lesion_summary"][0]) >= {
        "kind", "assessed", "reason", "count", "box_area", "box_area_discs",
    }  # fmt: skip
    assert set(keys["anatomy"]["disc"]) >= {"found", "box", "centre", "diameter", "score"}


def test_a_reading_of_the_time_before_lesions_still_loads() -> None:
    keys = json.loads(GRADED.to_json())
    del keys["lesion_summary"], keys["anatomy"]
    old = Reading.from_json(json.dumps(keys))
    assert old == replace(GRADED, lesion_summary=(), anatomy=Anatomy())
    assert old.anatomy.disc.found is None


def test_what_was_not_done_is_null_and_never_left_out() -> None:
    keys = json.loads(REFUSED.to_json())
    assert keys["grade"] == {
        "icdr": None, "probabilities": None, "expected": None, "referable": None,
        "set": None, "set_coverage": None, "abstained": None,
    }  # fmt: skip
    assert keys["field"]["centre"] is None
    assert keys["quality"] == {
        "gradable": None, "reasons": None, "scores": None, "score": None, "limit": None,
    }  # fmt: skip
    unseen = json.loads(GRADED.to_json())["lesion_summary"][-1]
    assert (unseen["assessed"], unseen["count"], unseen["box_area"]) == (False, None, None)


def test_json_is_one_line() -> None:
    assert not re.search(r"[\r\n]", GRADED.to_json())


def test_another_form_is_told_apart() -> None:
    with pytest.raises(msgspec.ValidationError):
        Reading.from_json('{"photo": 1}')


def test_a_reading_does_not_change() -> None:
    with pytest.raises(FrozenInstanceError):
        GRADED.software = "other"  # type: ignore[misc]


def test_the_field_is_the_unit_disc() -> None:
    field = FieldOfView(True, (100.0, 80.0), 60.0, 1.5)
    to_unit = field.to_unit()
    assert to_unit.point(100, 80) == (0, 0)
    assert to_unit.point(100, 140) == pytest.approx((0, 1))
    # Squeezed pixels are wider than tall, so the disc is narrower in stored pixels.
    assert to_unit.point(140, 80) == pytest.approx((1, 0))


def test_a_field_that_was_not_found_has_no_map() -> None:
    with pytest.raises(ValueError, match="no field of view"):
        FieldOfView(False, reason="no_disc").to_unit()
