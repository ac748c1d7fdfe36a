"""Lesions are put where they can be seen, or not at all."""

from __future__ import annotations

import numpy as np

from fundoscope import kinds
from fundoscope.phantom.anatomy import Anatomy, lay_out
from fundoscope.phantom.lesions import scatter


def eye() -> Anatomy:
    return lay_out("right", np.random.default_rng(2), centred=False)


def test_a_healthy_eye_has_none() -> None:
    assert scatter(eye(), 0, lambda _: True, np.random.default_rng(0)) == []


def test_where_nothing_fits_only_what_makes_the_grade_is_left() -> None:
    marks = scatter(eye(), 4, lambda _: False, np.random.default_rng(0))
    assert [mark.kind for mark in marks] == [kinds.NEOVASCULARISATION.key]
    assert np.abs(marks[0].outline.mean(axis=0)).max() < 0.1


def test_lesions_keep_off_the_disc_and_off_each_other() -> None:
    anatomy = eye()
    marks = scatter(anatomy, 2, lambda _: True, np.random.default_rng(1))
    centres = np.array([mark.outline.mean(axis=0) for mark in marks])
    assert len(marks) > 15
    assert np.linalg.norm(centres - anatomy.disc, axis=1).min() > anatomy.disc_radius
    apart = np.linalg.norm(centres[:, None] - centres[None], axis=2)
    assert apart[np.triu_indices(len(marks), 1)].min() > 0.002
