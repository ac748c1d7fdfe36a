"""Small trees that look like the public sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SHARED = Path(__file__).parents[4] / "shared" / "data"


@pytest.fixture
def plant(tmp_path: Path) -> Callable[..., Path]:
    """Make files (blank ones) in a folder, and return the folder."""

    def make(*files: str, root: str = "set") -> Path:
        folder = tmp_path / root
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).touch()
        return folder

    return make


@pytest.fixture
def draw() -> Callable[..., None]:
    """Save a picture of 12 x 8 pixels: black, with rectangles (x0, y0, x1, y1) in a colour."""

    def save(path: Path, *boxes: tuple[int, int, int, int], colour: int = 255) -> None:
        pixels = np.zeros((8, 12), np.uint8)
        for x0, y0, x1, y1 in boxes:
            pixels[y0:y1, x0:x1] = colour
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)

    return save
