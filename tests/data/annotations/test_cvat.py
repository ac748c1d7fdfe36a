"""CVAT's XML for images."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from fundoscope.data.annotations.cvat.shapes import runs
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.cvat.read import read_cvat
from fundoscope.data.annotations.cvat.write import write_cvat
from fundoscope.data.annotations.shapes import ellipse, extent
from fundoscope.errors import OutputError, TableError

HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'


def document(tmp_path: Path, shapes: str, *, image: str = "", head: str = HEAD) -> Path:
    path = tmp_path / "annotations.xml"
    image = image or '<image id="0" name="a.jpg" width="200" height="100">'
    path.write_text(f"{head}<annotations>{image}{shapes}</image></annotations>", encoding="utf-8")
    return path


def only(path: Path) -> Annotation:
    ((item,),) = (photo.annotations for photo in read_cvat(path).photos)
    return item


def test_an_export_as_cvat_makes_it(tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(
        """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta>
    <project>
      <id>7</id><name>eyes</name>
      <tasks><task><id>9</id><name>first</name></task></tasks>
      <labels>
        <label><name>硬性渗出</name><color>#ff0000</color><type>any</type><attributes/></label>
        <label><name>MA</name><color>#00ff00</color><type>rectangle</type>
          <attributes><attribute><name>sure</name><mutable>False</mutable>
          <input_type>select</input_type><default_value>yes</default_value>
          <values>yes\nno</values></attribute></attributes></label>
        <label><name>quux</name></label>
      </labels>
    </project>
    <dumped>2026-01-01 00:00:00+00:00</dumped>
  </meta>
  <image id="3" name="眼 1/IDRiD 01.jpg" subset="Train" task_id="9" width="4288" height="2848">
    <box label="MA" source="manual" occluded="1" xtl="2677.00" ytl="291.50" xbr="2693.00"
         ybr="305.00" z_order="2">
      <attribute name="sure">no</attribute>
      <attribute name="empty"></attribute>
    </box>
    <polygon label="硬性渗出" source="auto" occluded="0" points="1.00,2.00;5.50,2.00;5.00,9.00"
             z_order="0"/>
    <mask label="quux" source="manual" occluded="0" rle="1, 2, 1, 2" left="10" top="20" width="3"
          height="2" z_order="0"/>
    <points label="MA" source="manual" occluded="0" points="1.00,1.00" z_order="0"/>
    <polyline label="MA" source="manual" occluded="0" points="1.00,1.00;2.00,2.00" z_order="0"/>
    <skeleton label="MA" source="manual" z_order="0"><points label="1" points="1,1"/></skeleton>
    <tag label="MA" source="manual"/>
    <hologram label="MA" source="manual"/>
  </image>
  <image id="4" name="b.jpg" width="10" height="20"/>
</annotations>
""",
        encoding="utf-8",
    )
    found = read_cvat(tmp_path)
    empty, photo = sorted(found.photos, key=lambda photo: photo.image)
    assert (empty.image, empty.width, empty.height, empty.annotations) == ("b.jpg", 10, 20, ())
    assert (photo.image, photo.width, photo.height) == ("眼 1/IDRiD 01.jpg", 4288, 2848)
    assert found.kinds == ("hard_exudate", "microaneurysm", "quux")
    assert found.splits == {"Train": ("眼 1/IDRiD 01.jpg",)}
    assert found.left_out == (
        Loss("points", 1),
        Loss("polylines", 1),
        Loss("shapes of other kinds", 1),
        Loss("skeletons", 1),
        Loss("tags of whole photographs", 1),
    )
    pixels = np.array([[0, 1, 1], [0, 1, 1]], dtype=bool)
    outline = ((1.0, 2.0), (5.5, 2.0), (5.0, 9.0))
    assert photo.annotations == (
        Annotation(
            kind="microaneurysm",
            box=(2677.0, 291.5, 2693.0, 305.0),
            attributes={"occluded": "1", "z_order": "2", "sure": "no", "empty": ""},
        ),
        Annotation(
            kind="hard_exudate",
            box=(1.0, 2.0, 5.5, 9.0),
            outlines=(outline,),
            attributes={"source": "auto"},
        ),
        Annotation(kind="quux", box=(11.0, 20.0, 13.0, 22.0), mask=Mask.of(pixels, 10, 20)),
    )


def test_a_turned_box_becomes_its_outline(tmp_path: Path) -> None:
    box = '<box label="MA" xtl="10" ytl="20" xbr="30" ybr="24" rotation="{}"/>'
    item = only(document(tmp_path, box.format("90.0")))
    assert item.box == (18.0, 12.0, 22.0, 32.0)
    assert item.outlines == (((22.0, 12.0), (22.0, 32.0), (18.0, 32.0), (18.0, 12.0)),)
    item = only(document(tmp_path, box.format("45")))
    reach = (20 + 4) / math.sqrt(8)
    assert item.box == pytest.approx((20 - reach, 22 - reach, 20 + reach, 22 + reach))
    assert only(document(tmp_path, box.format("360"))).outlines == ()


def test_an_ellipse_becomes_an_outline_and_its_exact_box(tmp_path: Path) -> None:
    shape = '<ellipse label="OD" cx="60" cy="50" rx="40" ry="30" rotation="90"/>'
    item = only(document(tmp_path, shape))
    assert item.kind == "optic_disc"
    assert item.box == (30.0, 10.0, 90.0, 90.0)
    (outline,) = item.outlines
    assert extent([outline]) == pytest.approx(item.box, abs=0.1)
    for x, y in outline:
        assert math.hypot((x - 60) / 30, (y - 50) / 40) == pytest.approx(1.0)


@settings(deadline=None)
@given(rx=st.floats(0, 300), ry=st.floats(0, 300), degrees=st.floats(-400, 400, allow_nan=False))
def test_an_ellipses_outline_lies_in_its_box_and_nearly_fills_it(
    rx: float, ry: float, degrees: float
) -> None:
    outline, box = ellipse(0.0, 0.0, rx, ry, degrees)
    inner = extent([outline])
    assert all(abs(a - b) <= 0.11 * 2 for a, b in zip(inner, box, strict=True))
    assert inner[0] >= box[0] - 1e-9
    assert inner[3] <= box[3] + 1e-9


def test_swapped_corners_are_put_in_order(tmp_path: Path) -> None:
    item = only(document(tmp_path, '<box label="MA" xtl="9" ytl="1" xbr="4" ybr="7"/>'))
    assert item.box == (4.0, 1.0, 9.0, 7.0)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ('<box label="MA" xtl="nan" ytl="0" xbr="1" ybr="1"/>', "xtl: NaN is not a finite"),
        ('<box label="MA" xtl="0" ytl="0" xbr="inf" ybr="1"/>', "xbr: Infinity is not"),
        ('<box label="MA" xtl="0" ytl="0" xbr="1e999999999" ybr="1"/>', "too large"),
        ('<box label="MA" xtl="0" ytl="0" xbr="many" ybr="1"/>', "'many' is not a number"),
        ('<box label="MA" xtl="0" ytl="0" xbr="1"/>', "has no ybr"),
        ('<box xtl="0" ytl="0" xbr="1" ybr="1"/>', "has no label"),
        ('<box label="MA" xtl="0" ytl="0" xbr="1" ybr="1" rotation="x"/>', "rotation"),
        ('<polygon label="MA" points="1,1;2,2"/>', "has 2 corners"),
        ('<polygon label="MA"/>', "no corner"),
        ('<polygon label="MA" points="1,1;2,2;3"/>', "'3' is no corner"),
        ('<mask label="MA" rle="4" left="0" top="0" width="2" height="2"/>', "has no pixel"),
        ('<mask label="MA" rle="1, 2" left="0" top="0" width="2" height="2"/>', "cover 3 pixels"),
        ('<mask label="MA" rle="5, -1" left="0" top="0" width="2" height="2"/>', "no run length"),
        ('<mask label="MA" rle="" left="0" top="0" width="2" height="2"/>', "no run length"),
        ('<mask label="MA" rle="0, 4" left="0.5" top="0" width="2" height="2"/>', "no whole pixel"),
        ('<mask label="MA" rle="0, 4" left="0" top="0" width="0" height="2"/>', "0 x 2 pixels"),
        (
            '<mask label="MA" rle="0, 4" left="0" top="0" width="16000" height="16000"/>',
            "16000 x 16000 pixels",
        ),
        (
            '<box label="MA" xtl="0" ytl="0" xbr="1" ybr="1">'
            '<attribute name="score">2</attribute></box>',
            "score of 2",
        ),
    ],
)
def test_a_broken_shape_is_named(shape: str, words: str, tmp_path: Path) -> None:
    good = '<box label="MA" xtl="0" ytl="0" xbr="1" ybr="1"/>'
    with pytest.raises(TableError) as caught:
        read_cvat(document(tmp_path, good + shape))
    assert words in str(caught.value)
    assert "a.jpg, shape 2 (" in caught.value.what


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<annotations><image></annotations>", "not well-formed XML (mismatched tag: line 1"),
        ("<annotation/>", 'is not "CVAT for images"'),
        ("<annotations><track id='0'/></annotations>", 'is not "CVAT for images"'),
        ("", "is empty"),
        ("<annotations><image name='a.jpg'/></annotations>", "has no width and height"),
        ("<annotations><image name='a.jpg' width='x' height='1'/></annotations>", "'x' is no"),
        ("<annotations><image name='a.jpg' width='0' height='1'/></annotations>", "'0' is no"),
        ("<annotations><image width='1' height='1'/></annotations>", "no name of a photograph"),
        (
            "<annotations><image name='a' width='1' height='1'/>"
            "<image name='a' width='1' height='1'/></annotations>",
            "has a twice",
        ),
        (
            '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotations>&x;</annotations>',
            "declares entities",
        ),
        (
            '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;">]>'
            "<annotations>&b;</annotations>",
            "declares entities",
        ),
        ('<?xml version="1.0" encoding="klingon"?><annotations/>', "encoding"),
    ],
)
def test_a_document_that_is_none(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "annotations.xml").write_text(text)
    with pytest.raises(TableError) as caught:
        read_cvat(tmp_path)
    assert words in str(caught.value)


def test_a_missing_document(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="does not exist"):
        read_cvat(tmp_path)
    (tmp_path / "annotations.xml").mkdir()
    with pytest.raises(TableError, match="cannot be read"):
        read_cvat(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(encoding: str, tmp_path: Path) -> None:
    text = "<annotations><image name='眼.jpg' width='1' height='1'/></annotations>"
    (tmp_path / "annotations.xml").write_text(text, encoding=encoding)
    assert [photo.image for photo in read_cvat(tmp_path).photos] == ["眼.jpg"]


def test_photographs_give_names_and_missing_sizes(tmp_path: Path) -> None:
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    Image.new("RGB", (31, 17)).save(tmp_path / "photos" / "sub" / "a.jpg")
    path = document(tmp_path, "", image='<image id="0" name="a.jpg">')
    (photo,) = read_cvat(path, images=tmp_path / "photos").photos
    assert (photo.image, photo.width, photo.height) == ("sub/a.jpg", 31, 17)


# Writing


def photo(*items: Annotation, image: str = "a.jpg") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=200, height=100, annotations=items)


PIXELS = np.array([[1, 0, 0], [0, 1, 1]], dtype=bool)
TRIANGLE = ((1.0, 1.0), (9.1, 1.5), (4.0, 8.25))
ITEMS = (
    Annotation(kind="microaneurysm", box=(0.1, 1 / 3, 2.7, 1e3 / 7), score=0.1, author="模型 <1>"),
    Annotation(kind='a "b" & c', box=(1, 2, 3, 4), difficult=True, author="A"),
    Annotation(kind="irma", box=(1.0, 1.0, 9.1, 8.25), outlines=(TRIANGLE,)),
    Annotation(
        kind="irma",
        box=Mask.of(PIXELS, 7, 8).box,
        mask=Mask.of(PIXELS, 7, 8),
        attributes={"occluded": "1", "z_order": "-2", "source": "semi-auto", "x\ny": "1\r\n<2>"},
    ),
    Annotation(kind="irma", box=(0, 0, 1, 1), attributes={"occluded": "0", "source": "COCO"}),
)


def test_everything_that_cvat_holds_comes_back(tmp_path: Path) -> None:
    found = AnnotationSet(
        photos=(photo(*ITEMS, image="sub/a 眼.jpg"), photo(image="z.jpg")),
        kinds=("irma", "microaneurysm", 'a "b" & c', "laser_scar"),
        splits={"train": ("z.jpg",)},
    )
    assert write_cvat(found, tmp_path) == ()
    assert read_cvat(tmp_path) == found
    root = ET.parse(tmp_path / "annotations.xml").getroot()
    assert [label.text for label in root.iterfind("meta/task/labels/label/name")] == list(
        found.kinds
    )
    assert root.findtext("version") == "1.1"
    shapes = root.findall("image")[0]
    assert [shape.tag for shape in shapes] == ["box", "box", "polygon", "mask", "box"]
    for shape in shapes:
        # What CVAT's own reader asks of every shape.
        assert shape.get("occluded") in ("0", "1")
        assert int(shape.get("z_order", "")) in (0, -2)


def test_cvats_own_rules_read_our_masks_to_the_same_pixels(tmp_path: Path) -> None:
    found = AnnotationSet(photos=(photo(ITEMS[3]),))
    write_cvat(found, tmp_path / "one.xml")
    shape = ET.parse(tmp_path / "one.xml").getroot().find("image/mask")
    assert shape is not None
    left, top, width, height = (
        int(shape.attrib[key]) for key in ("left", "top", "width", "height")
    )
    flat = np.zeros(width * height, dtype=bool)
    value, place = False, 0
    for length in map(int, shape.attrib["rle"].split(",")):
        flat[place : place + length] = value
        value, place = not value, place + length
    assert place == width * height
    assert Mask.of(flat.reshape(height, width), left, top) == ITEMS[3].mask


def test_what_cvat_cannot_hold_is_told(tmp_path: Path) -> None:
    other = Annotation(kind="irma", box=(0, 0, 5, 5), outlines=(TRIANGLE,))
    two = Annotation(
        kind="irma",
        box=(1, 1, 9, 9),
        outlines=(((1.0, 1.0), (4.0, 1.0), (1.0, 4.0)), ((5.0, 5.0), (9.0, 5.0), (9.0, 9.0))),
    )
    both = Annotation(kind="irma", box=(7, 8, 10, 10), outlines=(TRIANGLE,), mask=ITEMS[3].mask)
    named = Annotation(kind="irma", box=(0, 0, 1, 1), attributes={"score": "high"})
    found = AnnotationSet(
        photos=(
            AnnotatedPhoto(
                image="a.jpg",
                width=20,
                height=20,
                annotations=(other, two, both, named),
                source="IDRiD",
            ),
        ),
        splits={"train": ("a.jpg",), "trainval": ("a.jpg",)},
        kinds=("irma",),
    )
    assert write_cvat(found, tmp_path) == (
        Loss("source", 1),
        Loss("splits", 1),
        Loss("outlines", 2),
        Loss("attributes", 1),
        Loss("boxes other than around their outline or mask", 1),
    )
    again = read_cvat(tmp_path)
    assert again.splits == {"train": ("a.jpg",)}
    kept = again.photos[0].annotations
    assert [item.mask is not None for item in kept] == [False, True, True, False]
    assert kept[0].box == extent([TRIANGLE])
    assert kept[3].attributes == {}


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    found = AnnotationSet(photos=(photo(),))
    write_cvat(found, tmp_path)
    with pytest.raises(OutputError, match="is there already"):
        write_cvat(found, tmp_path)
    write_cvat(found, tmp_path, overwrite=True)


@settings(deadline=None)
@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_run_lengths_begin_blank_and_cover_the_frame(pixels: NDArray[np.bool_]) -> None:
    if not pixels.any():
        return
    mask = Mask.of(pixels)
    lengths = runs(mask)
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    assert np.array_equal(flat.reshape(mask.pixels.shape), mask.pixels)
    assert min(lengths[1:]) > 0


number = st.floats(-1e4, 1e4, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-9)


@settings(max_examples=50, deadline=None)
@given(
    corners=st.tuples(number, number, number, number),
    score=st.none() | st.floats(0, 1),
    text=st.text(
        st.characters(
            codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"
        ),
        min_size=1,
    ),
)
def test_any_box_comes_back_as_it_was(
    corners: tuple[float, float, float, float],
    score: float | None,
    text: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    x0, y0, x1, y1 = corners
    box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    item = Annotation(kind="irma", box=box, score=score, author=text, attributes={text: text})
    found = AnnotationSet(photos=(photo(item),), kinds=("irma",))
    out = tmp_path_factory.mktemp("cvat")
    losses = write_cvat(found, out)
    if not losses:
        assert read_cvat(out) == found
