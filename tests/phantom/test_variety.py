"""The varied set."""

from __future__ import annotations

from fundoscope.phantom import specimens
from fundoscope.phantom.spec import SHAPES


def test_the_same_seed_gives_the_same_set() -> None:
    assert list(specimens(20, 3)) == list(specimens(20, 3))
    assert list(specimens(20, 3)) != list(specimens(20, 4))


def test_a_longer_set_begins_like_a_shorter_one() -> None:
    assert list(specimens(30, 3))[:10] == list(specimens(10, 3))


def test_two_hundred_cover_everything() -> None:
    specs = list(specimens(200, 0))
    assert len(specs) == 200
    assert len({spec.seed for spec in specs}) == 200
    for word in SHAPES:
        assert sum(word in spec.shape for spec in specs) >= 8, word
    assert {spec.grade for spec in specs} == set(range(5))
    assert {spec.eye for spec in specs} == {"left", "right"}
    assert 20 <= sum(spec.stretch != 1.0 for spec in specs) <= 80
    longest = [max(spec.width, spec.height) for spec in specs]
    assert min(longest) >= 300
    assert sum(side <= 1500 for side in longest) >= 170
    assert max(longest) > 1500


def test_a_square_crop_is_never_squashed() -> None:
    for spec in specimens(100, 1):
        if spec.framing == "square":
            assert spec.width == spec.height
            assert spec.stretch == 1.0
