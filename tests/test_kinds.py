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


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("MA", "microaneurysm"),
        ("ma", "microaneurysm"),
        ("Microaneurysms", "microaneurysm"),
        ("1. Microaneurysms", "microaneurysm"),
        ("Red_small_dots", "microaneurysm"),
        ("微血管瘤", "microaneurysm"),
        ("HE", "haemorrhage"),
        ("Haemorrhages", "haemorrhage"),
        ("hemorrhage", "haemorrhage"),
        ("Retinal Hemorrhages", "haemorrhage"),
        ("Hemohedge", "haemorrhage"),
        ("出血", "haemorrhage"),
        ("EX", "hard_exudate"),
        ("3. Hard Exudates", "hard_exudate"),
        ("HardExudate", "hard_exudate"),
        ("hard-exudate", "hard_exudate"),
        ("exudates", "hard_exudate"),
        ("硬性渗出", "hard_exudate"),
        ("SE", "soft_exudate"),
        ("Soft Exudates", "soft_exudate"),
        ("cotton wool spot", "soft_exudate"),
        ("Cotton-Wool Spots", "soft_exudate"),
        ("软性渗出", "soft_exudate"),
        ("neovascularization", "neovascularisation"),
        ("NVD", "neovascularisation"),
        ("新生血管", "neovascularisation"),
        ("Vitreous Hemorrhage", "vitreous_haemorrhage"),
        ("preretinal_hemorrhage", "preretinal_haemorrhage"),
        ("subhyaloid hemorrhage", "preretinal_haemorrhage"),
        ("fibrous proliferation", "fibrous_proliferation"),
        ("IRMA", "irma"),
        ("IRMAs", "irma"),
        ("Intraretinal Microvascular Abnormalities", "irma"),
        ("venous beading", "venous_beading"),
        ("laser marks", "laser_scar"),
        ("OD", "optic_disc"),
        ("Optic Disk", "optic_disc"),
        ("视盘", "optic_disc"),
        ("fovea", "fovea"),
        ("黄斑", "fovea"),
        ("黄斑中央凹", "fovea"),
        ("\uff2d\uff21", "microaneurysm"),  # full-width MA
    ],
)
def test_names_of_other_tools_and_data_sets(name: str, key: str) -> None:
    found = kinds.find(name)
    assert found is not None
    assert found.key == key


@pytest.mark.parametrize("name", ["", "drusen", "vessel", "object", "0", "lesion", "s", "his"])
def test_a_name_that_is_none(name: str) -> None:
    assert kinds.find(name) is None


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("microanuerysm", "microaneurysm"),
        ("haemorage", "haemorrhage"),
        ("hard exsudate", "hard_exudate"),
        ("coton wool spot", "soft_exudate"),
        ("drusen", None),
        ("", None),
    ],
)
def test_the_nearest_known_name(name: str, key: str | None) -> None:
    assert kinds.nearest(name) == key


def test_no_name_stands_for_two_kinds() -> None:
    plain = [
        kinds._plain(name)
        for key, kind in kinds.KINDS.items()
        for name in {kinds._plain(each) for each in (key, kind.name, *kinds.SYNONYMS[key])}
    ]
    assert len(plain) == len(set(plain))


def test_every_kind_has_synonyms_and_they_find_it() -> None:
    assert list(kinds.SYNONYMS) == list(kinds.KINDS)
    for key, names in kinds.SYNONYMS.items():
        for name in names:
            found = kinds.find(name)
            assert found is not None
            assert found.key == key, name
