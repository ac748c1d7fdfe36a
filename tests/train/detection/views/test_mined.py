"""Boxes of an earlier detector on healthy eyes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fundoscope.errors import UsageError
from fundoscope.geometry import Affine
from fundoscope.lesions.view import View
from fundoscope.train.detection.views import mined
from fundoscope.train.detection.views.view import AnnotatedView

BOXES = ((10.0, 20.0, 30.0, 40.0, 0.7),)


def views_of(*photographs: Path) -> list[AnnotatedView]:
    half = View(np.zeros((50, 50, 3), np.uint8), Affine.scale(0.5, 0.5), (25.0, 25.0), 24.0)
    nothing = np.zeros((0, 4)), np.zeros(0, np.int64)
    return [AnnotatedView(photograph, *nothing, open=lambda: half) for photograph in photographs]


def test_boxes_are_moved_into_the_view_of_their_photograph(tmp_path: Path) -> None:
    lines = [
        {"image": "eyes/a.jpg", "boxes": [[10, 20, 30, 40, 0.7]]},
        {"image": "eyes/b.jpg", "boxes": []},
    ]
    path = tmp_path / "mined.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = mined.read(path)
    assert list(found) == ["eyes/a.jpg"]
    with_boxes = mined.with_boxes(views_of(*(Path(f"eyes/{n}.jpg") for n in "abc")), found, path)
    assert with_boxes[0].mined.tolist() == [[5.0, 10.0, 15.0, 20.0, 0.7]]
    assert [len(view.mined) for view in with_boxes] == [1, 0, 0]


def test_a_photograph_is_known_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of the next training may lie elsewhere, or be named by another path."""
    monkeypatch.chdir(tmp_path)
    (view,) = views_of(tmp_path / "tables" / ".." / "a.jpg")
    for name in ("a.jpg", "eyes/../a.jpg", str(tmp_path / "a.jpg")):
        assert len(mined.with_boxes([view], {name: BOXES}, Path("m.jsonl"))[0].mined) == 1


def test_boxes_of_none_of_the_eyes_are_refused() -> None:
    found = {"other/a.jpg": BOXES, "other/b.jpg": BOXES}
    with pytest.raises(UsageError, match=r"m\.jsonl: has boxes on 2 photographs, none of healthy"):
        mined.with_boxes(views_of(Path("eyes/a.jpg")), found, Path("m.jsonl"))
    (view,) = mined.with_boxes(views_of(Path("eyes/a.jpg")), {}, Path("m.jsonl"))
    assert len(view.mined) == 0


@pytest.mark.parametrize("text", ["not json", '{"image": "a"}', None])
def test_another_file_is_refused(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "mined.jsonl"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"cannot be read .*scripts/mine"):
        mined.read(path)
