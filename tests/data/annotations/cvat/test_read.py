"""CVAT's XML for images is read."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    Loss,
    Mask,
)
from fundoscope.data.annotations.cvat.read import read_cvat
from fundoscope.data.annotations.shapes import extent
from fundoscope.errors import TableError

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
    annotated = read_cvat(tmp_path)
    empty, photo = sorted(annotated.photos, key=lambda photo: photo.image)
    assert (empty.image, empty.width, empty.height, empty.annotations) == ("b.jpg", 10, 20, ())
    assert (photo.image, photo.width, photo.height) == ("眼 1/IDRiD 01.jpg", 4288, 2848)
    assert annotated.kinds == ("hard_exudate", "microaneurysm", "quux")
    assert annotated.splits == {"Train": ("眼 1/IDRiD 01.jpg",)}
    assert annotated.left_out == (
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
        ('<polygon label="MA"/>', "not a corner"),
        ('<polygon label="MA" points="1,1;2,2;3"/>', "'3' is not a corner"),
        ('<mask label="MA" rle="4" left="0" top="0" width="2" height="2"/>', "has no pixel"),
        ('<mask label="MA" rle="1, 2" left="0" top="0" width="2" height="2"/>', "cover 3 pixels"),
        (
            '<mask label="MA" rle="5, -1" left="0" top="0" width="2" height="2"/>',
            "not a run length",
        ),
        ('<mask label="MA" rle="" left="0" top="0" width="2" height="2"/>', "not a run length"),
        (
            '<mask label="MA" rle="0, 4" left="0.5" top="0" width="2" height="2"/>',
            "not a whole pixel",
        ),
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
        ("<annotations><image width='1' height='1'/></annotations>", "not a name of a photograph"),
        (
            "<annotations><image name='a' width='1' height='1'/>"
            "<image name='a' width='1' height='1'/></annotations>",
            "lists a twice",
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


def photo(*items: Annotation, image: str = "a.jpg") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=200, height=100, annotations=items)
