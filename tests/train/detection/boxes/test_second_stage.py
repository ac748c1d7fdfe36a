"""The class loss where some kinds are not annotated."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from fundoscope.train.detection.boxes import second_stage

LABELS = torch.tensor([0, 2, 0, 1])
LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 3.0], [-2.0, 0.0, 6.0], [0.0, 1.0, 0.0]])


def test_where_everything_is_annotated_the_loss_is_the_cross_entropy():
    possible = second_stage.possible_classes(LABELS, None, 3)
    ours = second_stage.class_loss(LOGITS, possible)
    assert float(ours) == pytest.approx(float(functional.cross_entropy(LOGITS, LABELS)), abs=1e-6)


def test_a_find_of_an_unannotated_kind_is_not_punished():
    logits = LOGITS[2:3].clone().requires_grad_()
    possible = second_stage.possible_classes(torch.tensor([0]), torch.tensor([2]), 3)
    loss = second_stage.class_loss(logits, possible)
    loss.backward()
    assert loss.item() < 0.01  # it says kind 2 with certainty, and nobody knows better
    assert logits.grad.abs().max() < 0.01
    annotated = second_stage.possible_classes(torch.tensor([0]), None, 3)
    assert float(second_stage.class_loss(LOGITS[2:3], annotated)) > 5


def test_an_annotated_lesion_stays_what_it_is():
    possible = second_stage.possible_classes(LABELS, torch.tensor([1, 2]), 3)
    assert possible[1].tolist() == [False, False, True]
    assert possible[0].tolist() == [True, True, True]
