"""YOLO: lines, class lists, folders, and numbers that bring every box back."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
)
from fundoscope.data.annotations.yolo import data_yaml, relative
from fundoscope.data.annotations.yolo.read import read_yolo
from fundoscope.data.annotations.yolo.write import write_yolo
from fundoscope.errors import OutputError, TableError

PIXELS = st.sampled_from([97, 224, 2848, 4288, 16384])
PARTS = st.one_of(
    st.floats(0, 1, allow_subnormal=False, width=32),
    st.floats(1e-6, 1),
    st.decimals(0, 1, places=3).map(float),
)


@pytest.fixture
def eyes(tmp_path: Path, save_eye: Callable[..., Path]) -> Path:
    """A folder of YOLO with two photographs of 200 x 100 pixels and class names."""
    for name in ("a.jpg", "sub/b.png"):
        save_eye(tmp_path / "set" / "images" / name, width=200, height=100)
    (tmp_path / "set" / "data.yaml").write_text("names: [MA, drusen]\n")
    return tmp_path / "set"


def label(folder: Path, text: str, name: str = "a") -> Path:
    path = folder / "labels" / f"{name}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def items_of(found: AnnotationSet) -> list[Annotation]:
    return [item for photo in found.photos for item in photo.annotations]


def test_lines_of_every_length(eyes: Path) -> None:
    label(eyes, "0 0.5 0.5 0.1 0.2\n\n1.0 0.5 0.5 0.1 0.2 0.875\r\n")
    label(eyes, "0 0.1 0.1 0.2 0.1 0.2 0.3\n1 .1 .1 2e-1 .1 .2 .3 .5\n", "sub/b")
    box, scored, polygon, scored_polygon = items_of(read_yolo(eyes))
    assert box == Annotation(kind="microaneurysm", box=(90, 40, 110, 60))
    assert scored == Annotation(kind="drusen", box=(90, 40, 110, 60), score=0.875)
    outline = ((20, 10), (40, 10), (40, 30))
    assert polygon == Annotation(kind="microaneurysm", box=(20, 10, 40, 30), outlines=(outline,))
    assert (scored_polygon.outlines, scored_polygon.score) == ((outline,), 0.5)


def test_an_empty_file_means_that_somebody_looked(eyes: Path) -> None:
    label(eyes, "")
    found = read_yolo(eyes / "data.yaml")
    assert found.photos == (AnnotatedPhoto(image="a.jpg", width=200, height=100),)
    assert found.warnings == (f"1 photographs in {eyes / 'images'} have no label file",)


def test_boxes_drawn_on_whole_pixels_come_back_whole_from_six_decimals() -> None:
    for low, high in ((2677, 2693), (0, 1), (4287, 4288), (13, 1971)):
        centre, size = (low + high) / 2 / 4288, (high - low) / 4288
        texts = (Decimal(f"{centre:.6f}"), Decimal(f"{size:.6f}"))
        assert relative.span(*texts, 4288) == (low, high)
        printed = (Decimal(repr(centre)), Decimal(repr(size)))
        assert relative.span(*printed, 4288) == (low, high)


@given(PARTS, PARTS, PIXELS)
def test_every_span_and_point_comes_back(one: float, other: float, pixels: int) -> None:
    low, high = sorted((one * pixels, other * pixels))
    centre, size = relative.span_text(low, high, pixels)
    assert relative.span(Decimal(centre), Decimal(size), pixels) == (low, high)
    assert relative.point(Decimal(relative.point_text(low, pixels)), pixels) == low
    assert abs(float(centre) * pixels - (low + high) / 2) < 1e-2


def test_everything_that_yolo_holds_comes_back(eyes: Path, tmp_path: Path) -> None:
    outline = ((1.5, 2.0), (30.25, 2.0), (30.25, 40.0))
    photos = (
        AnnotatedPhoto(
            image="a.jpg",
            width=200,
            height=100,
            annotations=(
                Annotation(kind="irma", box=(0.1, 0.2, 199.9, 100.0), score=0.3),
                Annotation(kind="新: #1", box=(1.5, 2.0, 30.25, 40.0), outlines=(outline,)),
            ),
        ),
        AnnotatedPhoto(image="sub/b.png", width=200, height=100),
    )
    found = AnnotationSet(
        photos=photos,
        kinds=("新: #1", "fovea", "irma"),
        splits={"train": ("sub/b.png", "a.jpg"), "holdout": ("a.jpg",), "val": ()},
    )
    losses = write_yolo(found, tmp_path / "out")
    assert losses == (Loss("size", 2),)
    assert read_yolo(tmp_path / "out", images=eyes / "images") == found
    assert (tmp_path / "out" / "train.txt").read_text() == "./images/sub/b.png\n./images/a.jpg\n"
    with pytest.raises(OutputError, match="is there already"):
        write_yolo(found, tmp_path / "out")


def test_what_yolo_cannot_hold_is_told(tmp_path: Path) -> None:
    twice = ((0.0, 0.0), (5.0, 0.0), (5.0, 5.0))
    items = (
        Annotation(kind="irma", box=(0.0, 0.0, 5.0, 5.0), outlines=(twice, twice)),
        Annotation(kind="irma", box=(0.0, 0.0, 6.0, 5.0), outlines=(twice,)),
        Annotation(kind="irma", box=(-20.0, 5.0, 10.0, 130.0), difficult=True, author="A"),
        Annotation(kind="irma", box=(-20.0, 5.0, -10.0, 10.0), attributes={"x": "y"}),
        Annotation(kind="irma", box=(-20.0, 5.0, 30.0, 10.0)),
    )
    photo = AnnotatedPhoto(image="a.jpg", width=100, height=80, annotations=items, source="S")
    losses = write_yolo(AnnotationSet(photos=(photo,)), tmp_path)
    assert {loss.what: loss.count for loss in losses} == {
        "difficult": 1,
        "author": 1,
        "attributes": 1,
        "source": 1,
        "size": 1,
        "outlines": 2,
        "boxes beyond the photograph (cut off)": 2,
    }
    lines = (tmp_path / "labels" / "a.txt").read_text().splitlines()
    assert lines[2] == "0 0.050000 0.531250 0.100000 0.937500"
    assert len(lines) == 4
    assert lines[3].split()[1] == "0.050000"


def test_folders_of_splits(eyes: Path, save_eye: Callable[..., Path]) -> None:
    save_eye(eyes / "images" / "train" / "c.jpg")
    label(eyes, "0 0.5 0.5 0.1 0.1\n", "train/c")
    label(eyes, "", "a")
    (eyes / "data.yaml").write_text(
        "path: ../datasets/eyes  # not there\ntrain: images/train\nval: [images/sub, gone]\n"
        "test: list.txt\nnames:\n  0: EX\n"
    )
    (eyes / "list.txt").write_text("./images/a.jpg\n/elsewhere/images/none.jpg\n")
    found = read_yolo(eyes)
    assert found.splits == {"train": ("train/c.jpg",), "val": (), "test": ("a.jpg",)}
    assert "test names 1 photographs without a label file" in found.warnings
    (eyes / "list.txt").unlink()
    with pytest.raises(TableError, match=r"list.txt: does not exist"):
        read_yolo(eyes)


def test_roboflows_folders(tmp_path: Path, save_eye: Callable[..., Path]) -> None:
    for split in ("train", "valid"):
        save_eye(tmp_path / split / "images" / f"{split}.jpg", width=200, height=100)
        (tmp_path / split / "labels").mkdir()
        (tmp_path / split / "labels" / f"{split}.txt").write_text("0 0.5 0.5 0.1 0.2\n")
    (tmp_path / "data.yaml").write_text(
        "train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['HE']\n"
        "roboflow:\n  workspace: x\n"
    )
    found = read_yolo(tmp_path)
    assert found.splits == {
        "train": ("train/images/train.jpg",),
        "val": ("valid/images/valid.jpg",),
    }
    assert [item.box for item in items_of(found)] == [(90, 40, 110, 60)] * 2


def test_labelimgs_folder(tmp_path: Path, save_eye: Callable[..., Path]) -> None:
    save_eye(tmp_path / "a.jpg", width=200, height=100)
    (tmp_path / "a.txt").write_text("1 0.500000 0.500000 0.100000 0.200000\n")
    (tmp_path / "classes.txt").write_text("dog\n出血\n")
    found = read_yolo(tmp_path)
    assert items_of(found) == [Annotation(kind="haemorrhage", box=(90, 40, 110, 60))]
    assert found.kinds == ("dog", "haemorrhage")
    assert read_yolo(tmp_path).warnings == ()


def test_the_folder_of_labels_alone(eyes: Path) -> None:
    label(eyes, "0 0.5 0.5 0.1 0.2\n")
    (eyes / "labels" / "classes.txt").write_text("\ufeffMA\n")
    assert items_of(read_yolo(eyes / "labels"))[0].box == (90, 40, 110, 60)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.1", r"a.txt, line 2: has 4 numbers; give class, centre x"),
        ("0 nan 0.5 0.1 0.1", "nan.* is not a finite number|NaN is not a finite number"),
        ("0 0.5 -0.5 0.1 0.1", "line 2: -0.5 is not from 0 to 1"),
        ("0 0.5 0.5 0.1 1.01", "line 2: 1.01 is not from 0 to 1"),
        ("0 0.5 0.5 0.1 0.1 7", "line 2: 7 is not from 0 to 1"),
        ("0 0.5 0.5 0.1 1e-999999999", "too many decimals"),
        ("0 0.5 0.5 0.1 x", "'x' is not a number"),
        ("2 0.5 0.5 0.1 0.1", "is of class 2, where 2 classes have a name"),
        ("-1 0.5 0.5 0.1 0.1", "is of class -1"),
        ("0.5 0.5 0.5 0.1 0.1", "is of class 0.5"),
        ("MA 0.5 0.5 0.1 0.1", "its class: 'MA' is not a number"),
    ],
)
def test_a_bad_line_is_told_with_its_place(eyes: Path, line: str, said: str) -> None:
    label(eyes, f"0 0.5 0.5 0.1 0.1\n{line}\n")
    with pytest.raises(TableError, match=said):
        read_yolo(eyes)


def test_two_files_for_one_photograph(tmp_path: Path, save_eye: Callable[..., Path]) -> None:
    save_eye(tmp_path / "images" / "sub" / "b.png")
    label(tmp_path, "", "b")
    label(tmp_path, "", "sub/b")
    with pytest.raises(TableError, match=r"is a second one for sub/b.png"):
        read_yolo(tmp_path)


def test_labels_without_photograph_names_or_text(eyes: Path, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no YOLO labels"):
        read_yolo(eyes)
    path = label(eyes, "", "gone")
    with pytest.raises(TableError, match=r"gone.txt: its photograph is not found .*--images"):
        read_yolo(eyes)
    path.unlink()
    label(eyes, "0 0.5 0.5 0.1 0.1\n").write_bytes("出".encode("gb2312"))
    with pytest.raises(TableError, match="is not UTF-8"):
        read_yolo(eyes)
    label(eyes, "0 0.5 0.5 0.1 0.1\n")
    (eyes / "data.yaml").unlink()
    with pytest.raises(TableError, match="where 0 classes have a name; name the classes in data"):
        read_yolo(eyes)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: ['MA', \"it's\", b c, 出血]  # four\n", ("MA", "it's", "b c", "出血")),
        ("names: ['it''s', 'a, b']", ("it's", "a, b")),
        ("names:\n- a\n- 'b: c'\nnc: 2\n", ("a", "b: c")),
        ('names:\n  1: b\n  0: "a \\"x\\""\n', ('a "x"', "b")),
        ("\ufeffnames: {0: a, 1: 'b, c'}\r\n", ("a", "b, c")),
        ("names: [a,\n  b,\n]\n", ("a", "b")),
        ("---\n# c\ndownload: |\n  x = [\n  print('y')\nnames: [a]\n...\n", ("a",)),
        ("nc: 1\n", ()),
    ],
)
def test_the_yaml_that_tools_write(tmp_path: Path, text: str, names: tuple[str, ...]) -> None:
    path = tmp_path / "data.yaml"
    path.write_bytes(text.encode())
    assert data_yaml.read(path).names == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("names: [a, &b]", "line 1: '&b' is more of YAML than is read"),
        ("names: |\n  a\n", "more of YAML"),
        ("names: 5", "is neither a list nor numbered"),
        ("names:\n  0: a\n  2: b\n", "has the numbers 0, 2"),
        ("names: [a", "lacks its ]"),
        ("names: [[a]]", "is not understood"),
        ("names:\n  - a\n  0: b\n", "line 3: '0: b' is not understood"),
        ("names: {a}", "'a' is not understood"),
        ('names: ["\\x"]', "use simple quotes"),
        ("- a\n", "line 1: '- a' is not understood"),
        ("", "is empty"),
        (b"names: [\xff]", "is not UTF-8"),
    ],
)
def test_other_yaml_is_refused_by_its_line(tmp_path: Path, text: str | bytes, said: str) -> None:
    path = tmp_path / "data.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(TableError, match=said):
        data_yaml.read(path)


@given(st.lists(st.text(st.characters(exclude_categories=("C", "Z")), max_size=9), unique=True))
def test_any_names_come_back_and_are_yaml(names: list[str]) -> None:
    text = data_yaml.to_yaml(names, {"train": "train.txt"})
    read = data_yaml._names(data_yaml._values(text, Path("x")).get("names", []), Path("x"))
    assert read == tuple(names)
    library = pytest.importorskip("yaml", reason="PyYAML is not installed")
    assert library.safe_load(text)["names"] == (dict(enumerate(names)) or [])
