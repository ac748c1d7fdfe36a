from __future__ import annotations

import numpy as np
import pytest
import torch

from fundoscope.train.detection.masks import loss as mask_loss
from fundoscope.train.detection.masks.loss import GAP_WEIGHT, LEAST_WEIGHT, MOST_WEIGHT, USUAL_AREA

SIDE = 96


def target_of(*squares: tuple[int, int, int]) -> np.ndarray:
    """Two kinds, the second empty; squares of the first by column, row and side."""
    target = np.zeros((2, SIDE, SIDE), np.uint8)
    for x, y, side in squares:
        target[0, y : y + side, x : x + side] = 255
    return target


def losses(result: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """Of probabilities ``(2, H, W)``."""
    logits = torch.logit(torch.from_numpy(result).float(), eps=1e-4)[None]
    weight = torch.from_numpy(mask_loss.weights(wanted))[None]
    entropy, overlap = mask_loss.parts(logits, torch.from_numpy(wanted)[None] / 255, weight)
    return float(entropy), float(overlap)


def test_a_pixel_of_a_small_lesion_weighs_more() -> None:
    weights = mask_loss.weights(target_of((5, 5, 9), (30, 5, 3), (5, 40, 40)))[0]
    assert weights[0, 0] == 1
    assert weights[7, 7] == pytest.approx((USUAL_AREA / 81) ** 0.5)
    assert weights[6, 31] == MOST_WEIGHT
    assert weights[60, 20] == pytest.approx((USUAL_AREA / 1600) ** 0.5)
    assert weights[6, 31] * 9 < weights[60, 20] * 1600  # but the large one still counts for more
    speck = mask_loss.weights(target_of((5, 5, 1)))[0]
    assert speck.max() == MOST_WEIGHT
    assert mask_loss.weights(np.full((1, 200, 200), 255, np.uint8)).min() == np.float32(
        LEAST_WEIGHT
    )


def test_what_is_right_costs_little_and_what_is_missed_or_made_up_much() -> None:
    wanted = target_of((10, 10, 9), (50, 50, 9))
    right = wanted / 255
    missed, made_up = right.copy(), right.copy()
    missed[0, 50:59, 50:59] = 0
    made_up[0, 50:59, 20:29] = 1
    of_right = losses(right, wanted)
    for wrong in (missed, made_up):
        of_wrong = losses(wrong, wanted)
        assert of_wrong[0] > 10 * of_right[0]
        assert of_wrong[1] > of_right[1] + 0.03


def test_a_batch_without_a_kind_says_what_is_made_up_and_has_no_division_by_nothing() -> None:
    nothing = target_of()
    assert losses(nothing / 255, nothing)[1] == pytest.approx(0, abs=0.02)
    made_up = nothing / 255
    made_up[1, 5:25, 5:25] = 1
    entropy, overlap = losses(made_up, nothing)
    assert np.isfinite(entropy)
    assert entropy > 1
    assert overlap > 0.3


def test_a_bridge_over_a_narrow_gap_costs_more_than_a_rim() -> None:
    wanted = target_of((20, 20, 12), (35, 20, 12))
    bridge, rim = wanted / 255, wanted / 255
    bridge[0, 20:32, 32:35] = 0.9  # three columns between the two
    rim[0, 20:32, 47:50] = 0.9  # three columns beside them
    cost = [losses(each, wanted)[0] - losses(wanted / 255, wanted)[0] for each in (bridge, rim)]
    assert cost[0] == pytest.approx(GAP_WEIGHT * cost[1], rel=0.05)


def test_the_gradient_asks_for_lesions_where_they_are() -> None:
    wanted = target_of((40, 40, 9))
    logits = torch.full((1, 2, SIDE, SIDE), -6.0, requires_grad=True)
    weight = torch.from_numpy(mask_loss.weights(wanted))[None]
    sum(mask_loss.parts(logits, torch.from_numpy(wanted)[None] / 255, weight)).backward()
    gradient = logits.grad[0].numpy()
    assert (gradient[0, 40:49, 40:49] < 0).all()
    assert (gradient[1] > 0).all()
