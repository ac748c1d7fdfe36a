"""Tasks as Label Studio exports them, for the tests of its reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fundoscope.data.annotations.annotation import Annotation, AnnotationSet
from fundoscope.data.annotations.labelstudio.read import read_label_studio

WIDTH, HEIGHT = 200, 100


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
    """The one annotation that these results become."""
    ((item,),) = (photo.annotations for photo in read(tmp_path, task(*results)).photos)
    return item
