"""All formats together: told apart, converted from any to any, and the losses named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fundoscope import kinds
from fundoscope.data.annotations import features, formats
from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.errors import TableError, UsageError

SIZES = {"a.png": (97, 64), "b c/出血 1.png": (128, 96), "d.jpg": (321, 200)}
SHAPED = ("voc", "coco", "yolo", "labelstudio", "cvat")
"""The formats that hold objects one by one; masks hold pixels and are tested apart."""
NAMES = st.sampled_from([*kinds.KINDS, "drusen", "玻璃膜疣", "a <b> & 'c'"])
WORDS = st.sampled_from(["", "Dr. Ä", "二"])


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The photographs of :data:`SIZES`, black."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, size in SIZES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        Image.new("1", size).save(path, "PNG")
    return folder


def sides(length: int) -> st.SearchStrategy[tuple[float, float]]:
    """Two ends on a side, in order, apart: whole, with decimals, or any floats."""
    number = st.one_of(
        st.integers(0, length).map(float),
        st.decimals(0, length, places=2).map(float),
        st.floats(2**-10, length, width=32),
        st.floats(1e-3, length),
    )
    return st.tuples(number, number).map(sorted).map(tuple).filter(lambda s: s[1] - s[0] > 1e-3)


@st.composite
def annotations(draw: st.DrawFn, size: tuple[int, int]) -> Annotation:
    (x0, x1), (y0, y1) = draw(sides(size[0])), draw(sides(size[1]))
    item = Annotation(
        kind=draw(NAMES),
        box=(x0, y0, x1, y1),
        score=draw(st.none() | st.floats(0, 1)),
        difficult=draw(st.booleans()),
        author=draw(WORDS),
        attributes=draw(st.dictionaries(st.sampled_from(["seen", "pose"]), st.just("twice"))),
    )
    shape = draw(st.sampled_from(["box", "outline", "mask"]))
    if shape == "outline":
        return replace(item, outlines=(((x0, y0), (x1, y0), (x1, y1), (x0, y1)),))
    if shape == "mask":
        pixels = np.array(
            draw(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=2, max_size=4))
        )
        pixels[0, 0] = True
        mask = Mask.of(pixels, draw(st.integers(0, size[0] - 3)), draw(st.integers(0, size[1] - 4)))
        return replace(item, mask=mask, box=mask.box)
    return item


@st.composite
def sets(draw: st.DrawFn) -> AnnotationSet:
    photos = tuple(
        AnnotatedPhoto(
            image=name,
            width=size[0],
            height=size[1],
            annotations=tuple(draw(st.lists(annotations(size), max_size=4))),
            source=draw(WORDS),
        )
        for name, size in SIZES.items()
    )
    # Every photograph in one split at most, in order: lists that overlap are not for every format.
    split_of = {name: draw(st.sampled_from(["", "train", "val", "test"])) for name in SIZES}
    splits = {
        split: tuple(name for name in SIZES if split_of[name] == split)
        for split in sorted(set(split_of.values()) - {""})
    }
    marked = AnnotationSet(
        photos=photos,
        kinds=tuple(draw(st.lists(NAMES, unique=True, max_size=3))),
        splits=splits,
    )
    return replace(marked, kinds=features.all_kinds(marked))


def reduced(marked: AnnotationSet, holds: frozenset[str]) -> AnnotationSet:
    """A set without what a format does not hold; the order of kinds where it does not hold that."""
    photos = tuple(
        replace(
            photo,
            source=photo.source if features.SOURCE in holds else "",
            annotations=tuple(
                replace(
                    item,
                    outlines=item.outlines if features.OUTLINES in holds else (),
                    mask=item.mask if features.MASKS in holds else None,
                    score=item.score if features.SCORE in holds else None,
                    difficult=item.difficult and features.DIFFICULT in holds,
                    author=item.author if features.AUTHOR in holds else "",
                    attributes=item.attributes if features.ATTRIBUTES in holds else {},
                )
                for item in photo.annotations
            ),
        )
        for photo in marked.photos
    )
    less = replace(marked, photos=photos, splits=marked.splits if features.SPLITS in holds else {})
    return less if features.KINDS_ORDER in holds else replace(less, kinds=features.kinds_in(less))


def available() -> Iterator[str]:
    for form in SHAPED:
        try:
            formats.named(form)
        except ModuleNotFoundError:
            continue
        yield form


def passed(marked: AnnotationSet, form: str, pictures: Path) -> AnnotationSet:
    """The set after it was written in a format and read again."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        formats.write(marked, out, form)
        assert formats.detect(out) == form
        return formats.read(out, images=pictures)


@pytest.mark.parametrize(("one", "other"), list(product(available(), repeat=2)))
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(marked=sets())
def test_from_any_format_to_any_nothing_is_lost_that_both_hold(
    pictures: Path, one: str, other: str, marked: AnnotationSet
) -> None:
    held = formats.named(one).holds
    first = passed(marked, one, pictures)
    assert first == reduced(marked, held)
    assert passed(first, other, pictures) == reduced(first, formats.named(other).holds)


@settings(max_examples=10, suppress_health_check=list(HealthCheck))
@given(marked=sets(), form=st.sampled_from(list(available())))
def test_no_loss_is_told_exactly_where_there_is_none(
    pictures: Path, marked: AnnotationSet, form: str
) -> None:
    with TemporaryDirectory() as folder:
        losses = formats.write(marked, Path(folder) / "out", form)
    reported = {loss.what for loss in losses} - {features.SIZE}
    unchanged = reduced(marked, formats.named(form).holds) == marked
    assert (not reported) == unchanged


@pytest.mark.parametrize("form", [*available()])
def test_boxes_on_whole_pixels_survive_masks(form: str, pictures: Path, tmp_path: Path) -> None:
    boxes = [(float(x), float(y), x + 4.0, y + 3.0) for x in (0, 9, 93) for y in (2, 20, 61)]
    items = tuple(
        Annotation(kind=("irma", "fovea")[number % 2], box=box) for number, box in enumerate(boxes)
    )
    photo = AnnotatedPhoto(image="a.png", width=97, height=64, annotations=items)
    marked = AnnotationSet(photos=(photo,))
    formats.write(marked, tmp_path / "one", form)
    formats.convert(tmp_path / "one", tmp_path / "masks", "masks", images=pictures)
    done = formats.convert(tmp_path / "masks", tmp_path / "two", form, images=pictures)
    assert done.form == "masks"
    back = formats.read(tmp_path / "two", images=pictures)
    assert sorted((item.kind, item.box) for item in back.photos[0].annotations) == sorted(
        (item.kind, item.box) for item in items
    )


def test_what_the_features_count(pictures: Path) -> None:
    item = Annotation(kind="irma", box=(0.5, 0.0, 2.0, 2.0), score=0.0, author="A")
    marked = AnnotationSet(
        photos=(
            AnnotatedPhoto(image="a.png", width=9, height=9, annotations=(item, item), source="S"),
            AnnotatedPhoto(image="b.png", width=9, height=9),
        ),
        kinds=("fovea", "irma"),
        splits={"train": ("a.png",)},
    )
    assert features.losses(marked, features.ALL) == ()
    assert features.losses(marked, frozenset()) == (
        Loss("sub-pixel boxes", 2),
        Loss("score", 2),
        Loss("author", 2),
        Loss("source", 1),
        Loss("empty photographs", 1),
        Loss("splits", 1),
        Loss("size", 2),
        Loss("kinds order", 2),
    )


@pytest.mark.parametrize(
    ("files", "form"),
    [
        ({"Annotations/a.xml": "<annotation/>", "masks/a_MA.png": "", "train.txt": "a"}, "voc"),
        ({"a.xml": "\ufeff<?xml version='1.0'?><!-- <annotations> --><annotation/>"}, "voc"),
        ({"deep/er/a.xml": "<annotation/>"}, "voc"),
        ({"a.xml": "<annotations>"}, "cvat"),
        ({"x.json": '{"images": []}'}, "coco"),
        ({"train/_annotations.coco.json": '\ufeff{"images": []}'}, "coco"),
        ({"x.json": "[]"}, "labelstudio"),
        ({"data.yaml": "", "labels/a.txt": ""}, "yolo"),
        ({"train/labels/a.txt": ""}, "yolo"),
        ({"classes.txt": "", "a.txt": "", "a.png": ""}, "yolo"),
        ({"classes.txt": "", "a.png": ""}, "masks"),
        ({"EX/a.tif": ""}, "masks"),
    ],
)
def test_formats_are_told_from_files(tmp_path: Path, files: dict[str, str], form: str) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert formats.detect(tmp_path) == form


def test_data_yaml_names_its_set(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("names: [a]\n")
    assert formats.detect(path) == "yolo"


@pytest.mark.parametrize("name", ["a.xml", "a.json", "a.txt"])
def test_a_file_of_no_format(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("{}" if name.endswith("json") else "<html/>")
    with pytest.raises(TableError, match="no annotations of a known format"):
        formats.detect(path)


def test_what_is_not_there_or_cannot_be_told(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="does not exist"):
        formats.detect(tmp_path / "gone")
    with pytest.raises(TableError, match="name its format with --from"):
        formats.detect(tmp_path)
    path = tmp_path / "a.json"
    path.write_text("{")
    with pytest.raises(TableError, match="is not JSON"):
        formats.detect(path)
    path.write_text(json.dumps([{"image_id": 1, "bbox": []}]))
    with pytest.raises(TableError, match="holds COCO results"):
        formats.detect(path)
    with pytest.raises(UsageError, match=r"take one of voc, coco, yolo"):
        formats.read(path, form="pascal")
    with pytest.raises(UsageError, match="has no meaning for coco"):
        formats.read(path, form="coco", origin=0)


def test_unknown_classes_are_kept_and_told_with_the_nearest(tmp_path: Path) -> None:
    photo = AnnotatedPhoto(
        image="a.jpg",
        width=9,
        height=9,
        annotations=tuple(
            Annotation(kind=name, box=(0.0, 0.0, 1.0, 1.0)) for name in ("hemorage", "car", "car")
        ),
    )
    formats.write(AnnotationSet(photos=(photo,)), tmp_path / "a.json", "coco")
    marked = formats.read(tmp_path / "a.json")
    assert [item.kind for item in marked.photos[0].annotations] == ["hemorage", "car", "car"]
    assert marked.warnings == (
        "car is an unknown class, kept as it is (2 objects; no known one is near)",
        "hemorage is an unknown class, kept as it is (1 objects;"
        " the nearest known one is haemorrhage)",
    )


def test_a_conversion_checks_its_target_before_it_reads(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a format of annotations"):
        formats.convert(tmp_path / "gone", tmp_path / "out", "pascal")


def test_the_formats_of_the_command_are_these() -> None:
    from fundoscope.cli.data.convert import Format

    assert tuple(Format) == tuple(formats.FORMATS)


def test_supervision_reads_the_same_boxes(tmp_path: Path, save_eye: Callable[..., Path]) -> None:
    supervision = pytest.importorskip("supervision", exc_type=ImportError)
    boxes = [(0.0, 0.0, 10.0, 20.0), (3.0, 4.0, 160.0, 120.0)]
    photo = AnnotatedPhoto(
        image="a.png",
        width=160,
        height=120,
        annotations=tuple(Annotation(kind="irma", box=box) for box in boxes),
    )
    marked = AnnotationSet(photos=(photo,), kinds=("irma",))
    save_eye(tmp_path / "images" / "a.png")
    for form in ("voc", "coco", "yolo"):
        formats.write(marked, tmp_path / form, form)
    images = str(tmp_path / "images")
    datasets = supervision.DetectionDataset
    read = {
        "voc": datasets.from_pascal_voc(images, str(tmp_path / "voc" / "Annotations")),
        "coco": datasets.from_coco(images, str(tmp_path / "coco/annotations/instances.json")),
        "yolo": datasets.from_yolo(
            images, str(tmp_path / "yolo" / "labels"), str(tmp_path / "yolo" / "data.yaml")
        ),
    }
    for form, dataset in read.items():
        ((_, _, detections),) = list(dataset)
        np.testing.assert_allclose(detections.xyxy, boxes, atol=1e-3, err_msg=form)
    shutil.rmtree(tmp_path / "images")


@pytest.mark.parametrize("form", ["voc", "coco", "labelstudio", "cvat", "masks"])
def test_photographs_that_are_not_in_the_folder_are_counted(
    tmp_path: Path, pictures: Path, form: str
) -> None:
    box = Annotation(kind="microaneurysm", box=(1, 1, 5, 5))
    photos = tuple(
        AnnotatedPhoto(image=image, width=97, height=64, annotations=(box,))
        for image in ("a.png", "gone.png")
    )
    formats.write(AnnotationSet(photos=photos), tmp_path / form, form)
    warnings = formats.read(tmp_path / form, images=pictures).warnings
    assert f"1 annotated photographs are not in {pictures}" in warnings
    (tmp_path / form / "masks.csv").unlink(missing_ok=True)
    warnings = formats.read(tmp_path / form, images=pictures).warnings
    assert f"1 annotated photographs are not in {pictures}" in warnings
