"""``scripts/grey_eyes.py``: grey, filtered crops of natural and of filtered photographs."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Self

import numpy as np
import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.phantom import PhantomSpec

pytest.importorskip("scipy")

SCRIPT = Path(__file__).parents[2] / "scripts" / "grey_eyes.py"
COLUMNS = ("image", "grade", "patient", "eye", "split", "source", "camera", "group", "gradable")


@pytest.fixture(scope="module")
def grey_eyes(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("grey_eyes.py")


def squashed(grey_eyes: ModuleType, pixels: np.ndarray) -> np.ndarray:
    side = grey_eyes.SIDE
    small = Image.fromarray(pixels).convert("L").resize((side, side), Image.Resampling.BILINEAR)
    levels: np.ndarray = grey_eyes.sharpened(np.asarray(small, np.float64))
    return levels


@pytest.mark.parametrize("shape", [("full",), ("clipped",)])
def test_the_rim_of_a_squashed_field_is_found_and_made_round(
    grey_eyes: ModuleType, shape: tuple[phantom.Shape, ...]
) -> None:
    pixels, truth = phantom.draw(PhantomSpec(3, 900, 600, 2, "left", shape))
    levels = squashed(grey_eyes, pixels)
    ellipse = grey_eyes.rim(levels)
    assert ellipse is not None
    (x, y), radius, side = truth.field.centre, truth.field.radius, grey_eyes.SIDE
    wanted = (x * side / 900, y * side / 600, radius * side / 900, radius * side / 600)
    assert ellipse == pytest.approx(wanted, abs=2.0)
    crop = grey_eyes.unsquashed(levels, ellipse)
    assert crop.shape == (side, side)
    across, down = np.meshgrid(*[np.arange(side) - (side - 1) / 2] * 2)
    assert not crop[np.hypot(across, down) > side / 2].any()
    assert crop[side // 2, side // 2 - 100 : side // 2 + 100].all()


def test_a_picture_without_a_field_has_no_rim(grey_eyes: ModuleType) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 900, 3), dtype=np.uint8)
    assert grey_eyes.rim(squashed(grey_eyes, noise)) is None


def test_both_looks_go_the_same_way(
    grey_eyes: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, _ = phantom.draw(PhantomSpec(5, 900, 600, 3, "left", ("full",)))
    Image.fromarray(pixels).save(tmp_path / "natural.png")
    filtered = np.rint(squashed(grey_eyes, pixels)).astype(np.uint8)
    Image.fromarray(filtered).save(tmp_path / "filtered.png")
    both = [
        ("natural.png", "2", "p", "left", "train", "eyepacs", "", "1", "1"),
        ("natural.png", "2", "p", "left", "val", "eyepacs", "", "1", "1"),
        ("natural.png", "2", "p", "left", "train", "eyepacs", "eyepacs400", "1", "1"),
        ("natural.png", "2", "p", "left", "train", "eyepacs", "", "1", "0"),
        ("natural.png", "2", "p", "left", "train", "idrid", "", "1", ""),
    ]
    tables = {"natural": both, "filtered": [("filtered.png", *both[0][1:])]}
    for name, rows in tables.items():
        with (tmp_path / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
    out = tmp_path / "grey"
    words = ["--filtered", tmp_path / "filtered.csv", "--natural", tmp_path / "natural.csv"]
    monkeypatch.setattr(sys, "argv", ["grey_eyes", *map(str, words), "--out", str(out)])
    monkeypatch.setattr(grey_eyes, "ProcessPoolExecutor", InOneProcess)
    grey_eyes.main()
    with (out / "grey.csv").open(newline="") as file:
        made = list(csv.DictReader(file))
    assert [row["look"] for row in made] == ["filtered", "natural"]
    assert {row["source"] for row in made} == {"grey"}
    first, second = (np.asarray(Image.open(out / row["image"])).astype(int) for row in made)
    assert np.abs(first - second).mean() < 3.0


class InOneProcess:
    """What the script needs of a pool of processes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @staticmethod
    def map(function, *items, chunksize):
        assert chunksize
        return map(function, *items)


def test_photographs_of_one_name_get_crops_of_their_own(grey_eyes: ModuleType) -> None:
    """Two natural tables name 1_left.jpeg; a row that is there twice is one photograph."""
    paths = ("a/1_left.jpeg", "b/1_left.jpeg", "b/1_LEFT.png", "a/1_left.jpeg", "a/2.png")
    chosen = [(Path(path), "natural", {}) for path in paths]
    assert grey_eyes.names([*chosen, (Path("a/1_left.jpeg"), "filtered", {})]) == [
        "natural-1_left.jpg",
        "natural-1_left (2).jpg",
        "natural-1_LEFT (3).jpg",
        "natural-1_left.jpg",
        "natural-2.jpg",
        "filtered-1_left.jpg",
    ]
