"""Phantoms as files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import UsageError
from fundoscope.phantom import files

GREY = np.full((12, 20, 3), 90, dtype=np.uint8)


@pytest.mark.parametrize(
    ("suffix", "form"), [(".jpg", "JPEG"), (".JPEG", "JPEG"), (".png", "PNG"), (".tif", "TIFF")]
)
def test_the_suffix_says_the_format(suffix: str, form: str) -> None:
    with Image.open(io.BytesIO(files.encoded(GREY, suffix))) as image:
        assert image.format == form
        assert image.size == (20, 12)
        assert np.asarray(image).max() == 90


@pytest.mark.parametrize("suffix", ["", ".gif", ".txt"])
def test_an_unknown_suffix_is_said(suffix: str) -> None:
    with pytest.raises(UsageError, match=r"\.png"):
        files.encoded(GREY, suffix)


def test_the_truth_lies_beside_the_picture() -> None:
    assert files.truth_path(Path("a/eye.v2.jpg")) == Path("a/eye.v2.truth.json")


@pytest.mark.parametrize(("name", "picture"), [("a.JPG", True), ("a.b", False), ("eyes", False)])
def test_pictures_and_folders_are_told_apart(name: str, picture: bool) -> None:
    assert files.is_picture(Path(name)) is picture
