from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import average_precision_score

from fundoscope.errors import PhotoError
from fundoscope.evaluate import pixels, ranked

SHAPE = (30, 40)


def save(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(mask, bool)).save(path)


@given(st.integers(0, 2**32))
def test_a_pixel_has_the_score_of_the_best_box_over_it(seed):
    random = np.random.default_rng(seed)
    corner = random.integers(-5, 40, (random.integers(0, 12), 2))
    boxes = np.concatenate([corner, corner + random.integers(1, 20, corner.shape)], 1).astype(float)
    scores = random.integers(1, 6, len(boxes)) / 8
    mask = random.uniform(size=SHAPE) < 0.2
    mask[0, 0] = True
    each = np.full(SHAPE, pixels.UNCOVERED)
    for (x0, y0, x1, y1), score in zip(np.clip(boxes, 0, None).astype(int), scores, strict=True):
        each[y0:y1, x0:x1] = np.maximum(each[y0:y1, x0:x1], score)
    found = pixels.count(boxes, scores, mask)
    assert found.positives == mask.sum()
    for score, true, count in zip(found.score, found.true, found.count, strict=True):
        assert count == (each == score).sum()
        assert true == (mask & (each == score)).sum()
    ranking = ranked.rank([(found.score, found.true, found.count)], [found.positives])
    area = ranked.measure(ranking, np.ones((1, 1)), ranked.step_precision)
    assert area == pytest.approx(average_precision_score(mask.ravel(), each.ravel()))


def test_boxes_are_rounded_to_pixels():
    found = pixels.count(np.array([[1.4, 1.6, 3.4, 3.6]]), np.array([0.5]), np.zeros(SHAPE, bool))
    assert dict(zip(found.score.tolist(), found.count.tolist(), strict=True)) == {
        0.5: 4.0,
        pixels.UNCOVERED: 1196.0,
    }


def test_masks_are_found_by_the_names_of_their_photographs(tmp_path):
    for name in ("IDRiD_01_MA", "IDRiD_01_OD", "IDRiD_02_EX"):
        save(tmp_path / "masks" / f"{name}.png", np.ones(SHAPE))
    wanted = ["IDRiD_01.jpg", "IDRiD_03.jpg", "deep/IDRiD_02.jpg"]
    found = pixels.masks_of(tmp_path / "masks", tmp_path / "images", wanted)
    assert {image: set(kinds) for image, kinds in found.items()} == {
        "IDRiD_01.jpg": {"microaneurysm", "optic_disc"},
        "deep/IDRiD_02.jpg": {"hard_exudate"},
    }


def test_a_kind_without_a_mask_is_not_there(tmp_path):
    assert not pixels.read((), SHAPE).any()
    one, two = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    one[:5], two[3:9] = True, True
    save(tmp_path / "a.png", one)
    save(tmp_path / "b.png", two)
    assert pixels.read((tmp_path / "a.png", tmp_path / "b.png"), SHAPE).sum() == 9 * 40
    with pytest.raises(PhotoError):
        pixels.read((tmp_path / "c.png",), SHAPE)
