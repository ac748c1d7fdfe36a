"""Masks of any make: to objects and back."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.masks.components import Rules, components
from fundoscope.data.annotations.masks.layout import classes_of
from fundoscope.data.annotations.masks.read import read_masks
from fundoscope.data.annotations.masks.write import write_masks
from fundoscope.data.annotations.raster import fill_box, fill_outlines, pixels_of
from fundoscope.errors import OutputError, PhotoError, TableError, UsageError

IDRID = Path(__file__).parents[4] / "shared" / "data" / "lesions" / "idrid"
WIDTH, HEIGHT = 12, 9

Pixels = NDArray[np.bool_]


def blob(*places: tuple[int, int], width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """True at these columns and rows."""
    pixels = np.zeros((height, width), dtype=bool)
    for x, y in places:
        pixels[y, x] = True
    return pixels


TWO = blob((1, 1), (2, 2), (3, 1), (8, 6), (9, 6))
"""Three pixels that touch at corners, and two elsewhere."""


def saved(path: Path, values: NDArray[np.generic], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)  # type: ignore[arg-type]
    return path


def boxes(found: AnnotationSet) -> list[tuple[str, str, tuple[float, ...]]]:
    return [
        (photo.image, item.kind, item.box) for photo in found.photos for item in photo.annotations
    ]


EXPECTED = [(1.0, 1.0, 4.0, 3.0), (8.0, 6.0, 10.0, 7.0)]


def painted_on(background: tuple[int, ...], colour: tuple[int, ...]) -> NDArray[np.uint8]:
    pixels = np.empty((HEIGHT, WIDTH, len(background)), dtype=np.uint8)
    pixels[:] = background
    pixels[TWO] = colour
    return pixels


MAKES: Mapping[str, NDArray[np.generic]] = {
    "one bit": TWO,
    "0 and 1": TWO.astype(np.uint8),
    "0 and 255": TWO.astype(np.uint8) * 255,
    "16 bits, 1": TWO.astype(np.uint16),
    "16 bits, 65535": TWO.astype(np.uint16) * 65535,
    "32 bits": TWO.astype(np.int32),
    "red": painted_on((0, 0, 0), (255, 0, 0)),
    "red, opaque": painted_on((0, 0, 0, 255), (255, 0, 0, 255)),
    "red on a transparent ground": painted_on((0, 0, 0, 0), (255, 0, 0, 255)),
    "on a transparent white ground": painted_on((255, 255, 255, 0), (255, 255, 255, 255)),
    "black on a transparent ground": painted_on((0, 0, 0, 0), (0, 0, 0, 255)),
    "grey with transparency": painted_on((0, 255), (9, 255)),
}


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("make", MAKES)
def test_a_mask_of_any_make_gives_the_same_objects(make: str, suffix: str, tmp_path: Path) -> None:
    if make == "32 bits" and suffix == ".png":
        pytest.skip("PNG has no 32 bits")
    saved(tmp_path / f"IDRiD_01_MA{suffix}", MAKES[make])
    found = read_masks(tmp_path)
    assert [box for _, _, box in boxes(found)] == EXPECTED
    (photo,) = found.photos
    assert (photo.image, photo.width, photo.height) == ("IDRiD_01.jpg", WIDTH, HEIGHT)
    assert {item.kind for item in photo.annotations} == {"microaneurysm"}
    assert [item.mask.area for item in photo.annotations if item.mask] == [3, 2]


@pytest.mark.parametrize(
    ("palette", "ground", "paint"),
    [
        ([0, 0, 0, 255, 0, 0], 0, 1),
        ([255, 0, 0, 0, 0, 0], 1, 0),
        ([0, 0, 0, 0, 0, 0], 0, 1),
    ],
    ids=["black and red", "red stands first", "all black"],
)
def test_a_mask_with_a_palette(palette: list[int], ground: int, paint: int, tmp_path: Path) -> None:
    image = Image.fromarray(np.where(TWO, paint, ground).astype(np.uint8), mode="P")
    image.putpalette(palette)
    image.save(tmp_path / "IDRiD_81_EX.tif")
    found = read_masks(tmp_path)
    assert [box for _, _, box in boxes(found)] == EXPECTED


def test_a_palette_with_a_transparent_entry(tmp_path: Path) -> None:
    image = Image.fromarray(TWO.astype(np.uint8), mode="P")
    image.putpalette([255, 255, 255, 255, 0, 0])
    image.save(tmp_path / "a_EX.png", transparency=0)
    assert [box for _, _, box in boxes(read_masks(tmp_path))] == EXPECTED


def test_an_empty_mask_is_a_photograph_without_objects(tmp_path: Path) -> None:
    for number, make in enumerate((TWO & False, painted_on((0, 0, 0), (0, 0, 0)))):
        saved(tmp_path / f"{number}_MA.png", make)
    found = read_masks(tmp_path)
    assert [photo.annotations for photo in found.photos] == [(), ()]


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
    found = read_masks(tmp_path / "in")
    assert {(image, of) for image, of, _ in boxes(found)} == {(f"{photo}.jpg", kind)}
    assert "--images" not in "".join(found.warnings)
    assert ".jpg is assumed" in "".join(found.warnings)


def test_the_folder_itself_may_be_named_by_the_class(tmp_path: Path) -> None:
    saved(tmp_path / "EX" / "007.png", TWO)
    assert {kind for _, kind, _ in boxes(read_masks(tmp_path / "EX"))} == {"hard_exudate"}


def test_an_unknown_class_is_kept_among_known_ones(tmp_path: Path) -> None:
    saved(tmp_path / "a_MA.png", TWO)
    saved(tmp_path / "a_quux.png", TWO)
    assert {kind for _, kind, _ in boxes(read_masks(tmp_path))} == {"microaneurysm", "quux"}
    saved(tmp_path / "lonely.png", TWO)
    with pytest.raises(TableError, match="tells no class"):
        read_masks(tmp_path)


def test_masks_that_tell_no_class_at_all(tmp_path: Path) -> None:
    saved(tmp_path / "a_1.png", TWO)
    with pytest.raises(TableError, match="no name of a file or folder tells their class"):
        read_masks(tmp_path)


def test_photographs_give_names_and_sizes(tmp_path: Path) -> None:
    saved(tmp_path / "photos" / "sub" / "IDRiD_01.JPG", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    saved(tmp_path / "photos" / "IDRiD_02.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    saved(tmp_path / "masks" / "IDRiD_01_MA.png", TWO)
    saved(tmp_path / "masks" / "IDRiD_02_MA.png", TWO)
    found = read_masks(tmp_path / "masks", images=tmp_path / "photos")
    assert [photo.image for photo in found.photos] == ["IDRiD_02.png", "sub/IDRiD_01.JPG"]
    assert found.warnings == ()


def test_photographs_may_lie_inside_the_folder_of_masks(tmp_path: Path) -> None:
    saved(tmp_path / "photos" / "IDRiD_01.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    saved(tmp_path / "MA" / "IDRiD_01.png", TWO)
    found = read_masks(tmp_path, images=tmp_path / "photos")
    assert [photo.image for photo in found.photos] == ["IDRiD_01.png"]


def test_a_mask_of_another_size_than_its_photograph_is_an_error_with_both(tmp_path: Path) -> None:
    saved(tmp_path / "photos" / "a.jpg", np.zeros((18, 24, 3), np.uint8))
    saved(tmp_path / "masks" / "a_MA.png", TWO)
    with pytest.raises(TableError, match=r"has 12 x 9 pixels, the photograph a.jpg 24 x 18"):
        read_masks(tmp_path / "masks", images=tmp_path / "photos")


def test_photographs_beside_the_masks_are_found(tmp_path: Path) -> None:
    saved(tmp_path / "JPEGImages" / "a.jpeg", np.zeros((9, 12, 3), np.uint8))
    saved(tmp_path / "masks" / "a_MA.png", TWO)
    assert read_masks(tmp_path / "masks").photos[0].image == "a.jpeg"
    saved(tmp_path / "JPEGImages" / "a.jpeg", np.zeros((18, 24, 3), np.uint8))
    with pytest.raises(TableError, match=r"has 12 x 9 pixels, the photograph a.jpeg 24 x 18"):
        read_masks(tmp_path / "masks")


def test_masks_of_one_photograph_have_one_size(tmp_path: Path) -> None:
    saved(tmp_path / "a_HE.png", TWO)
    saved(tmp_path / "a_MA.png", TWO[:5])
    with pytest.raises(TableError, match=r"has 12 x 5 pixels, the mask .*a_HE.png 12 x 9"):
        read_masks(tmp_path)


def test_two_files_for_one_mask(tmp_path: Path) -> None:
    saved(tmp_path / "a_MA.png", TWO)
    saved(tmp_path / "a_MA.tif", TWO)
    with pytest.raises(TableError, match=r"both masks of microaneurysm of a.jpg"):
        read_masks(tmp_path)


@pytest.mark.parametrize("as_file", [False, True], ids=["argument", "file"])
@pytest.mark.parametrize("palette", [False, True])
def test_an_indexed_mask_with_stated_classes(as_file: bool, palette: bool, tmp_path: Path) -> None:
    values = TWO.astype(np.uint8) * 2
    values[8, 0] = 5
    image = Image.fromarray(values, mode="P" if palette else "L")
    if palette:
        image.putpalette(list(range(96)))
    image.save(tmp_path / "a.png")
    saved(tmp_path / "b.png", (values * 0).astype(np.uint16))
    if as_file:
        text = "\ufeff0 background\n# remark\n2: HE\r\n\n3,\tExudates\n"
        (tmp_path / "mask_classes.txt").write_bytes(text.encode())
    found = read_masks(tmp_path, classes=None if as_file else {2: "HE", 3: "Exudates"})
    assert boxes(found) == [
        ("a.jpg", "haemorrhage", EXPECTED[0]),
        ("a.jpg", "haemorrhage", EXPECTED[1]),
        ("a.jpg", "5", (0.0, 8.0, 1.0, 9.0)),
    ]
    assert [photo.image for photo in found.photos] == ["a.jpg", "b.jpg"]


def test_numbers_of_two_classes_that_are_one_kind(tmp_path: Path) -> None:
    values = TWO.astype(np.uint8)
    values[6] *= 2
    saved(tmp_path / "a.png", values)
    found = read_masks(tmp_path, classes={1: "NVD", 2: "NVE"})
    assert [(kind, box) for _, kind, box in boxes(found)] == [
        ("neovascularisation", box) for box in EXPECTED
    ]


@pytest.mark.parametrize("line", ["MA 1", "1", "1 MA\n1 HE", "99999 MA", "-1 MA"])
def test_a_table_of_classes_that_is_none(line: str) -> None:
    with pytest.raises(TableError, match="line"):
        classes_of(line, "mask_classes.txt")


def test_a_mask_in_colours_is_not_indexed(tmp_path: Path) -> None:
    saved(tmp_path / "a.png", MAKES["red"])
    with pytest.raises(PhotoError, match="mode RGB"):
        read_masks(tmp_path, classes={1: "MA"})


def test_colours_of_16_bits_are_refused_for_their_lower_half_would_vanish(tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    row = b"\0" + struct.pack(">6H", 0, 0, 0, 1, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    (tmp_path / "a_MA.png").write_bytes(png)
    with pytest.raises(PhotoError, match="16 bits"):
        read_masks(tmp_path)


def test_files_that_are_no_masks(tmp_path: Path) -> None:
    (tmp_path / "a_MA.png").write_bytes(b"no picture")
    with pytest.raises(PhotoError, match="is not an image"):
        read_masks(tmp_path)
    data = saved(tmp_path / "a_MA.png", TWO).read_bytes()
    (tmp_path / "a_MA.png").write_bytes(data[:50])
    with pytest.raises(PhotoError, match="cannot be read"):
        read_masks(tmp_path)
    pages = [Image.fromarray(TWO), Image.fromarray(TWO)]
    pages[0].save(tmp_path / "a_MA.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "a_MA.png").unlink()
    with pytest.raises(PhotoError, match="several pictures"):
        read_masks(tmp_path)


def test_a_mask_of_more_pixels_than_any_photograph(tmp_path: Path) -> None:
    Image.new("1", (20_000, 2)).save(tmp_path / "a_MA.png")
    with pytest.raises(PhotoError, match="on a side"):
        read_masks(tmp_path)
    Image.new("1", (16_000, 16_000)).save(tmp_path / "a_MA.png")
    with pytest.raises(PhotoError, match="million pixels"):
        read_masks(tmp_path)


def test_folders_without_masks(tmp_path: Path) -> None:
    for folder, words in ((tmp_path, "holds no mask"), (tmp_path / "none", "is no folder")):
        with pytest.raises(TableError, match=words):
            read_masks(folder)
    saved(tmp_path / ".hidden_MA.png", TWO)
    with pytest.raises(TableError, match="holds no mask"):
        read_masks(tmp_path)


def test_folders_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    saved(tmp_path / "a_MA.png", TWO)
    monkeypatch.setattr(Path, "rglob", refuse)
    with pytest.raises(TableError, match="cannot be read"):
        read_masks(tmp_path)
    with pytest.raises(TableError, match="cannot be read"):
        read_masks(tmp_path, images=tmp_path)


# Components


def test_specks_are_dropped_only_when_asked_and_told(tmp_path: Path) -> None:
    saved(tmp_path / "a_MA.png", TWO)
    found = read_masks(tmp_path, rules=Rules(min_pixels=3))
    assert [box for _, _, box in boxes(found)] == EXPECTED[:1]
    assert found.left_out == (Loss("specks", 1),)
    assert read_masks(tmp_path).left_out == ()


def test_a_seam_joins_what_it_parts() -> None:
    row = np.array([[1, 1, 0, 1, 0, 0, 1]], dtype=bool)
    counts = [len(components(row, Rules(seam=seam)).objects) for seam in range(4)]
    assert counts == [3, 2, 1, 1]
    assert [len(components(row.T, Rules(seam=seam)).objects) for seam in range(4)] == counts
    whole = components(row, Rules(seam=2)).objects[0]
    assert whole == Mask.of(row)
    corners = np.array([[1, 0, 0], [0, 0, 0], [0, 0, 1]], dtype=bool)
    assert len(components(corners, Rules(seam=1)).objects) == 1


@pytest.mark.parametrize("rules", [{"min_pixels": 0}, {"seam": -1}])
def test_rules_that_make_no_sense(rules: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        Rules(**rules)


some_pixels = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@settings(deadline=None)
@given(pixels=some_pixels, seam=st.integers(0, 3))
def test_components_part_the_pixels_and_no_two_touch(pixels: Pixels, seam: int) -> None:
    found = components(pixels, Rules(seam=seam)).objects
    total = np.zeros(pixels.shape, dtype=int)
    for number, mask in enumerate(found, start=1):
        height, width = mask.pixels.shape
        part = total[mask.y : mask.y + height, mask.x : mask.x + width]
        assert not part[mask.pixels].any()
        part[mask.pixels] = number
        assert mask.box == (mask.x, mask.y, mask.x + width, mask.y + height)
    assert np.array_equal(total > 0, pixels)
    for number in range(1, len(found) + 1):
        near = ndimage.binary_dilation(total == number, np.ones((2 * seam + 3,) * 2))
        assert not (near & pixels & (total != number)).any()
    firsts = [int(np.flatnonzero(total == number)[0]) for number in range(1, len(found) + 1)]
    assert firsts == sorted(firsts)


# Raster


def test_a_pixel_belongs_when_its_centre_lies_inside() -> None:
    assert fill_box((1, 1, 3, 4), 9, 9) == Mask(1, 1, np.ones((3, 2), bool))
    assert fill_box((0.5, 0.6, 2.5, 2.6), 9, 9) == Mask(0, 1, np.ones((2, 2), bool))
    assert fill_box((-5, -5, 100, 1), 4, 3) == Mask(0, 0, np.ones((1, 4), bool))


@pytest.mark.parametrize("box", [(9, 0, 10, 1), (-2, 0, 0, 1), (0, -3, 1, -1), (0, 9, 1, 9)])
def test_what_lies_outside_has_no_pixels(box: tuple[float, float, float, float]) -> None:
    assert fill_box(box, 9, 9) is None
    x0, y0, x1, y1 = box
    assert fill_outlines((((x0, y0), (x1, y0), (x1, y1)),), 9, 9) is None


def test_no_lesion_vanishes_for_being_small() -> None:
    assert fill_box((2.1, 3.1, 2.2, 3.2), 9, 9) == Mask(2, 3, np.ones((1, 1), bool))
    assert fill_box((0, 0, 0, 0), 9, 9) == Mask(0, 0, np.ones((1, 1), bool))
    tiny = ((2.1, 3.1), (2.3, 3.1), (2.2, 3.3))
    assert fill_outlines((tiny,), 9, 9) == Mask(2, 3, np.ones((1, 1), bool))
    # A sliver that has rows of centres beside it, but none inside.
    sliver = ((0.0, 0.0), (6.0, 0.2), (6.0, 0.3))
    assert fill_outlines((sliver,), 9, 9) is not None


@settings(deadline=None)
@given(
    x0=st.integers(-3, 12),
    y0=st.integers(-3, 12),
    width=st.integers(1, 9),
    height=st.integers(1, 9),
)
def test_a_rectangle_fills_the_same_as_box_and_as_outline(
    x0: int, y0: int, width: int, height: int
) -> None:
    x1, y1 = x0 + width, y0 + height
    outline = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
    assert fill_outlines((outline,), 10, 8) == fill_box((x0, y0, x1, y1), 10, 8)


coordinate = st.floats(-3, 15, allow_nan=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=7))
def test_a_polygon_has_the_pixels_whose_centres_an_odd_number_of_edges_passes(
    corners: list[tuple[float, float]],
) -> None:
    filled = fill_outlines((tuple(corners),), 12, 10)
    pixels = np.zeros((10, 12), dtype=bool)
    if filled is not None:
        height, width = filled.pixels.shape
        pixels[filled.y : filled.y + height, filled.x : filled.x + width] = filled.pixels
    edges = list(zip(corners, corners[1:] + corners[:1], strict=True))
    expected = np.zeros_like(pixels)
    for row, column in np.ndindex(pixels.shape):
        x, y = column + 0.5, row + 0.5
        passed = 0
        for (ax, ay), (bx, by) in edges:
            if min(ay, by) <= y < max(ay, by):
                passed += ax + (y - ay) * ((bx - ax) / (by - ay)) <= x
        expected[row, column] = passed % 2
    if expected.any():
        assert np.array_equal(pixels, expected)
    else:
        assert pixels.sum() <= 1


def test_polygons_that_share_an_edge_share_no_pixel_and_leave_none() -> None:
    left = ((0.0, 0.0), (7.0, 0.0), (3.0, 9.0), (0.0, 9.0))
    right = ((7.0, 0.0), (12.0, 0.0), (12.0, 9.0), (3.0, 9.0))
    one, other = fill_outlines((left,), 12, 9), fill_outlines((right,), 12, 9)
    assert one is not None
    assert other is not None
    assert one.area + other.area == 12 * 9


# Writing


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)


def of_mask(kind: str, pixels: Pixels) -> Annotation:
    mask = Mask.of(pixels)
    return Annotation(kind=kind, box=mask.box, mask=mask)


def test_masks_come_back_as_they_were(tmp_path: Path) -> None:
    items = (
        of_mask("microaneurysm", blob((1, 1), (2, 2))),
        of_mask("microaneurysm", blob((7, 7))),
        of_mask("optic_disc", blob((0, 0))),
        of_mask("a/b: 新_x", blob((5, 5))),
    )
    found = AnnotationSet(
        photos=(
            photo(*items, image="sub/a b.jpg", source="IDRiD"),
            photo(image="sub/照片.png"),
            photo(items[0], image="x.png"),
            photo(items[1], image="x.tif"),
        ),
        kinds=("microaneurysm", "optic_disc", "a/b: 新_x"),
        splits={"train": ("sub/a b.jpg", "x.png"), "trainval": ("sub/a b.jpg",)},
    )
    assert write_masks(found, tmp_path / "out") == ()
    assert read_masks(tmp_path / "out") == found
    written = {path.name for path in (tmp_path / "out").rglob("*.png")}
    assert {"a b_MA.png", "a b_OD.png", "x.png_MA.png", "x.tif_MA.png"} < written
    with Image.open(tmp_path / "out" / "sub" / "a b_MA.png") as image:
        assert (image.mode, image.size) == ("1", (WIDTH, HEIGHT))
    assert list((tmp_path / "out").rglob(".*")) == []


def test_masks_from_outlines_and_boxes_tell_what_is_lost(tmp_path: Path) -> None:
    outline = ((1.0, 1.0), (4.0, 1.0), (4.0, 4.0), (1.0, 4.0))
    found = AnnotationSet(
        photos=(
            photo(
                Annotation(kind="irma", box=(1, 1, 4, 4), outlines=(outline,)),
                Annotation(kind="irma", box=(6.2, 1, 8, 2.5), score=0.5),
                Annotation(kind="irma", box=(50, 50, 60, 60)),
                Annotation(kind="irma", box=(2, 4, 3, 5)),
                of_mask("fovea", blob((0, 0), (5, 5))),
            ),
        )
    )
    told = {loss.what: loss.count for loss in write_masks(found, tmp_path)}
    assert told == {
        "sub-pixel boxes": 1,
        "outlines": 1,
        "score": 1,
        "objects outside the photograph": 1,
        "objects that touch others of their class": 2,
        "objects in several pieces": 1,
    }
    again = read_masks(tmp_path)
    assert [(kind, box) for _, kind, box in boxes(again)] == [
        ("irma", (1.0, 1.0, 4.0, 5.0)),
        ("irma", (6.0, 1.0, 8.0, 2.0)),
        ("fovea", (0.0, 0.0, 1.0, 1.0)),
        ("fovea", (5.0, 5.0, 6.0, 6.0)),
    ]


def test_a_mask_that_reaches_beyond_the_photograph_is_cut() -> None:
    item = Annotation(kind="irma", box=(0, 0, 1, 1), mask=Mask(-1, -1, np.ones((3, 3), bool)))
    assert pixels_of(item, 5, 5) == Mask(0, 0, np.ones((2, 2), bool))
    far = Annotation(kind="irma", box=(0, 0, 1, 1), mask=Mask(9, 9, np.ones((3, 3), bool)))
    assert pixels_of(far, 5, 5) is None


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    found = AnnotationSet(photos=(photo(of_mask("irma", TWO)),))
    write_masks(found, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="is there already"):
        write_masks(AnnotationSet(photos=(photo(image="b.jpg"),)), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    write_masks(AnnotationSet(photos=(photo(image="b.jpg"),)), tmp_path, overwrite=True)
    assert [each.image for each in read_masks(tmp_path).photos] == ["b.jpg"]


@pytest.mark.parametrize("size", [(0, 9), (9, 0), (20_000, 9), (16_000, 16_000)])
def test_a_photograph_of_unknown_or_impossible_size(size: tuple[int, int], tmp_path: Path) -> None:
    nameless = AnnotatedPhoto(image="a.jpg", width=size[0], height=size[1])
    with pytest.raises(UsageError, match="as its annotations say"):
        write_masks(AnnotationSet(photos=(nameless,)), tmp_path / "out")
    assert not any(tmp_path.rglob("*"))


def test_a_name_that_climbs_out_of_the_folder_stays_in_it(tmp_path: Path) -> None:
    found = AnnotationSet(photos=(photo(of_mask("irma", TWO), image="../../x.jpg"),))
    write_masks(found, tmp_path / "deep" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert (tmp_path / "deep" / "out" / "x_irma.png").is_file()


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("width", "many", "line 2: has no size in whole pixels"),
        ("width", "13", "has 12 x 9 pixels, a.jpg in masks.csv 13 x 9"),
        ("mask", "../../a.png", "a.png"),
    ],
)
def test_a_table_of_masks_that_is_wrong(
    column: str, value: str, words: str, tmp_path: Path
) -> None:
    write_masks(AnnotationSet(photos=(photo(of_mask("irma", TWO)),)), tmp_path)
    with (tmp_path / "masks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0][column] = value
    with (tmp_path / "masks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    with pytest.raises((TableError, PhotoError), match=words):
        read_masks(tmp_path)


@settings(max_examples=25, deadline=None)
@given(layers=st.lists(arrays(np.bool_, (HEIGHT, WIDTH)), min_size=1, max_size=3))
def test_any_masks_there_and_back(
    layers: list[Pixels], tmp_path_factory: pytest.TempPathFactory
) -> None:
    kinds = ("microaneurysm", "haemorrhage", "hard_exudate")
    items = [
        Annotation(kind=kind, box=mask.box, mask=mask)
        for kind, pixels in zip(kinds, layers, strict=False)
        for mask in components(pixels).objects
    ]
    there = tuple(kind for kind in kinds if any(item.kind == kind for item in items))
    found = AnnotationSet(photos=(photo(*items),), kinds=there)
    out = tmp_path_factory.mktemp("masks")
    assert write_masks(found, out) == ()
    assert read_masks(out) == found


@pytest.mark.skipif(not IDRID.is_dir(), reason="needs ../shared/data")
@pytest.mark.slow
def test_idrid_photograph_01_gives_the_rows_of_its_table(tmp_path: Path) -> None:
    for path in (IDRID / "masks").glob("IDRiD_01_*.png"):
        (tmp_path / path.name).symlink_to(path)
    found = read_masks(tmp_path)
    rows = sorted(
        (item.kind, int(item.box[0]) + 1, int(item.box[1]) + 1, int(item.box[2]), int(item.box[3]))
        for item in found.photos[0].annotations
    )
    with (IDRID / "objects.csv").open(newline="") as file:
        table = [row for row in csv.DictReader(file) if row["image"] == "IDRiD_01"]
    assert rows == sorted(
        (row["class"], *(int(row[name]) for name in ("xmin", "ymin", "xmax", "ymax")))
        for row in table
    )
