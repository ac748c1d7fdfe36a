from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from fundoscope.evaluate.lesions import pixels, ranked

SHAPE = (30, 40)


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
    result = pixels.of_boxes(boxes, scores, mask)
    assert result.positives == mask.sum()
    for score, true, count in zip(result.score, result.true, result.count, strict=True):
        assert count == (each == score).sum()
        assert true == (mask & (each == score)).sum()
    ranking = ranked.rank([(result.score, result.true, result.count)], [result.positives])
    area = ranked.measure(ranking, np.ones((1, 1)), ranked.step_precision)
    assert area == pytest.approx(average_precision_score(mask.ravel(), each.ravel()))


@given(st.integers(0, 2**32))
def test_a_pixel_has_the_score_of_the_map(seed):
    random = np.random.default_rng(seed)
    photographs = []
    for shape in (SHAPE, SHAPE[::-1], (7, 9)):
        mask = random.uniform(size=shape) < random.choice([0.0, 0.1, 0.5])
        mask[0, 0] = True
        levels = random.integers(0, 256, shape) // random.integers(1, 64)
        photographs.append((np.clip(levels + 60 * mask, 0, 255).astype(np.uint8), mask))
    counts = [pixels.of_map(*each) for each in photographs]
    for each, (shown, mask) in zip(counts, photographs, strict=True):
        assert (np.diff(each.score) < 0).all()
        assert each.positives == mask.sum()
        for score, true, count in zip(each.score, each.true, each.count, strict=True):
            assert (true, count) == (
                (shown[mask] == score * 255).sum(),
                (shown == score * 255).sum(),
            )
    # All pixels of all photographs together, as scikit-learn has them; the second counts twice.
    ranking = ranked.rank(
        [(c.score, c.true, c.count) for c in counts], [c.positives for c in counts]
    )
    area = ranked.measure(ranking, np.array([[1.0, 2.0, 1.0]]), ranked.step_precision)
    shown, masks = (
        np.concatenate([photographs[i][part].ravel() for i in (0, 1, 1, 2)]) for part in (0, 1)
    )
    assert area == pytest.approx(average_precision_score(masks, shown))


def test_boxes_are_rounded_to_pixels():
    result = pixels.of_boxes(
        np.array([[1.4, 1.6, 3.4, 3.6]]), np.array([0.5]), np.zeros(SHAPE, bool)
    )
    assert dict(zip(result.score.tolist(), result.count.tolist(), strict=True)) == {
        0.5: 4.0,
        pixels.UNCOVERED: 1196.0,
    }
