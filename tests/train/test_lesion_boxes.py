"""``scripts/lesion_boxes``: what a detector sees on the sick eyes that a grader learns from."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from PIL import Image

pytest.importorskip("torch")

from fundoscope import phantom
from fundoscope.lesions import detector as detectors
from fundoscope.phantom import PhantomSpec
from fundoscope.photo import decode, field
from fundoscope.reading import Lesion

WHOLE = (0.0, 0.0, 400.0, 350.0)
TABLE = """image,grade,split,source,other_disease
eye.png,2,train,a,
healthy.png,0,train,a,
text.png,3,train,a,
other.png,2,train,a,vein occlusion
validation.png,2,val,a,
elsewhere.png,2,train,b,
"""
looks: list[str] = []


@pytest.fixture
def script(
    load_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ModuleType:
    module = load_script("lesion_boxes")
    (tmp_path / "table.csv").write_text(TABLE)
    for line in TABLE.splitlines()[1:]:
        picture = phantom.draw(PhantomSpec(seed=1, width=400, height=350))[0]
        Image.fromarray(picture).save(tmp_path / line.partition(",")[0])
    (tmp_path / "text.png").write_text("no picture")
    manifest = SimpleNamespace(model_sha256="a1")
    seen = (
        Lesion("haemorrhage", WHOLE, 0.9),
        Lesion("optic_disc", WHOLE, 0.9),
        Lesion("soft_exudate", WHOLE, 0.01),
    )
    detector = SimpleNamespace(manifest=manifest, decode_side=300)
    monkeypatch.setattr(detectors, "load", lambda *_, **__: detector)
    monkeypatch.setattr(detectors, "candidates", lambda *_: looks.append("") or seen)
    arguments = ["lesion_boxes", str(tmp_path / "table.csv"), "--source", "a"]
    monkeypatch.setattr(sys, "argv", [*arguments, "--out", str(tmp_path / "boxes.jsonl")])
    looks.clear()
    return module


def test_sick_eyes_of_training_are_looked_at_once(script: ModuleType, tmp_path: Path) -> None:
    assert script.main() == 0
    lines = [json.loads(line) for line in (tmp_path / "boxes.jsonl").read_text().splitlines()]
    seen = {Path(line["image"]).name: line["boxes"] for line in lines}
    assert seen.keys() == {"eye.png", "text.png"}
    assert seen["text.png"] is None
    (box,) = seen["eye.png"]
    assert (box["kind"], box["score"]) == ("haemorrhage", 0.9)
    assert script.main() == 0
    assert len(looks) == 1


def test_a_further_table_need_not_name_a_split(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("image,grade,source\neye.png,2,a\n")
    assert script.main() == 0
    assert len((tmp_path / "boxes.jsonl").read_text().splitlines()) == 1


def test_boxes_are_in_units_of_the_field(script: ModuleType, tmp_path: Path) -> None:
    """Half the photograph's height is a known number of radii, whatever the frame's shape."""
    assert script.main() == 0
    line = json.loads((tmp_path / "boxes.jsonl").read_text().splitlines()[0])
    x0, y0, x1, y1 = line["boxes"][0]["box"]
    fov = field.find(decode.decode_file(tmp_path / "eye.png", min_side=300))
    assert fov.radius is not None
    assert (x1 - x0) / 2 == pytest.approx(200 / fov.radius, rel=0.02)
    assert (y1 - y0) / 2 == pytest.approx(175 / fov.radius, rel=0.02)


def test_a_file_of_another_detector_is_left_alone(
    script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '{"image": "eye.png", "detector": "b2", "boxes": []}\n'
    (tmp_path / "boxes.jsonl").write_text(text)
    assert script.main() == 2
    assert "was made with another detector" in capsys.readouterr().err
    assert (tmp_path / "boxes.jsonl").read_text() == text


def test_a_source_without_sick_eyes_is_named(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--source", "apots"])
    assert script.main() == 2
    assert "--source apots: has no photograph of grade 1 or more" in capsys.readouterr().err
    assert not (tmp_path / "boxes.jsonl").exists()


def test_a_file_that_cannot_be_written_is_one_line(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--out", str(tmp_path / "eye.png" / "boxes")])
    assert script.main() != 0
    assert "cannot be written" in capsys.readouterr().err
