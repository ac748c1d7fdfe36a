"""What may be asked of a phantom, and its truth as JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope import kinds
from fundoscope.errors import UsageError
from fundoscope.phantom.spec import PhantomSpec, TrueDisc, TrueField, TrueLesion, Truth

PIXELS = st.floats(0, 6000)
POINTS = st.tuples(PIXELS, PIXELS)
TRUTHS = st.builds(
    Truth,
    seed=st.integers(0, 2**31),
    width=st.integers(224, 6000),
    height=st.integers(224, 6000),
    grade=st.integers(0, 4),
    eye=st.sampled_from(["left", "right"]),
    field=st.builds(
        TrueField,
        centre=POINTS,
        radius=PIXELS,
        stretch=st.floats(0.5, 2),
        shape=st.just(("clipped", "notch")),
        clipped=st.booleans(),
    ),
    optic_disc=st.builds(TrueDisc, centre=POINTS, radius=PIXELS),
    fovea=POINTS,
    lesions=st.lists(
        st.builds(
            TrueLesion,
            kind=st.sampled_from(kinds.LESIONS),
            box=st.tuples(PIXELS, PIXELS, PIXELS, PIXELS),
        ),
        max_size=3,
    ).map(tuple),
)


@given(TRUTHS)
def test_truth_survives_its_json(truth: Truth) -> None:
    assert Truth.from_json(truth.to_json()) == truth


def test_truth_is_plain_json() -> None:
    truth = Truth(
        1, 640, 480, 1, "left",
        TrueField((320.0, 240.0), 230.0, 1.0, ("full",), False),
        TrueDisc((150.0, 230.0), 35.0), (330.0, 245.0),
        (TrueLesion("microaneurysm", (10.5, 11.0, 14.0, 14.25)),),
    )  # fmt: skip
    plain = json.loads(truth.to_json())
    assert plain["field"]["centre"] == [320.0, 240.0]
    assert plain["lesions"] == [{"kind": "microaneurysm", "box": [10.5, 11.0, 14.0, 14.25]}]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seed": 1}'])
def test_other_json_is_no_truth(text: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        Truth.from_json(text)


def test_the_map_to_the_unit_circle_undoes_the_squash() -> None:
    field = TrueField((100.0, 80.0), 60.0, 1.5, ("full",), False)
    assert field.to_unit().point(100.0 + 40.0, 80.0) == pytest.approx((1.0, 0.0))
    assert field.to_unit().point(100.0, 80.0 - 60.0) == pytest.approx((0.0, -1.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": -1},
        {"width": 0},
        {"width": 200, "height": 200},
        {"width": 6001, "height": 4000},
        {"width": 1000, "height": 300},
        {"grade": 5},
        {"grade": -1},
        {"eye": "third"},
        {"shape": ("round",)},
        {"shape": ("full", "clipped")},
        {"stretch": 0.0},
        {"stretch": 2.5},
        {"stretch": float("nan")},
    ],
)
def test_what_cannot_be_drawn_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        PhantomSpec(**wrong)
    assert str(caught.value).startswith(f"phantom {next(iter(wrong)).replace('width', 'size')}")


def test_a_spec_without_a_framing_word_is_full() -> None:
    assert PhantomSpec(shape=("notch",)).framing == "full"
    assert PhantomSpec(shape=("notch", "clipped")).framing == "clipped"
