"""Tasks for Label Studio are written, and read again as they were."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    AnnotationSet,
    Loss,
    Mask,
)
from fundoscope.data.annotations.labelstudio.read import read_label_studio
from fundoscope.data.annotations.labelstudio.write import write_label_studio
from fundoscope.errors import OutputError, UsageError

WIDTH, HEIGHT = 200, 100


def task(*results: dict[str, Any], image: str = "a.jpg", **more: Any) -> dict[str, Any]:
    work = {"id": 5, "completed_by": 1, "result": list(results), "was_cancelled": False}
    return {"id": 1, "data": {"image": image}, "annotations": [work], "predictions": [], **more}


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)


MASK = Mask.of(np.array([[1, 0, 0], [0, 1, 1]], dtype=bool), 197, 98)


TRIANGLE = ((1.0, 1.0), (9.1, 1.5), (4.0, 8.25))


ITEMS = (
    Annotation(kind="microaneurysm", box=(0.1, 1 / 3, 2.7, 100 / 7), author="模型", score=0.1),
    Annotation(
        kind="a <b>", box=(1, 2, 3, 4), difficult=True, attributes={"pose": "", "x": "a\nb"}
    ),
    Annotation(kind="irma", box=(1.0, 1.0, 9.1, 8.25), outlines=(TRIANGLE,), author="A"),
    Annotation(kind="irma", box=MASK.box, mask=MASK),
    Annotation(kind="irma", box=(3, 3, 4, 4), score=0.75),
    Annotation(kind="irma", box=(0, 0, 200, 100), author="B"),
)


FOUND = AnnotationSet(
    photos=(photo(*ITEMS, image="sub/a 眼.jpg", source="IDRiD"), photo(image="z.jpg")),
    kinds=("irma", "microaneurysm", "a <b>", "laser_scar"),
    splits={"train": ("sub/a 眼.jpg", "z.jpg"), "trainval": ("z.jpg",)},
)


@pytest.mark.parametrize("out", ["folder", "folder/my.json"])
def test_everything_comes_back(out: str, tmp_path: Path) -> None:
    assert write_label_studio(FOUND, tmp_path / out) == ()
    assert read_label_studio(tmp_path / out) == FOUND
    assert len(list((tmp_path / "folder").iterdir())) == 2


def test_tasks_are_what_label_studio_imports(tmp_path: Path) -> None:
    write_label_studio(FOUND, tmp_path)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    interface = ET.parse(tmp_path / "labels.xml").getroot()
    tools = {tool.get("name"): tool for tool in interface}
    assert tools["image"].get("value") == "$image"
    assert [label.get("value") for label in tools["box"]] == list(FOUND.kinds)
    assert tasks[0]["data"]["image"] == "/data/local-files/?d=sub/a%20%E7%9C%BC.jpg"
    assert [len(task["predictions"]) for task in tasks] == [2, 0]
    # Somebody looked at the second photograph and found nothing.
    assert tasks[1]["annotations"] == [{"result": []}]
    # One annotation an author; nobody that Label Studio might not know is named.
    assert len(tasks[0]["annotations"]) == 3
    for work in tasks[0]["annotations"] + tasks[0]["predictions"]:
        assert "completed_by" not in work
        for result in work["result"]:
            assert result["from_name"] in tools
            assert result["to_name"] == "image"
            if result["type"].endswith("labels"):
                assert result["value"][result["type"]]
    scores = [
        (work.get("model_version"), work["score"], work["result"][0]["score"])
        for work in tasks[0]["predictions"]
    ]
    assert scores == [("模型", 0.1, 0.1), (None, 0.75, 0.75)]


def test_what_a_region_cannot_say_is_reported(tmp_path: Path) -> None:
    two = Annotation(
        kind="irma",
        box=(1, 1, 9, 9),
        outlines=(((1.0, 1.0), (4.0, 1.0), (1.0, 4.0)), ((5.0, 5.0), (9.0, 5.0), (9.0, 9.0))),
    )
    both = Annotation(kind="irma", box=MASK.box, outlines=(TRIANGLE,), mask=MASK)
    other = Annotation(kind="irma", box=(0, 0, 5, 5), outlines=(TRIANGLE,))
    named = Annotation(kind="irma", box=(0, 0, 1, 1), attributes={"author": "x", "y": "z"})
    annotated = AnnotationSet(photos=(photo(two, both, other, named),), kinds=("irma",))
    assert write_label_studio(annotated, tmp_path) == (
        Loss("outlines", 2),
        Loss("attributes", 1),
        Loss("boxes other than around their outline or mask", 1),
    )
    again = read_label_studio(tmp_path).photos[0].annotations
    assert [item.mask is not None for item in again] == [True, True, False, False]
    assert again[3].attributes == {"y": "z"}


def test_a_mask_that_lies_outside_is_written_as_its_box(tmp_path: Path) -> None:
    mask = Mask(500, 500, np.ones((2, 2), dtype=bool))
    item = Annotation(kind="irma", box=mask.box, mask=mask)
    write_label_studio(AnnotationSet(photos=(photo(item),)), tmp_path)
    (again,) = read_label_studio(tmp_path).photos[0].annotations
    assert (again.box, again.mask) == (mask.box, None)


@pytest.mark.parametrize("size", [(0, 9), (20_000, 9), (16_000, 16_000)])
def test_a_photograph_of_unknown_or_impossible_size(size: tuple[int, int], tmp_path: Path) -> None:
    item = Annotation(kind="irma", box=(0, 0, 1, 1))
    nameless = AnnotatedPhoto(image="a.jpg", width=size[0], height=size[1], annotations=(item,))
    with pytest.raises(UsageError, match="as its annotations say"):
        write_label_studio(AnnotationSet(photos=(nameless,)), tmp_path)
    assert not any(tmp_path.iterdir())


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "labels.xml").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_label_studio(FOUND, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["labels.xml"]
    write_label_studio(FOUND, tmp_path, overwrite=True)


number = st.floats(-1e4, 1e4, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-9)


@settings(max_examples=60, deadline=None)
@given(
    corners=st.tuples(number, number, number, number),
    size=st.tuples(st.integers(1, 9000), st.integers(1, 8000)),
    score=st.none() | st.floats(0, 1),
)
def test_any_box_and_polygon_come_back_as_they_were(
    corners: tuple[float, float, float, float],
    size: tuple[int, int],
    score: float | None,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    x0, y0, x1, y1 = corners
    box = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    outline = ((box[0], box[1]), (box[2], box[1]), (box[2], box[3]))
    items = (
        Annotation(kind="irma", box=box, score=score),
        Annotation(kind="irma", box=box, outlines=(outline,), score=score),
    )
    annotated = AnnotationSet(
        photos=(AnnotatedPhoto(image="a.jpg", width=size[0], height=size[1], annotations=items),),
        kinds=("irma",),
    )
    out = tmp_path_factory.mktemp("labelstudio")
    assert write_label_studio(annotated, out) == ()
    assert read_label_studio(out) == annotated


@pytest.mark.filterwarnings("ignore")
def test_label_studios_converter_reads_our_tasks_to_the_same_boxes(tmp_path: Path) -> None:
    whole = pytest.importorskip("label_studio_converter")
    boxes = [(20.0, 10.0, 30.5, 30.25), (0.1, 1 / 3, 2.7, 100 / 7), (199, 99, 200, 100)]
    items = [Annotation(kind="irma", box=box, author="A", difficult=True) for box in boxes]
    items.append(Annotation(kind="fovea", box=(1.0, 1.0, 9.1, 8.25), outlines=(TRIANGLE,)))
    (tmp_path / "photos").mkdir()
    annotated = AnnotationSet(photos=(photo(*items),), kinds=("irma", "fovea"))
    write_label_studio(annotated, tmp_path / "out")
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    for number, each in enumerate(tasks, start=1):  # an import gives ids
        each["id"] = number
        for place, work in enumerate(each["annotations"]):
            work |= {"id": place, "completed_by": 1}
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    reader = whole.Converter(str(tmp_path / "out" / "labels.xml"), str(tmp_path))
    reader.convert_to_coco(str(tmp_path / "export.json"), str(tmp_path / "coco"), is_dir=False)
    coco = json.loads((tmp_path / "coco" / "result.json").read_text())
    names = {category["id"]: category["name"] for category in coco["categories"]}
    read_there = sorted(
        (names[item["category_id"]], *(round(value, 9) for value in item["bbox"]))
        for item in coco["annotations"]
    )
    assert read_there == sorted(
        (
            item.kind,
            round(item.box[0], 9),
            round(item.box[1], 9),
            round(item.box[2] - item.box[0], 9),
            round(item.box[3] - item.box[1], 9),
        )
        for item in items
    )
