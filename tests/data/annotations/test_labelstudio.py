"""Label Studio's exports, its import, and its run-length code."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import numpy as np
import pytest
from fundoscope.data.annotations.labelstudio.form import Value
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
from fundoscope.data.annotations.labelstudio import brush
from fundoscope.data.annotations.labelstudio.read import read_label_studio
from fundoscope.data.annotations.labelstudio.regions import shape
from fundoscope.data.annotations.labelstudio.write import write_label_studio
from fundoscope.errors import OutputError, TableError, UsageError

WIDTH, HEIGHT = 200, 100
SIZES = (3, 4, 8, 16)
"""Bits of a length in the run-length code."""


def region(kind: str = "MA", **more: Any) -> dict[str, Any]:
    """A rectangle from (20, 10) to (30, 30) as Label Studio exports it."""
    value = {
        "x": 10.0,
        "y": 10.0,
        "width": 5.0,
        "height": 20.0,
        "rotation": 0,
        "rectanglelabels": [kind],
    }
    return {
        "id": "x1",
        "from_name": "label",
        "to_name": "image",
        "type": "rectanglelabels",
        "original_width": WIDTH,
        "original_height": HEIGHT,
        "image_rotation": 0,
        "value": value,
        **more,
    }


def of_value(kind_of_labels: str, **value: Any) -> dict[str, Any]:
    return region(type=kind_of_labels, value={**value, kind_of_labels: ["MA"]})


def task(*results: dict[str, Any], image: str = "a.jpg", **more: Any) -> dict[str, Any]:
    work = {"id": 5, "completed_by": 1, "result": list(results), "was_cancelled": False}
    return {"id": 1, "data": {"image": image}, "annotations": [work], "predictions": [], **more}


def exported(tmp_path: Path, *tasks: dict[str, Any]) -> Path:
    path = tmp_path / "export.json"
    path.write_text(json.dumps(tasks, ensure_ascii=False), encoding="utf-8")
    return path


def read(tmp_path: Path, *tasks: dict[str, Any]) -> AnnotationSet:
    return read_label_studio(exported(tmp_path, *tasks))


def only(tmp_path: Path, *results: dict[str, Any]) -> Annotation:
    ((item,),) = (photo.annotations for photo in read(tmp_path, task(*results)).photos)
    return item


# Regions


def test_a_rectangle(tmp_path: Path) -> None:
    item = only(tmp_path, region())
    assert item == Annotation(kind="microaneurysm", box=(20.0, 10.0, 30.0, 30.0), author="1")


def test_a_box_drawn_on_whole_pixels_comes_back_whole_from_doubles(tmp_path: Path) -> None:
    value = {
        "x": 2677 / 4288 * 100,
        "y": 291 / 2848 * 100,
        "width": 16 / 4288 * 100,
        "height": 14 / 2848 * 100,
        "rectanglelabels": ["MA"],
    }
    item = only(tmp_path, region(value=value, original_width=4288, original_height=2848))
    assert item.box == (2677.0, 291.0, 2693.0, 305.0)


def test_a_rectangle_drawn_backwards_is_put_in_order(tmp_path: Path) -> None:
    value = {"x": 15.0, "y": 30.0, "width": -5.0, "height": -20.0, "rectanglelabels": ["MA"]}
    assert only(tmp_path, region(value=value)).box == (20.0, 10.0, 30.0, 30.0)


def test_a_turned_rectangle_turns_about_its_corner_in_pixels_not_in_percent(tmp_path: Path) -> None:
    value = {**region()["value"], "x": 50.0, "y": 50.0, "rotation": 90}
    item = only(tmp_path, region(value=value))
    # 10 x 20 pixels at (100, 50), a quarter clockwise: to the left, and down.
    assert item.box == (80.0, 50.0, 100.0, 60.0)
    assert item.outlines == (((100.0, 50.0), (100.0, 60.0), (80.0, 60.0), (80.0, 50.0)),)


def test_turning_the_view_moves_nothing(tmp_path: Path) -> None:
    assert only(tmp_path, region(image_rotation=90)).box == (20.0, 10.0, 30.0, 30.0)


def test_an_ellipse(tmp_path: Path) -> None:
    item = only(tmp_path, of_value("ellipselabels", x=50, y=50, radiusX=10, radiusY=10, rotation=0))
    assert item.box == (80.0, 40.0, 120.0, 60.0)
    assert all(
        math.hypot((x - 100) / 20, (y - 50) / 10) == pytest.approx(1.0) for x, y in item.outlines[0]
    )


def test_a_polygon(tmp_path: Path) -> None:
    points = [[10, 10], [20.5, 10], [20.5, 33.3]]
    item = only(tmp_path, of_value("polygonlabels", points=points, closed=True))
    assert item.outlines == (((20.0, 10.0), (41.0, 10.0), (41.0, 33.3)),)
    assert item.box == (20.0, 10.0, 41.0, 33.3)


def test_a_polygon_of_two_corners_keeps_its_box_alone(tmp_path: Path) -> None:
    item = only(tmp_path, of_value("polygonlabels", points=[[10, 10], [20, 20]]))
    assert (item.outlines, item.box) == ((), (20.0, 10.0, 40.0, 20.0))


def test_brush_strokes(tmp_path: Path) -> None:
    mask = Mask.of(np.eye(4, dtype=bool), 7, 8)
    rle = brush.encode(mask, WIDTH, HEIGHT)
    item = only(tmp_path, of_value("brushlabels", format="rle", rle=rle))
    assert (item.mask, item.box) == (mask, (7.0, 8.0, 11.0, 12.0))


def test_a_region_whose_label_is_a_result_of_its_own(tmp_path: Path) -> None:
    place = {"x": 10.0, "y": 10.0, "width": 5.0, "height": 20.0, "rotation": 0}
    item = only(
        tmp_path,
        region(type="rectangle", value=place),
        region(type="labels", value={**place, "labels": ["HE"]}),
    )
    assert (item.kind, item.box) == ("haemorrhage", (20.0, 10.0, 30.0, 30.0))


def test_answers_about_a_region_are_its_attributes(tmp_path: Path) -> None:
    item = only(
        tmp_path,
        region(),
        region(type="choices", from_name="sure", value={"choices": ["no", "maybe"]}),
        region(type="textarea", from_name="remark", value={"text": ["one", "two"]}),
        region(type="textarea", from_name="word", value={"text": "three"}),
        region(type="rating", from_name="stars", value={"rating": 4}),
        region(type="number", from_name="size", value={"number": 1.5}),
        region(type="datetime", from_name="when", value={"datetime": "2026-01-01"}),
        region(type="choices", from_name="difficult", value={"choices": ["Yes"]}),
    )
    assert item.difficult
    assert item.attributes == {
        "sure": "no, maybe",
        "remark": "one\ntwo",
        "word": "three",
        "stars": "4",
        "size": "1.5",
        "when": "2026-01-01",
    }


def test_two_labels_are_two_objects_and_no_label_is_told_in_the_kind(tmp_path: Path) -> None:
    value = region()["value"]
    found = read(
        tmp_path,
        task(
            region(value={**value, "rectanglelabels": ["MA", "quux"]}),
            region(id="x2", value={**value, "rectanglelabels": []}),
        ),
    )
    kinds = [item.kind for item in found.photos[0].annotations]
    assert kinds == ["microaneurysm", "quux", "unlabelled"]
    assert found.kinds == ("microaneurysm", "quux", "unlabelled")


def test_what_has_no_place_is_counted(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        task(
            region(),
            of_value("keypointlabels", x=1, y=1, width=0.5) | {"id": "k"},
            {"type": "relation", "from_id": "x1", "to_id": "k", "direction": "right"},
            {"id": "c", "type": "choices", "from_name": "grade", "value": {"choices": ["2"]}},
            of_value("polygonlabels", points=[]) | {"id": "p"},
            of_value("brushlabels", format="rle", rle=blank()) | {"id": "b"},
        ),
        {"id": 2, "data": {"image": "untouched.jpg"}, "annotations": []},
        task(image="skipped.jpg", annotations=[{"result": [], "was_cancelled": True}]),
    )
    assert [photo.image for photo in found.photos] == ["a.jpg"]
    assert len(found.photos[0].annotations) == 1
    assert found.left_out == (
        Loss("answers about whole photographs", 1),
        Loss("points", 1),
        Loss("regions of nothing", 2),
        Loss("regions of other kinds", 1),
        Loss("tasks that nobody worked on", 2),
    )


def blank() -> list[int]:
    """The code of a picture on which nothing is painted: two pieces of zeros."""
    bits = f"{WIDTH * HEIGHT * 4:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in SIZES)
    for length in (65_536, WIDTH * HEIGHT * 4 - 65_536):
        bits += f"111{length - 1:016b}{0:08b}"
    bits += "0" * (-len(bits) % 8)
    return list(int(bits, 2).to_bytes(len(bits) // 8, "big"))


# People and models


def test_values_that_are_no_region_have_no_shape() -> None:
    for text in (b"{}", b'{"x": 1, "y": 1}', b'{"x": 1, "y": 1, "width": 1}'):
        assert shape(msgspec.json.decode(text, type=Value), (9, 9)) is None


def test_several_annotators(tmp_path: Path) -> None:
    works = [
        {"completed_by": 7, "result": [region("MA")]},
        {"completed_by": {"id": 8, "email": "b@c.de"}, "result": [region("HE")]},
        {"completed_by": {"id": 9}, "result": [region("EX")]},
        {"result": [region("SE")]},
    ]
    found = read(tmp_path, task(annotations=works))
    authors = {item.kind: item.author for item in found.photos[0].annotations}
    assert authors == {
        "microaneurysm": "7",
        "haemorrhage": "b@c.de",
        "hard_exudate": "9",
        "soft_exudate": "",
    }


def test_predictions_have_scores_and_their_models_name(tmp_path: Path) -> None:
    predictions = [
        {"model_version": "m1", "score": 0.5, "result": [region(score=0.25), region(id="x2")]},
        17,
    ]
    found = read(tmp_path, task(annotations=[], predictions=predictions))
    items = found.photos[0].annotations
    assert [(item.score, item.author) for item in items] == [(0.25, "m1"), (0.5, "m1")]
    assert found.warnings == ()


def test_objects_of_people_have_no_score_and_both_are_read_with_a_warning(tmp_path: Path) -> None:
    found = read(
        tmp_path, task(region(score=0.9), predictions=[{"result": [region(id="p", score=0.8)]}])
    )
    assert [item.score for item in found.photos[0].annotations] == [None, 0.8]
    assert "both annotations and predictions" in found.warnings[0]


@pytest.mark.parametrize("by", ["id", "parent"])
def test_a_prediction_that_a_person_took_over_is_not_there_twice(by: str, tmp_path: Path) -> None:
    other = "x1" if by == "id" else "p"
    work = {"result": [region()]} | ({"parent_prediction": 3} if by == "parent" else {})
    prediction = {"result": [region(id=other, score=0.8), region(id="q", score=0.1)]}
    found = read(tmp_path, task(annotations=[work], predictions=[prediction]))
    assert [item.score for item in found.photos[0].annotations] == [None]
    assert found.left_out == (Loss("predictions that a person took over", 2),)


# Exports


def test_the_small_export_has_an_entry_an_annotator(tmp_path: Path) -> None:
    small = {**region()["value"], "original_width": WIDTH, "original_height": HEIGHT}
    entries = [
        {
            "image": "/data/upload/3/0a1b2c3d-a.jpg",
            "id": 1,
            "label": [small],
            "grade": "2",
            "note": {"choices": ["x"]},
            "annotator": annotator,
            "annotation_id": 4,
            "lead_time": 3.2,
        }
        for annotator in (1, "d@e.fr")
    ]
    found = read(tmp_path, *entries)
    (photo,) = found.photos
    assert photo.image == "a.jpg"
    assert [(item.box, item.author) for item in photo.annotations] == [
        ((20.0, 10.0, 30.0, 30.0), "1"),
        ((20.0, 10.0, 30.0, 30.0), "d@e.fr"),
    ]


def test_a_file_an_annotation_with_its_task_inside(tmp_path: Path) -> None:
    for number in (1, 2):
        inside = {"id": number, "data": {"image": f"{number}.jpg"}}
        document = {"id": 9, "result": [region()], "completed_by": {"id": 4}, "task": inside}
        (tmp_path / f"{number}.json").write_text(json.dumps(document))
    found = read_label_studio(tmp_path)
    assert [photo.image for photo in found.photos] == ["1.jpg", "2.jpg"]
    assert found.photos[0].annotations[0].author == "4"


def test_an_old_export_calls_annotations_completions(tmp_path: Path) -> None:
    old = {"data": {"image": "a.jpg"}, "completions": [{"result": [region()]}]}
    assert len(read(tmp_path, old).photos[0].annotations) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a b.json"
    path.write_text(json.dumps([task(region(), image="眼 1.jpg")]), encoding=encoding)
    assert read_label_studio(path).photos[0].image == "眼 1.jpg"


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("a.jpg", "a.jpg"),
        ("/data/upload/12/0a1b2c3d-a_b.jpg", "a_b.jpg"),
        ("/data/upload/0a1b2c3d-a.jpg", "a.jpg"),
        ("/data/upload/12/abc-a.jpg", "abc-a.jpg"),
        ("/data/local-files/?d=eyes/set%201/%E7%9C%BC.jpg", "眼.jpg"),
        ("/data/local-files/?d=eyes\\set\\a.jpg", "a.jpg"),
        ("s3://bucket/eyes/a.jpg", "a.jpg"),
        ("https://host/x/a%20b.jpg?token=1&d2=x", "a b.jpg"),
        ("C:\\eyes\\a.jpg", "a.jpg"),
        ("../../etc/a.jpg", "a.jpg"),
    ],
)
def test_addresses_become_names(address: str, name: str, tmp_path: Path) -> None:
    assert read(tmp_path, task(region(), image=address)).photos[0].image == name


def test_two_files_of_one_name_keep_the_folders_that_tell_them_apart(tmp_path: Path) -> None:
    addresses = ("s3://b/eyes/1/a.jpg", "s3://b/eyes/2/a.jpg", "s3://b/eyes/c.jpg")
    found = read(tmp_path, *(task(region(), image=address) for address in addresses))
    assert [photo.image for photo in found.photos] == ["1/a.jpg", "2/a.jpg", "c.jpg"]


def test_photographs_tell_the_whole_name_and_the_size_of_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "photos" / "set").mkdir(parents=True)
    Image.new("RGB", (31, 17)).save(tmp_path / "photos" / "set" / "a.jpg")
    path = exported(tmp_path, task(image="/data/upload/1/0a1b2c3d-a.jpg"))
    (photo,) = read_label_studio(path, images=tmp_path / "photos").photos
    assert (photo.image, photo.width, photo.height) == ("set/a.jpg", 31, 17)
    with pytest.raises(TableError, match="does not say its photograph's size"):
        read_label_studio(path)


def test_the_photograph_may_stand_in_another_field(tmp_path: Path) -> None:
    data = {"eye": "left", "fundus": "x/a.PNG"}
    assert read(tmp_path, task(region()) | {"data": data}).photos[0].image == "a.PNG"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"text": "nothing"}, "names no photograph"),
        ({"left": "a.jpg", "right": "b.jpg"}, "names several photographs"),
        ({"image": "data:image/png;base64,AAAA"}, "holds its photograph inside"),
        ({"image": "http://[broken/a.jpg"}, "no valid address"),
        ({"image": "/"}, "no name of a photograph"),
        ({"image": ["a.jpg", "b.jpg"]}, "names no photograph"),
    ],
)
def test_a_task_whose_photograph_is_not_clear(
    data: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(TableError, match="task 2") as caught:
        read(tmp_path, task(region()), task(region()) | {"data": data})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (region(value={**region()["value"], "x": "NaN"}), "not a finite number"),
        (region(value={**region()["value"], "x": 1e300}), "too large"),
        (region(value={**region()["value"], "x": "many"}), "has another form"),
        (region(original_width=0.5), "no size of a photograph"),
        (region(original_width=20_000), "no size of a photograph"),
        (of_value("polygonlabels", points=[[1, 2, 3]]), "has another form"),
        (of_value("brushlabels", rle=[1, 2, 3]), "ends too early"),
        (of_value("brushlabels", rle=[0, 0, 0, 9] * 9), "has 9 values"),
        (of_value("brushlabels", rle=[256]), "no bytes"),
    ],
)
def test_a_broken_region_is_named(broken: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(TableError, match="task 2") as caught:
        read(tmp_path, task(region()), task(broken))
    assert words in str(caught.value)


def test_a_score_that_is_no_share(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="score of 87"):
        read(tmp_path, task(predictions=[{"result": [region(score=87)]}]))


def test_sizes_that_disagree(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="several sizes"):
        read(tmp_path, task(region(), region(id="y", original_width=300)))
    with pytest.raises(TableError, match=r"says that a.jpg has 300 x 100 pixels, another task 200"):
        read(tmp_path, task(region()), task(region(original_width=300)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("{", "is not JSON"),
        ('[{"data": NaN}]', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('["text"]', "has another form"),
        ("3", "has another form"),
        ('[{"data": {"image": "a.jpg"}, "annotations": {"result": 1}}]', "has another form"),
    ],
)
def test_a_file_that_is_no_export(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(TableError) as caught:
        read_label_studio(tmp_path / "a.json")
    assert words in str(caught.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'[{"data": {"image": "\xff\xfe"}}]')
    with pytest.raises(TableError, match="is not JSON"):
        read_label_studio(tmp_path)
    (tmp_path / "a.json").write_bytes(b"\xff\xfe\x00\xd8[")
    with pytest.raises(TableError, match="is not text"):
        read_label_studio(tmp_path)


def test_a_folder_without_exports(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="has no JSON file"):
        read_label_studio(tmp_path)


def test_a_file_too_large_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fundoscope.limits.MAX_ANNOTATION_BYTES", 10)
    with pytest.raises(TableError, match="MiB, more than"):
        read(tmp_path, task(region()))


# Writing


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


def test_what_a_region_cannot_say_is_told(tmp_path: Path) -> None:
    two = Annotation(
        kind="irma",
        box=(1, 1, 9, 9),
        outlines=(((1.0, 1.0), (4.0, 1.0), (1.0, 4.0)), ((5.0, 5.0), (9.0, 5.0), (9.0, 9.0))),
    )
    both = Annotation(kind="irma", box=MASK.box, outlines=(TRIANGLE,), mask=MASK)
    other = Annotation(kind="irma", box=(0, 0, 5, 5), outlines=(TRIANGLE,))
    named = Annotation(kind="irma", box=(0, 0, 1, 1), attributes={"author": "x", "y": "z"})
    found = AnnotationSet(photos=(photo(two, both, other, named),), kinds=("irma",))
    assert write_label_studio(found, tmp_path) == (
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
    with pytest.raises(OutputError, match="is there already"):
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
    found = AnnotationSet(
        photos=(AnnotatedPhoto(image="a.jpg", width=size[0], height=size[1], annotations=items),),
        kinds=("irma",),
    )
    out = tmp_path_factory.mktemp("labelstudio")
    assert write_label_studio(found, out) == ()
    assert read_label_studio(out) == found


# The run-length code, and Label Studio's own converter


@pytest.fixture(scope="module")
def converter() -> Any:
    """Label Studio's own functions for brush strokes."""
    return pytest.importorskip("label_studio_converter.brush")


some_pixels = arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12)))


@settings(deadline=None)
@given(pixels=some_pixels)
def test_the_code_there_and_back(pixels: NDArray[np.bool_]) -> None:
    height, width = pixels.shape
    if pixels.any():
        mask = Mask.of(pixels)
        assert brush.decode(bytes(brush.encode(mask, width, height)), width, height) == mask


@settings(deadline=None)
@given(pixels=some_pixels)
def test_our_code_is_the_converters_bit_by_bit(converter: Any, pixels: NDArray[np.bool_]) -> None:
    if not pixels.any():
        return
    height, width = pixels.shape
    code = brush.encode(Mask.of(pixels), width, height)
    assert code == converter.mask2rle(pixels.astype(np.uint8) * 255)
    decoded = converter.decode_rle(code).reshape(height, width, 4)[..., 3] > 0
    assert np.array_equal(decoded, pixels)


@settings(deadline=None)
@given(
    values=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(4))),
    sizes=st.just([3, 4, 8, 16]),
)
def test_any_picture_of_the_converter_is_read_by_its_alpha(
    converter: Any, values: NDArray[np.uint8], sizes: list[int]
) -> None:
    code = converter.encode_rle(values.ravel(), rle_sizes=sizes)
    painted = values[..., 3] > 0
    expected = Mask.of(painted) if painted.any() else None
    assert brush.decode(bytes(code), values.shape[1], values.shape[0]) == expected


def test_values_that_are_not_repeated_may_stand_in_one_piece() -> None:
    # Two pixels: 8 values of 8 bits in one piece that is not repeated.
    bits = f"{8:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in SIZES)
    bits += "0" + "00" + f"{7:03b}" + "".join(f"{value:08b}" for value in (9, 9, 9, 0, 0, 0, 0, 5))
    bits += "0" * (-len(bits) % 8)
    code = int(bits, 2).to_bytes(len(bits) // 8, "big")
    assert brush.decode(code, 2, 1) == Mask(1, 0, np.ones((1, 1), dtype=bool))


def test_a_piece_longer_than_the_picture() -> None:
    bits = f"{4:032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in SIZES)
    bits += "1" + "00" + f"{7:03b}" + f"{255:08b}" + "0" * 20
    code = int(bits + "0" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")
    with pytest.raises(ValueError, match="longer than the picture"):
        brush.decode(code, 1, 1)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_picture_or_an_error(code: bytes) -> None:
    with suppress(ValueError):
        mask = brush.decode((4).to_bytes(4, "big") + code, 1, 1)
        assert mask is None or mask.area == 1


@pytest.mark.filterwarnings("ignore")
def test_label_studios_converter_reads_our_tasks_to_the_same_boxes(tmp_path: Path) -> None:
    whole = pytest.importorskip("label_studio_converter")
    boxes = [(20.0, 10.0, 30.5, 30.25), (0.1, 1 / 3, 2.7, 100 / 7), (199, 99, 200, 100)]
    items = [Annotation(kind="irma", box=box, author="A", difficult=True) for box in boxes]
    items.append(Annotation(kind="fovea", box=(1.0, 1.0, 9.1, 8.25), outlines=(TRIANGLE,)))
    (tmp_path / "photos").mkdir()
    found = AnnotationSet(photos=(photo(*items),), kinds=("irma", "fovea"))
    write_label_studio(found, tmp_path / "out")
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
