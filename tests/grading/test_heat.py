"""Where the grader looked: a map of the field's square, only when it is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fundoscope import phantom
from fundoscope.errors import UsageError
from fundoscope.grading import grader, heads, heat
from fundoscope.grading.inputs import SQUASH, Input
from fundoscope.phantom import PhantomSpec
from fundoscope.reader import Reader
from fundoscope.reading import Reading


@pytest.fixture(scope="module")
def eye() -> np.ndarray:
    return phantom.draw(PhantomSpec(seed=3, width=400, height=300))[0]


def test_a_reading_has_a_map_when_it_is_asked_for(eye: np.ndarray) -> None:
    reading = Reader(lesions=False, heat_map=True).read(eye)
    plain = Reader(lesions=False).read(eye)
    assert plain.heat is None
    assert reading.heat is not None
    assert len(reading.heat.values) == len(reading.heat.values[0]) == 13  # 416 px / 32
    assert replace(reading, heat=None) == plain
    assert Reading.from_json(reading.to_json()) == reading


def test_without_a_field_there_is_no_map() -> None:
    black = np.zeros((300, 300, 3), np.uint8)
    assert Reader(lesions=False, heat_map=True).read(black).heat is None


def test_a_grader_of_whole_frames_gives_no_map() -> None:
    squashed = replace(grader.load(), input=Input(SQUASH, 320, 320))
    assert not heat.available(squashed)
    assert heat.heat(squashed, np.zeros((320, 320, 3), np.uint8)) is None
    with pytest.raises(UsageError, match="gives no heat map"):
        Reader(squashed, lesions=False, heat_map=True)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (heads.CUMULATIVE, 20.0),
        (heads.CORN, 20.0),
        (heads.SOFTMAX, 40.0 - 15.0),
        ("regression", 10),
    ],
)
def test_referable_is_grade_two_or_more(head: str, expected: float) -> None:
    shares = np.full((heads.OUTPUTS[head], 2, 2), 10.0, np.float32)
    shares *= np.arange(1, len(shares) + 1)[:, None, None]
    np.testing.assert_allclose(heat.referable(shares, head), expected)
