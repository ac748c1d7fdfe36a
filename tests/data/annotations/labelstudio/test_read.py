"""Label Studio's exports are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from fundoscope.data.annotations.annotation import (
    AnnotatedPhoto,
    Annotation,
    Loss,
)
from fundoscope.data.annotations.labelstudio.read import read_label_studio
from fundoscope.errors import TableError

from .exports import HEIGHT, WIDTH, of_value, only, read, region, task

SIZES = (3, 4, 8, 16)
"""Bits of a length in the run-length code."""


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
    annotated = read(
        tmp_path,
        task(
            region(value={**value, "rectanglelabels": ["MA", "quux"]}),
            region(id="x2", value={**value, "rectanglelabels": []}),
        ),
    )
    kinds = [item.kind for item in annotated.photos[0].annotations]
    assert kinds == ["microaneurysm", "quux", "unlabelled"]
    assert annotated.kinds == ("microaneurysm", "quux", "unlabelled")


def test_what_has_no_place_is_counted(tmp_path: Path) -> None:
    annotated = read(
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
    assert [photo.image for photo in annotated.photos] == ["a.jpg"]
    assert len(annotated.photos[0].annotations) == 1
    assert annotated.left_out == (
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


def test_several_annotators(tmp_path: Path) -> None:
    works = [
        {"completed_by": 7, "result": [region("MA")]},
        {"completed_by": {"id": 8, "email": "b@c.de"}, "result": [region("HE")]},
        {"completed_by": {"id": 9}, "result": [region("EX")]},
        {"result": [region("SE")]},
    ]
    annotated = read(tmp_path, task(annotations=works))
    authors = {item.kind: item.author for item in annotated.photos[0].annotations}
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
    annotated = read(tmp_path, task(annotations=[], predictions=predictions))
    items = annotated.photos[0].annotations
    assert [(item.score, item.author) for item in items] == [(0.25, "m1"), (0.5, "m1")]
    assert annotated.warnings == ()


def test_objects_of_people_have_no_score_and_both_are_read_with_a_warning(tmp_path: Path) -> None:
    annotated = read(
        tmp_path, task(region(score=0.9), predictions=[{"result": [region(id="p", score=0.8)]}])
    )
    assert [item.score for item in annotated.photos[0].annotations] == [None, 0.8]
    assert "both annotations and predictions" in annotated.warnings[0]


@pytest.mark.parametrize("by", ["id", "parent"])
def test_a_prediction_that_a_person_took_over_is_not_there_twice(by: str, tmp_path: Path) -> None:
    other = "x1" if by == "id" else "p"
    work = {"result": [region()]} | ({"parent_prediction": 3} if by == "parent" else {})
    prediction = {"result": [region(id=other, score=0.8), region(id="q", score=0.1)]}
    annotated = read(tmp_path, task(annotations=[work], predictions=[prediction]))
    assert [item.score for item in annotated.photos[0].annotations] == [None]
    assert annotated.left_out == (Loss("predictions that a person took over", 2),)


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
    annotated = read(tmp_path, *entries)
    (photo,) = annotated.photos
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
    annotated = read_label_studio(tmp_path)
    assert [photo.image for photo in annotated.photos] == ["1.jpg", "2.jpg"]
    assert annotated.photos[0].annotations[0].author == "4"


def test_an_old_export_calls_annotations_completions(tmp_path: Path) -> None:
    old = {"data": {"image": "a.jpg"}, "completions": [{"result": [region()]}]}
    assert len(read(tmp_path, old).photos[0].annotations) == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a b.json"
    path.write_text(json.dumps([task(region(), image="眼 1.jpg")]), encoding=encoding)
    assert read_label_studio(path).photos[0].image == "眼 1.jpg"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (region(value={**region()["value"], "x": "NaN"}), "not a finite number"),
        (region(value={**region()["value"], "x": 1e300}), "too large"),
        (
            region(value={**region()["value"], "x": "many"}),
            "does not have the structure of this format",
        ),
        (region(original_width=0.5), "not a possible size"),
        (region(original_width=20_000), "not a possible size"),
        (
            of_value("polygonlabels", points=[[1, 2, 3]]),
            "does not have the structure of this format",
        ),
        (of_value("brushlabels", rle=[1, 2, 3]), "ends too early"),
        (of_value("brushlabels", rle=[0, 0, 0, 9] * 9), "has 9 values"),
        (of_value("brushlabels", rle=[256]), "not bytes"),
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
    with pytest.raises(
        TableError, match=r"says that a.jpg has 300 x 100 pixels, another task says 200"
    ):
        read(tmp_path, task(region()), task(region(original_width=300)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("{", "is not JSON"),
        ('[{"data": NaN}]', "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('["text"]', "does not have the structure of this format"),
        ("3", "does not have the structure of this format"),
        (
            '[{"data": {"image": "a.jpg"}, "annotations": {"result": 1}}]',
            "does not have the structure of this format",
        ),
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


def photo(*items: Annotation, image: str = "a.jpg", source: str = "") -> AnnotatedPhoto:
    return AnnotatedPhoto(image=image, width=WIDTH, height=HEIGHT, annotations=items, source=source)


number = st.floats(-1e4, 1e4, allow_nan=False).filter(lambda value: value == 0 or abs(value) > 1e-9)
