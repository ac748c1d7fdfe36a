"""``scripts/mine``: what a detector boxes on healthy eyes."""

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
from fundoscope.lesions import looking
from fundoscope.lesions.summary import Findings
from fundoscope.phantom import PhantomSpec
from fundoscope.reading import Lesion
from fundoscope.train.detection import checks
from fundoscope.train.detection.views import healthy
from fundoscope.train.detection.views.view import HealthyPhotograph

SCRIPT = Path(__file__).parents[2] / "scripts" / "mine"
BOX = (10.0, 20.0, 30.0, 40.0)
SEEN = (
    Lesion("haemorrhage", BOX, 0.9),
    Lesion("microaneurysm", BOX, 0.8),
    Lesion("haemorrhage", BOX, 0.3),
)
looks: list[str] = []


@pytest.fixture
def mine(
    load_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> ModuleType:
    module = load_script("mine")
    Image.fromarray(phantom.draw(PhantomSpec(seed=1, width=400, height=350))[0]).save(
        tmp_path / "eye.png"
    )
    (tmp_path / "text.png").write_text("no picture")
    photographs = [
        HealthyPhotograph(tmp_path / "eye.png", "a", (1,)),
        HealthyPhotograph(tmp_path / "text.png", "b", ()),
    ]
    manifest = SimpleNamespace(classes=("microaneurysm", "haemorrhage"), model_sha256="a1")
    detector = SimpleNamespace(manifest=manifest, decode_side=300)
    monkeypatch.setattr(checks, "read_config", lambda _: SimpleNamespace(healthy=None, seed=1))
    monkeypatch.setattr(detectors, "load", lambda *_, **__: detector)
    monkeypatch.setattr(healthy, "choose", lambda *_: (photographs, []))
    monkeypatch.setattr(looking, "look", lambda *_: looks.append("") or Findings(seen=SEEN))
    looks.clear()
    return module


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the script is told to write."""
    path = tmp_path / "mined.jsonl"
    monkeypatch.setattr(sys, "argv", ["mine", "any.toml", "--out", str(path)])
    return path


def test_false_boxes_are_kept_and_what_an_eye_may_show_is_not(mine: ModuleType, out: Path) -> None:
    assert mine.main() == 0
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    found = {Path(line["image"]).name: line["boxes"] for line in lines}
    assert found == {"eye.png": [[*BOX, 0.9]], "text.png": []}
    assert mine.main() == 0
    assert len(out.read_text().splitlines()) == 2
    assert len(looks) == 1


def test_a_line_that_a_kill_cut_off_is_made_again(mine: ModuleType, out: Path) -> None:
    assert mine.main() == 0
    whole = out.read_bytes()
    out.write_bytes(whole[:-10])
    assert mine.main() == 0
    assert out.read_bytes() == whole


def test_a_photograph_that_may_be_readable_tomorrow_gets_no_line(
    mine: ModuleType, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line without boxes would say for good that the detector saw nothing on it."""
    eye = (tmp_path / "eye.png").rename(tmp_path / "hidden.png")
    assert mine.main() == 2
    assert "eye.png: does not exist" in capsys.readouterr().err
    assert not out.exists()
    eye.rename(tmp_path / "eye.png")
    assert mine.main() == 0
    assert len(out.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"image": "eye.png", "detector": "b2", "boxes": []}\n', "made with another detector"),
        ('{"image": "eye.png", "boxes": []}\n', "made with another detector"),
        ("not json\n", "is not a file of scripts/mine"),
    ],
)
def test_a_file_of_another_detector_is_left_alone(
    mine: ModuleType,
    out: Path,
    capsys: pytest.CaptureFixture[str],
    text: str,
    why: str,
) -> None:
    out.write_text(text)
    assert mine.main() == 2
    assert why in capsys.readouterr().err
    assert out.read_text() == text
