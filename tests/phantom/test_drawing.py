"""A phantom shows what its truth says."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from fundoscope import kinds
from fundoscope.phantom import PhantomSpec, Truth, draw, truth_of
from fundoscope.phantom.spec import Shape

Pixels = NDArray[np.uint8]
SEEDS = range(3)


@lru_cache(maxsize=40)
def drawn(spec: PhantomSpec) -> tuple[Pixels, Truth]:
    pixels, truth = draw(spec)
    pixels.flags.writeable = False
    return pixels, truth


def small(
    seed: int = 1,
    grade: int = 0,
    shape: tuple[Shape, ...] = ("full",),
    size: tuple[int, int] = (420, 400),
    stretch: float = 1.0,
) -> tuple[Pixels, Truth]:
    return drawn(PhantomSpec(seed, *size, grade=grade, shape=shape, stretch=stretch))


def reach(truth: Truth, centre: tuple[float, float], radius: float) -> NDArray[np.float64]:
    """Distance of each pixel from a point, in radii; round in the true shape."""
    y, x = np.mgrid[0.5 : truth.height, 0.5 : truth.width]
    across = (x - centre[0]) * truth.field.stretch
    return np.asarray(np.hypot(across, y - centre[1]) / radius)


def in_field(truth: Truth) -> NDArray[np.float64]:
    return reach(truth, truth.field.centre, truth.field.radius)


def test_the_same_spec_gives_the_same_picture() -> None:
    spec = PhantomSpec(seed=5, width=300, height=240, grade=2)
    first, second = draw(spec), draw(spec)
    assert np.array_equal(first[0], second[0])
    assert first[1] == second[1] == truth_of(spec)


def test_another_seed_gives_another_eye() -> None:
    assert truth_of(PhantomSpec(1)).fovea != truth_of(PhantomSpec(2)).fovea


def test_the_same_seed_at_another_size_is_the_same_eye() -> None:
    large = truth_of(PhantomSpec(1, 600, 400, grade=2))
    little = truth_of(PhantomSpec(1, 300, 200, grade=2))
    assert np.allclose(np.array(large.fovea) / 2, little.fovea, atol=0.02)
    assert [lesion.kind for lesion in large.lesions] == [lesion.kind for lesion in little.lesions]
    boxes = [np.array([lesion.box for lesion in truth.lesions]) for truth in (large, little)]
    assert np.allclose(boxes[0] / 2, boxes[1], atol=0.02)


@pytest.mark.parametrize("size", [(224, 224), (500, 333), (333, 500), (301, 299)])
def test_pixels_have_the_size_that_was_asked_for(size: tuple[int, int]) -> None:
    pixels, truth = small(size=size)
    assert pixels.shape == (size[1], size[0], 3)
    assert pixels.dtype == np.uint8
    assert (truth.width, truth.height) == size


@pytest.mark.slow
def test_twelve_megapixels_are_drawn() -> None:
    pixels, _ = draw(PhantomSpec(seed=3, width=4288, height=2848, shape=("clipped",)))
    assert pixels.shape == (2848, 4288, 3)
    assert pixels[:200, :200].mean() < 8
    assert pixels[1424, 1000:3288, 0].min() > 20


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("shape", "size", "stretch"),
    [
        (("full",), (420, 400), 1.0),
        (("clipped",), (480, 320), 1.0),
        (("full",), (360, 360), 1.5),
        (("clipped", "noisy"), (360, 360), 1.33),
    ],
)
def test_the_retina_ends_where_the_truth_says(
    shape: tuple[Shape, ...], size: tuple[int, int], stretch: float, seed: int
) -> None:
    pixels, truth = small(seed, 0, shape, size, stretch)
    distance = in_field(truth)
    inside, outside = pixels[distance < 0.96], pixels[distance > 1.04]
    assert np.percentile(inside[:, 0], 2) > np.percentile(outside[:, 0], 98)


def test_the_retina_is_redder_than_green_than_blue() -> None:
    for seed in range(5):
        pixels, truth = small(seed)
        red, green, blue = pixels[in_field(truth) < 0.9].mean(axis=0)
        assert red > green > blue


@pytest.mark.parametrize("seed", SEEDS)
def test_the_optic_disc_is_brighter_than_what_surrounds_it(seed: int) -> None:
    pixels, truth = small(seed)
    distance = reach(truth, truth.optic_disc.centre, truth.optic_disc.radius)
    field = in_field(truth) < 0.95
    disc = pixels[..., 1][(distance < 0.85) & field]
    around = pixels[..., 1][(distance > 1.3) & (distance < 2) & field]
    assert np.median(disc) > 1.3 * np.median(around)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_fovea_is_darker_than_what_surrounds_it(seed: int) -> None:
    pixels, truth = small(seed)
    distance = reach(truth, truth.fovea, truth.optic_disc.radius)
    field = in_field(truth) < 0.95
    pit = pixels[..., 1][(distance < 0.4) & field]
    around = pixels[..., 1][(distance > 1.5) & (distance < 2.5) & field]
    assert np.median(pit) < 0.9 * np.median(around)


@pytest.mark.parametrize("seed", range(6))
def test_the_fovea_lies_temporal_of_the_disc_and_lower(seed: int) -> None:
    for eye, side in (("right", -1), ("left", 1)):
        truth = truth_of(PhantomSpec(seed, 300, 300, eye=eye))  # type: ignore[arg-type]
        temporal = (truth.fovea[0] - truth.optic_disc.centre[0]) * side
        diameters = np.hypot(temporal, truth.fovea[1] - truth.optic_disc.centre[1]) / (
            2 * truth.optic_disc.radius
        )
        assert temporal > 0
        assert truth.fovea[1] > truth.optic_disc.centre[1]
        assert 2.0 < diameters < 2.8
        assert 5.5 < truth.field.radius / truth.optic_disc.radius < 8


def test_a_square_crop_shows_no_border() -> None:
    pixels, truth = small(shape=("square",))
    assert in_field(truth).max() <= 1.0
    assert truth.field.clipped
    assert pixels[..., 0].min() > 12


def test_full_and_clipped_are_told_apart_in_the_truth() -> None:
    for seed in SEEDS:
        assert not truth_of(PhantomSpec(seed, 420, 400, shape=("full", "frame"))).field.clipped
        assert truth_of(PhantomSpec(seed, 480, 320, shape=("clipped",))).field.clipped
        assert truth_of(PhantomSpec(seed, 320, 320, shape=("clipped",))).field.clipped


def test_a_dark_photograph_is_nearly_black() -> None:
    pixels, truth = small(shape=("dark",))
    assert 1 < pixels[in_field(truth) < 0.9].mean() < 30


@pytest.mark.parametrize("seed", [9, 3, 1])  # a block, a triangle, a half-disc
def test_a_notch_lies_outside_the_rim_at_the_upper_right(seed: int) -> None:
    plain, truth = small(seed, size=(240, 240))
    notched, _ = small(seed, shape=("full", "notch"), size=(240, 240))
    lit = (notched.astype(int) - plain).max(axis=2) > 25
    rows, columns = np.nonzero(lit & (in_field(truth) > 1.02))
    assert len(rows) > 3
    assert columns.min() > truth.field.centre[0]
    assert rows.max() < truth.field.centre[1]


@pytest.mark.parametrize("word", ["label", "frame", "grey", "noisy"])
def test_borders_differ_from_black(word: Shape) -> None:
    pixels, truth = small(shape=("full", word), size=(480, 320))
    outside = pixels[in_field(truth) > 1.05].astype(float)
    assert outside.max() > 60 or outside.mean() > 10


def test_a_frame_has_one_colour_along_all_edges() -> None:
    pixels, _ = small(shape=("frame",))
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert len(np.unique(edges, axis=0)) == 1


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("shape", ["full", "clipped", "square"])
def test_lesions_lie_in_the_picture_and_in_the_field(shape: Shape, seed: int) -> None:
    truth = truth_of(PhantomSpec(seed, 420, 400, 4, shape=(shape,)))
    to_unit = truth.field.to_unit()
    for lesion in truth.lesions:
        x0, y0, x1, y1 = lesion.box
        assert 0 <= x0 < x1 <= truth.width
        assert 0 <= y0 < y1 <= truth.height
        assert np.hypot(*to_unit.point((x0 + x1) / 2, (y0 + y1) / 2)) < 1


@pytest.mark.parametrize(
    ("kind", "darker"), [(kinds.HAEMORRHAGE, True), (kinds.HARD_EXUDATE, False)]
)
def test_lesions_are_seen_where_their_boxes_are(kind: kinds.Kind, darker: bool) -> None:
    pixels, truth = small(2, 3, size=(900, 900))
    green = pixels[..., 1].astype(float)
    differences = []
    for lesion in truth.lesions:
        if lesion.kind == kind.key:
            x0, y0, x1, y1 = (round(edge) for edge in lesion.box)
            middle = green[(y0 + y1) // 2, (x0 + x1) // 2]
            around = green[max(y0 - 8, 0) : y1 + 8, max(x0 - 8, 0) : x1 + 8]
            differences.append(middle - np.median(around))
    seen = np.array(differences) * (-1 if darker else 1)
    assert len(seen) > 10
    assert np.mean(seen > 0) > 0.9
    assert seen.mean() > 8


def counts(truth: Truth, centre: tuple[float, float]) -> list[int]:
    """Haemorrhages in each quadrant about a point."""
    numbers = [0, 0, 0, 0]
    for lesion in truth.lesions:
        if lesion.kind == kinds.HAEMORRHAGE.key:
            x, y = (lesion.box[0] + lesion.box[2]) / 2, (lesion.box[1] + lesion.box[3]) / 2
            numbers[2 * (y > centre[1]) + (x > centre[0])] += 1
    return numbers


def international(truth: Truth) -> int:
    """The International scale (Wilkinson 2003), by what can be drawn here."""
    found = {lesion.kind for lesion in truth.lesions}
    if found & {kinds.NEOVASCULARISATION.key, kinds.PRERETINAL_HAEMORRHAGE.key}:
        return 4
    severe = [min(counts(truth, at)) > 20 for at in (truth.optic_disc.centre, truth.fovea)]
    if any(severe):
        assert all(severe), "quadrants about the disc and about the fovea disagree"
        return 3
    if found - {kinds.MICROANEURYSM.key}:
        return 2
    return 1 if found else 0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("grade", range(5))
@pytest.mark.parametrize("shape", ["full", "clipped"])
def test_the_lesions_support_the_grade(grade: int, shape: Shape, seed: int) -> None:
    truth = truth_of(PhantomSpec(seed, 480, 320, grade, shape=(shape,)))
    assert truth.grade == grade
    assert international(truth) == grade


def test_a_left_eye_is_the_mirror_image_of_the_right_one() -> None:
    right = truth_of(PhantomSpec(4, 300, 300, eye="right"))
    left = truth_of(PhantomSpec(4, 300, 300, eye="left"))
    middle = right.field.centre[0]
    assert left.fovea[0] - middle == pytest.approx(middle - right.fovea[0], abs=0.02)
    assert left.fovea[1] == pytest.approx(right.fovea[1], abs=0.02)
