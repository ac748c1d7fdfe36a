from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import PhotoError, TableError
from fundoscope.evaluate.lesions import masks

SHAPE = (30, 40)


def save(path, mask):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(mask, bool)).save(path)


def test_masks_are_found_by_the_names_of_their_photographs(tmp_path):
    for name in ("IDRiD_01_MA", "IDRiD_01_OD", "IDRiD_02_EX"):
        save(tmp_path / "masks" / f"{name}.png", np.ones(SHAPE))
    wanted = ["IDRiD_01.jpg", "IDRiD_03.jpg", "deep/IDRiD_02.jpg"]
    result = masks.masks_of(tmp_path / "masks", tmp_path / "images", wanted)
    assert {image: set(kinds) for image, kinds in result.items()} == {
        "IDRiD_01.jpg": {"microaneurysm", "optic_disc"},
        "deep/IDRiD_02.jpg": {"hard_exudate"},
    }


def test_a_mask_is_of_one_photograph(tmp_path):
    save(tmp_path / "masks" / "001_MA.png", np.ones(SHAPE))
    found = masks.masks_of
    folders = (tmp_path / "masks", tmp_path / "images")
    assert set(found(*folders, ["left/001.jpg"])) == {"left/001.jpg"}
    assert set(found(*folders, ["001.jpg", "left/001.jpg"])) == {"001.jpg"}
    for wanted, known in (
        (["left/001.jpg", "right/001.jpg"], ()),
        (["left/001.jpg"], ["left/001.jpg", "right/001.jpg"]),
    ):
        with pytest.raises(TableError, match=r"001_MA\.png: may be the mask of 2 photographs"):
            found(*folders, wanted, known)
    save(tmp_path / "masks" / "left" / "001_MA.png", np.ones(SHAPE))
    with pytest.raises(TableError):
        found(*folders, ["left/001.jpg", "right/001.jpg"])
    (tmp_path / "masks" / "001_MA.png").unlink()
    assert set(found(*folders, ["left/001.jpg", "right/001.jpg"])) == {"left/001.jpg"}


def test_a_kind_without_a_mask_is_not_there(tmp_path):
    assert not masks.read((), SHAPE).any()
    one, two = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    one[:5], two[3:9] = True, True
    save(tmp_path / "a.png", one)
    save(tmp_path / "b.png", two)
    assert masks.read((tmp_path / "a.png", tmp_path / "b.png"), SHAPE).sum() == 9 * 40
    with pytest.raises(PhotoError):
        masks.read((tmp_path / "c.png",), SHAPE)
