"""Pascal VOC is read: where the pixel lies, the dialects, and bad input."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fundoscope.data.annotations.annotation import (
    Annotation,
    AnnotationSet,
)
from fundoscope.data.annotations.voc.read import read_voc
from fundoscope.data.annotations.voc.write import write_voc
from fundoscope.errors import TableError

IDRID = Path("../shared/data/lesions/idrid")


needs_idrid = pytest.mark.skipif(not IDRID.is_dir(), reason="the real data are not here")


def document(
    *boxes: tuple[object, ...],
    filename: str = "a.jpg",
    size: tuple[int, int] | None = (100, 80),
    root: str = "<annotation>",
    name: str = "MA",
    more: str = "",
) -> str:
    """A VOC document with boxes (xmin, ymin, xmax, ymax)."""
    sizes = (
        "" if size is None else f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    )
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox>{more}</object>"
        for x0, y0, x1, y1 in boxes
    )
    return f"{root}<filename>{filename}</filename>{sizes}{objects}</annotation>"


def boxes_of(annotated: AnnotationSet) -> list[tuple[float, ...]]:
    return [item.box for photo in annotated.photos for item in photo.annotations]


@pytest.fixture
def xml(tmp_path: Path) -> Callable[..., Path]:
    def save(text: str | bytes, name: str = "a.xml") -> Path:
        path = tmp_path / "set" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return save


def test_the_first_pixel_alone_is_the_box_from_0_to_1(xml: Callable[..., Path]) -> None:
    annotated = read_voc(xml(document((1, 1, 1, 1), (1, 1, 100, 80))))
    assert boxes_of(annotated) == [(0, 0, 1, 1), (0, 0, 100, 80)]
    assert annotated.warnings == ()
    assert annotated.kinds == ("microaneurysm",)


def test_a_coordinate_of_0_says_that_the_whole_set_counts_from_0(
    xml: Callable[..., Path],
) -> None:
    xml(document((5, 5, 9, 9)), "a.xml")
    path = xml(document((0, 3, 9, 9), filename="b.jpg"), "b.xml")
    annotated = read_voc(path.parent)
    assert boxes_of(annotated) == [(5, 5, 10, 10), (0, 3, 10, 10)]
    assert re.match(
        r"b.xml has a coordinate of 0: .* read as first and last pixels counted from 0",
        annotated.warnings[0],
    )
    assert boxes_of(read_voc(path.parent, origin=1)) == [(4, 4, 9, 9), (-1, 2, 9, 9)]
    assert read_voc(path.parent, origin=1).warnings == ()


@pytest.mark.parametrize("corners", [(0, 0, 100, 80), ("0.0", "1.0", "5.0", "5.0"), (0, 1, 5, 80)])
def test_corners_from_0_that_no_pixel_can_have_are_points(
    xml: Callable[..., Path], corners: tuple[object, ...]
) -> None:
    annotated = read_voc(xml(document(corners)))
    assert boxes_of(annotated) == [tuple(float(str(corner)) for corner in corners)]
    assert "as points" in annotated.warnings[0]


def test_the_caller_or_the_file_says_where_counting_begins(xml: Callable[..., Path]) -> None:
    path = xml(document((5, 5, 9, 9)))
    assert boxes_of(read_voc(path, origin=0)) == [(5, 5, 10, 10)]
    path = xml(document((5, 5, 9, 9), root='<annotation origin="0">'))
    assert boxes_of(read_voc(path)) == [(5, 5, 10, 10)]
    path = xml(document((0, 5, 9, 9), root='<annotation origin="1">'))
    assert boxes_of(read_voc(path)) == [(-1, 4, 9, 9)]
    with pytest.raises(TableError, match="has the origin '2'"):
        read_voc(xml(document(root='<annotation origin="2">')))


def test_corners_that_are_swapped_are_put_right_and_reported(xml: Callable[..., Path]) -> None:
    annotated = read_voc(xml(document((10, 20, 5, 2), (3, 3, 3, 3))))
    assert boxes_of(annotated) == [(4, 1, 10, 20), (2, 2, 3, 3)]
    assert annotated.warnings == ("1 boxes had swapped corners, which were put in order",)


def test_labelimgs_dialect(xml: Callable[..., Path], tmp_path: Path) -> None:
    text = (
        '<annotation verified="yes"><folder>x</folder><filename>a.jpg</filename>'
        "<path>C:\\Users\\me\\a.jpg</path><source><database>Unknown</database></source>"
        "<size><width>100</width><height>80</height><depth>3</depth></size>"
        "<segmented>0</segmented><object><name>出血</name><pose>Unspecified</pose>"
        "<truncated>1</truncated><difficult>1</difficult><bndbox><xmin>1</xmin><ymin>2</ymin>"
        "<xmax>50</xmax><ymax>40</ymax></bndbox></object></annotation>"
    )
    annotated = read_voc(xml(text))
    (item,) = annotated.photos[0].annotations
    assert item == Annotation(
        kind="haemorrhage",
        box=(0, 1, 50, 40),
        difficult=True,
        attributes={"truncated": "1", "verified": "yes"},
    )
    assert annotated.photos[0].source == ""
    write_voc(annotated, tmp_path / "out")
    written = (tmp_path / "out" / "Annotations" / "a.xml").read_text()
    assert written.startswith('<annotation verified="yes">')
    assert "Users" not in written
    assert read_voc(tmp_path / "out") == annotated


def test_a_size_that_is_not_told_is_that_of_the_photograph(
    xml: Callable[..., Path], save_eye: Callable[..., Path]
) -> None:
    path = xml(document((1, 1, 5, 5), size=(0, 0)))
    with pytest.raises(TableError, match=r"has no size.*a\.jpg is not found; .*--images"):
        read_voc(path)
    save_eye(path.parent / "a.jpg", width=90, height=70)
    photo = read_voc(path).photos[0]
    assert (photo.width, photo.height) == (90, 70)
    path = xml(document(size=None))
    assert read_voc(path).photos[0].width == 90


def test_a_photograph_renamed_with_its_file_is_found(
    xml: Callable[..., Path], save_eye: Callable[..., Path]
) -> None:
    path = xml(document((1, 1, 5, 5), filename="old.jpg"), "new name.xml")
    save_eye(path.parent / "new name.png")
    assert read_voc(path).photos[0].image == "new name.png"
    path = xml(document(filename="000005"), "000005.xml")
    assert read_voc(path).photos[0].image == "000005.jpg"


def test_annotations_without_photograph_and_the_reverse_are_counted(
    xml: Callable[..., Path], save_eye: Callable[..., Path]
) -> None:
    root = xml(document(), "Annotations/a.xml").parent.parent
    for name in ("b.jpg", "c.jpg"):
        save_eye(root / "JPEGImages" / name)
    first, second = read_voc(root).warnings
    assert first == f"1 annotated photographs are not in {root / 'JPEGImages'}"
    assert second == f"2 photographs in {root / 'JPEGImages'} have no annotation file"


def test_lists_of_names(xml: Callable[..., Path]) -> None:
    root = xml(document(filename="a b.jpg"), "Annotations/a b.xml").parent.parent
    xml(document(filename="c.jpg"), "Annotations/c.xml")
    xml("\ufeffa b\r\nc.jpg\r\ngone\n\n", "train.txt")
    xml("These photographs …", "README.txt")
    annotated = read_voc(root)
    assert annotated.splits == {"train": ("a b.jpg", "c.jpg")}
    assert annotated.warnings == ("train.txt lists 1 names that have no annotation file",)
    xml("c\n", "ImageSets/Main/val.txt")
    xml("", "ImageSets/Main/test.txt")
    xml("a b -1\nc  1\n", "ImageSets/Main/haemorrhage_val.txt")
    assert read_voc(root).splits == {"val": ("c.jpg",), "test": ()}
    xml("出血".encode("gb2312"), "ImageSets/Main/val.txt")
    with pytest.raises(TableError, match=r"val.txt: is not UTF-8"):
        read_voc(root)


def test_an_object_with_a_polygon_alone_and_other_elements(xml: Callable[..., Path]) -> None:
    polygon = "<polygon><x1>2</x1><y1>3</y1><x2>9</x2><y2>3</y2><x3>9</x3><y3>8</y3></polygon>"
    text = document().replace(
        "</annotation>",
        f"<object><name>EX</name>{polygon}<occluded>1</occluded><part><name>x</name></part>"
        "<attributes><attribute><name>seen</name><value>twice</value></attribute></attributes>"
        "</object></annotation>",
    )
    (item,) = read_voc(xml(text)).photos[0].annotations
    assert item.box == (1, 2, 8, 7)
    assert item.outlines == (((1, 2), (8, 2), (8, 7)),)
    assert item.attributes == {"occluded": "1", "seen": "twice"}


BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<annotation><filename>&b;</filename></annotation>"""


EXTERNAL = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<annotation><filename>&a;</filename></annotation>"""


POINTS = "<polygon><x1>1</x1><y1>1</y1><x2>3</x2><y2>3</y2></polygon>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("<annotation><filename>", "is not well-formed XML .*line 1, column 22"),
        (BOMB, "declares entities or refers to other files"),
        (EXTERNAL, "declares entities or refers to other files"),
        ("<annotations/>", r"is <annotations>, not the <annotation> of Pascal VOC"),
        (document((1, 1, "NaN", 5)), r"a.xml, object 1 \(MA\), xmax: NaN is not a finite number"),
        (document((1, 1, 5, 5), (1, "", 5, 5)), r"object 2 \(MA\), ymin: '' is not a number"),
        (document((1, 1, "1e400000000", 5)), "too large, or has too many decimals"),
        (document((1, 1, 5, "Infinity")), "is not a finite number"),
        (document((1, 1, 5, 5), name=" "), "object 1: has no name"),
        (document((1, 1, 5, 5), more="<score>7</score>"), "score: 7 is not from 0 to 1"),
        (document((1, 1, 5, 5), more=POINTS), "a polygon of fewer than three corners"),
        (document().replace("</annotation>", "<object><name>a</name></object></annotation>"),
         "has no bndbox"),
        (document(filename="a\nb.jpg"), "is not a name of a photograph"),
        ('<?xml version="1.0" encoding="gb2312"?><annotation/>', "encoding that cannot be read"),
    ],
)  # fmt: skip
def test_bad_files_are_named_with_what_is_wrong(
    xml: Callable[..., Path], text: str, said: str
) -> None:
    with pytest.raises(TableError, match=said):
        read_voc(xml(text))


def test_a_folder_without_files_and_one_photograph_twice(
    xml: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(TableError, match="has no XML files"):
        read_voc(tmp_path)
    xml(document(), "a.xml")
    with pytest.raises(TableError, match=r"b.xml: annotates a.jpg, and so does a.xml"):
        read_voc(xml(document(), "b.xml").parent)


def test_a_byte_order_mark_and_utf_16_are_read(xml: Callable[..., Path]) -> None:
    assert read_voc(xml("\ufeff" + document(filename="出血.jpg"))).photos[0].image == "出血.jpg"
    text = '<?xml version="1.0" encoding="utf-16"?>' + document(filename="出血.jpg")
    assert read_voc(xml(text.encode("utf-16"))).photos[0].image == "出血.jpg"


@needs_idrid
def test_idrid_is_its_table_and_comes_back(tmp_path: Path) -> None:
    for name in ("IDRiD_01", "IDRiD_55", "IDRiD_81"):
        path = IDRID / "Annotations" / f"{name}.xml"
        annotated = read_voc(path)
        with (IDRID / "objects.csv").open() as stream:
            rows = [row for row in csv.DictReader(stream) if row["image"] == name]
        assert sorted(
            (item.kind, item.box[0] + 1, item.box[1] + 1, item.box[2], item.box[3])
            for item in annotated.photos[0].annotations
        ) == sorted(
            (row["class"], *(int(row[side]) for side in ("xmin", "ymin", "xmax", "ymax")))
            for row in rows
        )
        write_voc(annotated, tmp_path)
        numbers = re.compile(r"<[xy]m\w+>.*<")
        written = (tmp_path / "Annotations" / f"{name}.xml").read_text()
        assert numbers.findall(written) == numbers.findall(path.read_text())
