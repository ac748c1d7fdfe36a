from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from fundoscope.lesions.components import LEAST_PIXELS, components, subset

MAPS = arrays.arrays(
    np.uint8,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=12),
    elements=st.sampled_from([0, 0, 127, 128, 200, 255]),
)


def drawn(*lines: str) -> np.ndarray:
    """A map of surely lesion (#), half (+) and surely none (.)."""
    levels = {"#": 255, "+": 128, ".": 0}
    return np.array([[levels[letter] for letter in line] for line in lines], np.uint8)


def test_what_touches_at_a_corner_is_one_lesion() -> None:
    found = components(drawn("##...", "##...", "..##.", "....#", ".....", "###.."), 0.5)
    boxes = {tuple(box) for box in found.boxes.tolist()}
    assert boxes == {(0, 0, 5, 4), (0, 5, 3, 6)}
    assert sorted(found.areas.tolist()) == [3, 7]


def test_the_ends_of_two_rows_do_not_touch() -> None:
    found = components(drawn(".###", "....", "###."), 0.5)
    assert len(found.scores) == 2
    found = components(drawn("..###", "###.."), 0.5)  # the corner, and not around the edge
    assert len(found.scores) == 1
    assert len(components(drawn("...###", "......", "###..."), 0.5).scores) == 2
    assert len(components(drawn("#...##", "#...##"), 0.5).scores) == 1  # two pixels are a speck


def test_the_surest_comes_first_and_its_score_is_the_mean() -> None:
    found = components(drawn("++.##", "++.#+"), 0.5)
    assert found.boxes.tolist() == [[3, 0, 5, 2], [0, 0, 2, 2]]
    assert found.scores.tolist() == pytest.approx([(3 * 255 + 128) / 4 / 255, 128 / 255])


def test_the_level_says_what_belongs_to_a_lesion() -> None:
    shown = drawn("###+###")
    assert len(components(shown, 0.4).scores) == 1
    assert len(components(shown, 0.6).scores) == 2
    assert len(components(np.zeros((4, 5), np.uint8), 0.0).scores) == 0


def test_some_of_the_parts_in_an_order() -> None:
    found = components(drawn("###.+++.###"), 0.5)
    chosen = subset(found, np.array([2, 0]))
    assert chosen.boxes[:, 0].tolist() == [4, 0]
    assert chosen.areas.tolist() == [3, 3]


@given(MAPS)
def test_the_parts_are_those_of_an_image_of_labels(shown: np.ndarray) -> None:
    labels, count = ndimage.label(shown >= 128, np.ones((3, 3)))
    parts = [labels == number for number in range(1, count + 1)]
    wanted = sorted(
        (
            part.any(axis=0).argmax(),
            part.any(axis=1).argmax(),
            part.shape[1] - part.any(axis=0)[::-1].argmax(),
            part.shape[0] - part.any(axis=1)[::-1].argmax(),
            part.sum(),
            round(float(shown[part].mean()) / 255, 9),
        )
        for part in parts
        if part.sum() >= LEAST_PIXELS
    )
    found = components(shown, 0.5)
    rows = zip(found.boxes.tolist(), found.areas.tolist(), found.scores.tolist(), strict=True)
    assert sorted((*box, area, round(score, 9)) for box, area, score in rows) == wanted
    assert (np.diff(found.scores) <= 0).all()
