"""Masks at the working scale, and the part of them that a tile shows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.errors import TableError, UsageError
from fundoscope.geometry import Affine
from fundoscope.lesions.components import components
from fundoscope.lesions.view import View
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import DetectorConfig, Draw
from fundoscope.train.detection.views import coverage as coverages
from fundoscope.train.detection.views import tile_draw
from fundoscope.train.detection.views.coverage import MaskTargets, coverage
from fundoscope.train.detection.views.tile_draw import Drawer
from fundoscope.train.detection.views.view import AnnotatedView


def view_of(height: int, width: int, to_view: Affine) -> View:
    return View(np.zeros((height, width, 3), np.uint8), to_view, (width / 2, height / 2), 10.0)


@pytest.fixture
def mask(tmp_path: Path) -> Callable[..., Path]:
    def save(pixels: np.ndarray, name: str = "a_MA.png") -> Path:
        Image.fromarray(pixels).save(tmp_path / name)
        return tmp_path / name

    return save


def test_half_of_the_size_has_the_mean_of_four_pixels(mask: Callable[..., Path]) -> None:
    drawn = np.random.default_rng(1).random((12, 20)) < 0.3
    shown = view_of(6, 10, Affine.scale(0.5))
    result = coverage((mask(drawn),), shown, (20, 12))
    wanted = drawn.reshape(6, 2, 10, 2).mean(axis=(1, 3)) * 255
    assert result == pytest.approx(wanted, abs=0.51)


def test_no_part_of_a_lesion_is_lost_between_pixels(mask: Callable[..., Path]) -> None:
    drawn = np.zeros((160, 240), bool)
    drawn[51:53, 77:80] = True  # 2 x 3 pixels, as IDRiD's smallest
    scale = 5 / 8
    to_view = Affine.scale(scale).then(Affine.shift(-10.3, -4.9))
    result = coverage((mask(drawn),), view_of(80, 120, to_view), (240, 160)) / 255
    assert result.sum() == pytest.approx(6 * scale**2, rel=0.02)
    rows, columns = np.nonzero(result)
    x, y = to_view.point(78.5, 52.0)
    assert np.average(columns + 0.5, weights=result[rows, columns]) == pytest.approx(x, abs=0.1)
    assert np.average(rows + 0.5, weights=result[rows, columns]) == pytest.approx(y, abs=0.1)


def test_what_lies_beyond_the_photograph_is_not_covered(mask: Callable[..., Path]) -> None:
    shown = view_of(8, 8, Affine.shift(2, 2))
    result = coverage((mask(np.ones((4, 4), bool)),), shown, (4, 4))
    assert (result[2:6, 2:6] == 255).all()
    assert result.sum() == 16 * 255
    assert not coverage((), shown, (4, 4)).any()


def test_a_level_gives_back_the_lesions_that_were_drawn(
    detector_config: DetectorConfig, lesion_masks: Path, tmp_path: Path
) -> None:
    result = detector.read_data(detector_config)
    targets = MaskTargets(
        result.train, result.images, lesion_masks, result.kinds, tmp_path / "targets"
    )
    for each in result.train:
        whole = targets.opened[each.photograph]()
        assert whole.shape == (len(result.kinds), *each.pixels.shape[:2])
        for label, plane in enumerate(whole, start=1):
            ours = components(plane, 0.5).boxes
            theirs = each.boxes[each.labels == label]
            away = np.abs(ours[:, None] - theirs).max(axis=2)
            assert len(ours) == len(theirs)
            assert (away.min(axis=1, initial=9) <= 1).all()
            assert (away.min(axis=0, initial=9) <= 1).all()


def test_a_tile_shows_the_target_where_it_shows_the_photograph(tmp_path: Path) -> None:
    pixels = np.zeros((90, 140, 3), np.uint8)
    pixels[30:50, 60:66] = pixels[10:14, 100:120] = 255
    view = View(pixels, Affine(), (70.0, 45.0), 80.0)
    boxes = np.array([[60.0, 30.0, 66.0, 50.0], [100.0, 10.0, 120.0, 14.0]])
    annotated = AnnotatedView(tmp_path / "a.png", boxes, np.array([1, 2]), lambda: view)
    drawer = Drawer([annotated], ("microaneurysm", "haemorrhage"), (48, 64), Draw())
    random = np.random.default_rng(5)
    turned = set()
    for _ in range(20):
        place = drawer.place(random)
        turned.add((place.turns, place.mirrored))
        tile = tile_draw.cut(place)
        planes = tile_draw.planes(pixels.transpose(2, 0, 1)[:2], place)
        assert planes.shape == (2, 48, 64)
        assert np.array_equal(planes[0], tile.pixels[..., 0])
    assert len(turned) == 4


def test_a_target_is_made_once_and_anew_when_its_mask_changes(
    detector_config: DetectorConfig, lesion_masks: Path, tmp_path: Path
) -> None:
    result = detector.read_data(detector_config)
    cache = tmp_path / "targets"
    reported: list[tuple[int, int]] = []

    def make() -> list[str]:
        MaskTargets(
            result.train, result.images, lesion_masks, result.kinds, cache,
            lambda *done: reported.append(done),
        )  # fmt: skip
        return sorted(path.name for path in cache.glob("*.npy"))

    first = make()
    assert len(first) == len(result.train)
    assert reported[-1] == (8, 8)
    (cache / first[0]).write_bytes(b"damaged")
    assert make() == first
    before = coverages.digest(result.train, result.images, lesion_masks)
    path = next(lesion_masks.glob("eye00_haemorrhage*"))
    pixels = np.array(Image.open(path))
    pixels[:3, :3] = True
    Image.fromarray(pixels).save(path)
    assert len(make()) == len(first) + 1
    assert coverages.digest(result.train, result.images, lesion_masks) != before


def test_masks_that_do_not_fit_are_named(
    detector_config: DetectorConfig, lesion_masks: Path, tmp_path: Path
) -> None:
    result = detector.read_data(detector_config)

    def make() -> None:
        MaskTargets(result.train, result.images, lesion_masks, result.kinds, tmp_path / "targets")

    Image.new("1", (10, 10)).save(next(lesion_masks.glob("eye01_optic_disc*")))
    next(lesion_masks.glob("eye02_haemorrhage*")).unlink()
    with pytest.raises(UsageError) as caught:
        make()
    assert "eye01_optic_disc.png: has another size" in caught.value.why
    assert "eye02.png: has boxes of haemorrhage and no mask" in caught.value.why
    for path in lesion_masks.iterdir():
        path.unlink()
    with pytest.raises(TableError, match="holds no mask"):
        make()
