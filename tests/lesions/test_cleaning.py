"""Each lesion is kept once, however many boxes a photograph has (the rest is in test_discs.py)."""

from __future__ import annotations

import numpy as np

from fundoscope.lesions import cleaning
from fundoscope.reading import FieldOfView, Lesion, OpticDisc

FIELD = FieldOfView(True, (300.0, 300.0), 290.0, stretch=1.0)
KINDS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
NO_DISC = OpticDisc(found=False)


def crowd(count: int) -> list[Lesion]:
    """Boxes of all kinds, highest score first, most of them on top of others."""
    drawn = np.random.default_rng(5)
    corners, sides = drawn.uniform(250, 330, (count, 2)), drawn.uniform(4, 40, (count, 2))
    boxes = np.hstack([corners, corners + sides]).tolist()
    scores = np.sort(drawn.uniform(0, 1, count))[::-1]
    kinds = drawn.choice(KINDS, count)
    return [
        Lesion(str(kind), (x0, y0, x1, y1), float(score))
        for kind, (x0, y0, x1, y1), score in zip(kinds, boxes, scores, strict=True)
    ]


def test_a_box_is_kept_unless_a_better_one_that_is_kept_shows_the_same_lesion() -> None:
    kept: list[Lesion] = []
    for box in crowd(400):  # each pair is asked about alone, so that no third box plays a part
        if all(
            cleaning.lesions_only([other, box], NO_DISC, FIELD) == (other, box) for other in kept
        ):
            kept.append(box)
    assert cleaning.lesions_only(crowd(400), NO_DISC, FIELD) == tuple(kept)
    assert 50 < len(kept) < 350


def test_boxes_that_only_touch_are_two_lesions() -> None:
    beside = [Lesion("haemorrhage", (x, 300.0, x + 10.0, 310.0), 0.9) for x in (300.0, 310.0)]
    assert cleaning.lesions_only(beside, NO_DISC, FIELD) == tuple(beside)
    assert cleaning.lesions_only([], NO_DISC, FIELD) == ()
