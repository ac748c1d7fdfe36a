"""A detector with a mask head: maps of tiles become maps of a view, and components become boxes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fundoscope.errors import BundleError
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import heads, tiles, view
from fundoscope.lesions.detector import Detector
from fundoscope.lesions.merge import GRAPH
from fundoscope.lesions.segmentation import on_photograph
from fundoscope.lesions.view import View
from fundoscope.models import bundle as bundles
from fundoscope.photo.decode import Photo
from fundoscope.reading import FieldOfView

COLOURS = {"microaneurysm": (0, 0, 255), "hard_exudate": (0, 255, 0), "optic_disc": (255, 255, 255)}
"""As the spots of this folder's `spotted` have them."""
NEAR = 60
SURE = 223

Draw = Callable[..., tuple[Photo, FieldOfView]]
Blank = Callable[..., View]


@dataclass(frozen=True)
class Port:
    shape: Sequence[int | str]
    name: str
    type: str = "tensor(uint8)"


@dataclass
class FakeSegmenter:
    """A loaded graph with a ``mask`` head: it marks every pixel that has the colour of a kind."""

    batch: int = 2
    seen: list[np.ndarray] = field(default_factory=list)
    gives: Port = Port((2, len(COLOURS), "height", "width"), heads.MAPS)

    def get_outputs(self) -> list[Port]:
        return [self.gives]

    def get_inputs(self) -> list[Port]:
        return [Port((self.batch, "height", "width", 3), "pixels")]

    def run(self, outputs: Sequence[str], feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert tuple(outputs) == (heads.MAPS,)
        pixels = feeds["pixels"].astype(int)
        assert len(pixels) == self.batch
        self.seen.append(pixels)
        planes = [
            (np.abs(pixels - colour) < NEAR).all(axis=3) * SURE for colour in COLOURS.values()
        ]
        return [np.stack(planes, axis=1).astype(np.uint8)]


@pytest.fixture
def segmenter(spot_detector: Callable[..., Detector]) -> Callable[..., Detector]:
    """Make a detector with a mask head."""

    def make(*, batch: int = 2, threads: int = 1, **fields: Any) -> Detector:
        levels = dict.fromkeys(COLOURS, 0.5)
        made = spot_detector(**{"head": heads.MASK, "levels": levels, **fields})
        return Detector(made.manifest, FakeSegmenter(batch), threads)  # type: ignore[arg-type]

    return make


SPOTS = [
    ("hard_exudate", -0.6, -0.2, 0.05),
    ("hard_exudate", 0.0, 0.01, 0.06),  # across the seams in the middle
    ("microaneurysm", 0.3, 0.4, 0.03),
    ("optic_disc", 0.55, 0.0, 0.2),  # larger than the overlap of tiles
]


def found_at(detector: Detector, photo: Photo, fov: FieldOfView) -> list[tuple[Any, ...]]:
    """Kind and box in field units of each lesion."""
    to_unit = fov.to_unit()
    detected = detectors.find(detector, photo, fov)
    return sorted((lesion.kind, *to_unit.box(lesion.box)) for lesion in detected)


@pytest.mark.parametrize("size", [64, (96, 160), 4096])
@pytest.mark.parametrize("photograph", [{}, {"width": 320, "height": 400, "stretch": 1.5}])
def test_every_lesion_is_found_once_and_whole_whatever_the_tiles(
    segmenter: Callable[..., Detector], spotted: Draw, photograph: dict[str, Any], size: Any
) -> None:
    photo, fov = spotted(SPOTS, **photograph)
    detected = found_at(segmenter(input_size=size), photo, fov)
    drawn = sorted((kind, x - r, y - r, x + r, y + r) for kind, x, y, r in SPOTS)
    assert [row[0] for row in detected] == [row[0] for row in drawn]
    # 0.02 of the radius: 3 pixels at the working scale.
    ours, theirs = (np.array([row[1:] for row in rows]) for rows in (detected, drawn))
    assert ours == pytest.approx(theirs, abs=0.02)


@pytest.mark.parametrize(("batch", "threads"), [(1, 2), (3, 1), (50, 8)])
def test_threads_and_tiles_a_call_change_nothing(
    segmenter: Callable[..., Detector], spotted: Draw, batch: int, threads: int
) -> None:
    photo, fov = spotted(SPOTS)
    wanted = detectors.find(segmenter(batch=1), photo, fov)
    assert len(wanted) == len(SPOTS)
    assert detectors.find(segmenter(batch=batch, threads=threads), photo, fov) == wanted
    assert {lesion.score for lesion in wanted} == {SURE / 255}


def test_a_level_above_every_probability_finds_nothing(
    segmenter: Callable[..., Detector], spotted: Draw
) -> None:
    photo, fov = spotted(SPOTS)
    levels = {**dict.fromkeys(COLOURS, 0.5), "hard_exudate": 0.9}
    kinds = {lesion.kind for lesion in detectors.find(segmenter(levels=levels), photo, fov)}
    assert kinds == {"microaneurysm", "optic_disc"}


def test_maps_are_those_of_the_whole_view(
    segmenter: Callable[..., Detector], spotted: Draw
) -> None:
    photo, fov = spotted(SPOTS)
    made = view.make(photo, fov, 150.0)
    small, whole = segmenter(input_size=64), segmenter(input_size=4096)
    assert np.array_equal(detectors.maps_on_view(small, made), detectors.maps_on_view(whole, made))


def test_maps_come_with_the_lesions_that_were_made_of_them(
    segmenter: Callable[..., Detector], spotted: Draw
) -> None:
    photo, fov = spotted(SPOTS)
    detected, segmentation = detectors.with_maps(segmenter(), photo, fov)
    assert segmentation is not None
    assert detected == detectors.candidates(segmenter(), photo, fov)
    assert segmentation.kinds == tuple(COLOURS)
    height, width = photo.pixels.shape[:2]
    for kind, colour in COLOURS.items():
        shown = on_photograph(segmentation, kind, width, height) > SURE // 2
        drawn = (photo.pixels == colour).all(axis=2)
        # The blurred edges are not marked.
        assert (shown & drawn).sum() / (shown | drawn).sum() > 0.85


def test_a_head_of_boxes_has_no_maps(spot_detector: Callable[..., Detector], spotted: Draw) -> None:
    photo, fov = spotted(SPOTS)
    detected, segmentation = detectors.with_maps(spot_detector(), photo, fov)
    assert len(detected) == len(SPOTS)
    assert segmentation is None


@pytest.mark.parametrize(("height", "width"), [(300, 260), (100, 100), (128, 500)])
def test_every_pixel_belongs_to_one_tile(blank_view: Blank, height: int, width: int) -> None:
    shown = blank_view(height, width)
    corners = tiles.lay(shown, 128, 128, 24)
    owners = np.zeros((height, width), int)
    for (x, y), (left, top, right, bottom) in zip(
        corners, tiles.owned(corners, 128, 128, shown), strict=True
    ):
        assert x <= left < right <= x + 128
        assert y <= top < bottom <= y + 128
        owners[top:bottom, left:right] += 1
    assert (owners == 1).all()


def test_where_no_tile_lies_beside_another_it_owns_all(blank_view: Blank) -> None:
    shown = blank_view(400, 400, radius=90.0)
    corners = tiles.lay(shown, 64, 64, 16)
    owners = np.zeros((400, 400), int)
    for left, top, right, bottom in tiles.owned(corners, 64, 64, shown):
        owners[top:bottom, left:right] += 1
    y, x = np.mgrid[:400, :400] + 0.5 - 200
    assert owners.max() == 1
    assert (owners[np.hypot(x, y) < 90] == 1).all()


def test_a_bundle_without_levels_or_with_other_outputs_is_refused(
    segmenter: Callable[..., Detector], tmp_path: Path
) -> None:
    model = GRAPH.read_bytes()  # a graph that gives no maps
    digest = hashlib.sha256(model).hexdigest()
    manifest = segmenter(model_sha256=digest).manifest
    bundles.write(tmp_path / "other", manifest, model, "")
    with pytest.raises(BundleError, match="cannot be used: its network does not take"):
        detectors.load(tmp_path / "other")
    unknown = segmenter(model_sha256=digest, head="outlines").manifest
    bundles.write(tmp_path / "unknown", unknown, model, "")
    with pytest.raises(BundleError, match="'outlines' head"):
        detectors.load(tmp_path / "unknown")


@pytest.mark.parametrize(
    ("gives", "fault"),
    [
        (FakeSegmenter.gives, None),
        (replace(FakeSegmenter.gives, shape=(2, 2, "height", "width")), "maps of other kinds"),
        # As probabilities of 0 to 1 they would all be cut off to 0.
        (replace(FakeSegmenter.gives, type="tensor(float)"), "maps are not bytes"),
        (replace(FakeSegmenter.gives, name="logits"), "has other outputs"),
    ],
)
def test_a_graph_that_gives_other_maps_is_refused(
    segmenter: Callable[..., Detector],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    gives: Port,
    fault: str | None,
) -> None:
    manifest = segmenter(model_sha256=hashlib.sha256(b"graph").hexdigest()).manifest
    bundles.write(tmp_path / "segmenter", manifest, b"graph", "")
    monkeypatch.setattr(detectors.runtime, "session", lambda *_, **__: FakeSegmenter(gives=gives))
    if fault is None:
        assert detectors.load(tmp_path / "segmenter").has_masks
        return
    with pytest.raises(BundleError, match=fault):
        detectors.load(tmp_path / "segmenter")
