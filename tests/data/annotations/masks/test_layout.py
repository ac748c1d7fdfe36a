"""The photograph and class of a mask, by its name and folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
)
from fundoscope.data.annotations.masks.layout import classes_of
from fundoscope.data.annotations.masks.read import read_masks
from fundoscope.errors import TableError

from .drawn import HEIGHT, TWO, WIDTH, boxes, saved


@pytest.mark.parametrize(
    ("files", "photo", "kind"),
    [
        ("IDRiD_01_MA.png", "IDRiD_01", "microaneurysm"),
        ("a b_hard_exudate.png", "a b", "hard_exudate"),
        ("照片_硬性渗出.png", "照片", "hard_exudate"),
        ("EX/007.tif", "007", "hard_exudate"),
        ("1. Microaneurysms/IDRiD_01_MA.tif", "IDRiD_01", "microaneurysm"),
        ("set/MA/12_OD.png", "set/12_OD", "microaneurysm"),
        ("set/x_SE.png", "set/x", "soft_exudate"),
        ("12_3_MA.png", "12_3", "microaneurysm"),
    ],
)
def test_names_and_folders_tell_photograph_and_class(
    files: str, photo: str, kind: str, tmp_path: Path
) -> None:
    saved(tmp_path / "in" / files, TWO)
    marked = read_masks(tmp_path / "in")
    assert {(image, of) for image, of, _ in boxes(marked)} == {(f"{photo}.jpg", kind)}
    assert "--images" not in "".join(marked.warnings)
    assert ".jpg is assumed" in "".join(marked.warnings)


def test_the_folder_itself_may_be_named_by_the_class(tmp_path: Path) -> None:
    saved(tmp_path / "EX" / "007.png", TWO)
    assert {kind for _, kind, _ in boxes(read_masks(tmp_path / "EX"))} == {"hard_exudate"}


def test_an_unknown_class_is_kept_among_known_ones(tmp_path: Path) -> None:
    saved(tmp_path / "a_MA.png", TWO)
    saved(tmp_path / "a_quux.png", TWO)
    assert {kind for _, kind, _ in boxes(read_masks(tmp_path))} == {"microaneurysm", "quux"}
    saved(tmp_path / "lonely.png", TWO)
    with pytest.raises(TableError, match="has no class in its name"):
        read_masks(tmp_path)


def test_masks_that_tell_no_class_at_all(tmp_path: Path) -> None:
    saved(tmp_path / "a_1.png", TWO)
    with pytest.raises(TableError, match="no name of a file or folder has their class"):
        read_masks(tmp_path)


@pytest.mark.parametrize("line", ["MA 1", "1", "1 MA\n1 HE", "99999 MA", "-1 MA"])
def test_a_table_of_classes_that_is_none(line: str) -> None:
    with pytest.raises(TableError, match="line"):
        classes_of(line, "mask_classes.txt")


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)
