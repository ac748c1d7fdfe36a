"""The vocabulary of lesions and landmarks."""

from __future__ import annotations

from itertools import combinations

import pytest

from fundoscope import kinds


def test_keys_are_the_words_of_the_contract() -> None:
    assert kinds.LESIONS == (
        "microaneurysm",
        "haemorrhage",
        "hard_exudate",
        "soft_exudate",
        "neovascularisation",
        "vitreous_haemorrhage",
        "preretinal_haemorrhage",
        "fibrous_proliferation",
        "irma",
        "venous_beading",
        "laser_scar",
    )
    assert kinds.ANATOMY == ("optic_disc", "fovea")


@pytest.mark.parametrize("key", kinds.KINDS)
def test_each_kind_is_found_by_its_key_and_has_a_name_for_people(key: str) -> None:
    kind = kinds.KINDS[key]
    assert kind.key == key
    assert kind.name
    assert "_" not in kind.name
    assert all(0 <= value <= 255 for value in kind.colour)


def test_colours_can_be_told_apart() -> None:
    for one, other in combinations(kinds.KINDS.values(), 2):
        apart = sum(abs(a - b) for a, b in zip(one.colour, other.colour, strict=True))
        assert apart >= 60, (one.key, other.key)
