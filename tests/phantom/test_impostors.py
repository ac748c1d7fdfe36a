"""Pictures that are no fundus photographs."""

from __future__ import annotations

import numpy as np
import pytest

from fundoscope.phantom.impostors import SCENES, in_circle, made


def test_every_scene_comes_in_two_sizes() -> None:
    pictures = dict(made(0))
    assert len(SCENES) >= 24
    assert len(pictures) == 2 * len(SCENES)
    for name, pixels in pictures.items():
        assert pixels.dtype == np.uint8
        assert f"{pixels.shape[1]}x{pixels.shape[0]}" == name.rpartition("_")[2]
        assert pixels.shape[2:] == (3,)


def test_the_same_seed_gives_the_same_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fundoscope.phantom.impostors.SIZES", ((80, 80), (90, 60), (60, 90)))
    for (name, one), (_, other), (_, third) in zip(made(1), made(1), made(2), strict=True):
        assert np.array_equal(one, other)
        if name.startswith("white_noise"):
            assert not np.array_equal(one, third)


@pytest.mark.parametrize("channels", [None, 3, 4])
def test_a_circle_keeps_the_middle_and_blackens_the_corners(channels: int | None) -> None:
    shape = (80, 120) if channels is None else (80, 120, channels)
    framed = in_circle(np.full(shape, 200, dtype=np.uint8))
    assert framed.shape == (80, 120, 3)
    assert (framed[40, 60] == 200).all()
    assert framed[:, :20].max() == framed[:5, 20:36].max() == 0
