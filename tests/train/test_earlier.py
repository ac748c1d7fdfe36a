"""Runs and bundles of version 0.1 (tests/earlier/0.1): they are read, resumed and exported."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

pytest.importorskip("onnx")

from fundoscope.cli import main
from fundoscope.models import bundle as bundles
from fundoscope.photo import decode, field
from fundoscope.reader import Reader
from fundoscope.reading import FieldOfView

EARLIER = Path(__file__).parents[1] / "earlier" / "0.1"
COMMANDS = {"grader": "grader", "boxes": "detector", "masks": "detector"}
"""By run: the command of ``fundoscope train``."""
STEPS = {"grader": 7, "boxes": 159, "masks": 159}
"""The step of the check-point; one more ends the run."""
PHOTOGRAPH = Path("eyes") / "JPEGImages" / "eye0.jpg"
FIELD = FieldOfView(True, (164.44039085151962, 120.48234727214928), 117.14571976568338, 1.0)
"""The field of view of the photograph, as it was found until its finder changed."""
PROBABILITY, PIXELS = 1e-4, 0.1
"""By how much another processor may change a result."""
SCORE = 1e-3
"""The same of a score: the field of view was found a little otherwise by 0.1."""
FIELD_PIXELS = 0.2
"""By how much the field that is found today may differ from that field."""

pytestmark = pytest.mark.slow


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of everything that 0.1 made, as the working directory."""
    for archive in sorted(EARLIER.glob("*.tar.xz")):
        with tarfile.open(archive) as opened:
            opened.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """What 0.1 read and measured with them."""
    content: dict[str, Any] = json.loads((EARLIER / "expected.json").read_text())
    return content


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str]) -> Callable[..., None]:
    """Run ``fundoscope train`` in this process."""

    def run(*arguments: object) -> None:
        code = main.run(["train", *map(str, arguments)])
        assert code == 0, capsys.readouterr().err

    return run


@pytest.mark.parametrize("detector", ["boxes", "masks"])
def test_bundles_read_a_photograph_as_before(
    detector: str, earlier: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field, "find", lambda photo, textured=True: FIELD)
    # In 0.1 the disc came from the detector.
    bundle = earlier / f"{detector}-bundle"
    reader = Reader(earlier / "grader-bundle", bundle, landmarks=False)
    reading = reader.read(earlier / PHOTOGRAPH)
    before = expected[detector]
    assert reading.grade.icdr == before["grade"]["icdr"]
    assert reading.grade.probabilities == pytest.approx(
        before["grade"]["probabilities"], abs=PROBABILITY
    )
    disc, disc_before = reading.anatomy.disc, before["anatomy"]["disc"]
    assert disc is not None
    assert disc.box == pytest.approx(disc_before["box"], abs=PIXELS)
    assert disc.score == pytest.approx(disc_before["score"], abs=SCORE)
    assert len(reading.lesions) == len(before["lesions"])


def test_the_field_of_that_photograph_is_found_where_it_was(earlier: Path) -> None:
    found = field.find(decode.decode_file(earlier / PHOTOGRAPH))
    assert found.centre == pytest.approx(FIELD.centre, abs=FIELD_PIXELS)
    assert found.radius == pytest.approx(FIELD.radius, abs=FIELD_PIXELS)
    assert found.stretch == FIELD.stretch


def test_bundles_state_what_they_were_made_of(earlier: Path) -> None:
    grader = bundles.load_grader(earlier / "grader-bundle").manifest
    assert (grader.name, grader.head, grader.input_size) == ("grader of 0.1", "softmax", 12)
    for kind, head in (("boxes", "boxes"), ("masks", "mask")):
        manifest = bundles.load_detector(earlier / f"{kind}-bundle").manifest
        assert (manifest.name, manifest.head) == (f"{kind} of 0.1", head)
        assert manifest.classes == ("neovascularisation", "optic_disc")


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_check_point_resumes(
    kind: str, earlier: Path, expected: dict[str, Any], train: Callable[..., None]
) -> None:
    """Its configuration file still describes the folder's run, and the last step is the same."""
    assert set(json.loads((earlier / kind / "config.json").read_text())) == {
        "config",
        "manifest_sha256",
    }
    checkpoint = torch.load(earlier / kind / "checkpoint.pt", weights_only=True)
    assert checkpoint["step"] == STEPS[kind]
    train(COMMANDS[kind], EARLIER / f"{kind}.toml", "--out", earlier / kind)
    lines = (earlier / kind / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2
    line, before = json.loads(lines[-1]), expected[kind]["metrics"]
    assert line["step"] == before["step"] == STEPS[kind] + 1
    assert line["loss"] == pytest.approx(before["loss"], rel=1e-3)
    assert line["score"] == pytest.approx(before["score"], abs=0.05)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_run_folder_exports(kind: str, earlier: Path, train: Callable[..., None]) -> None:
    train("export", earlier / kind, earlier / "exported", "--name", f"{kind} again")
    now, before = bundles.load(earlier / "exported"), bundles.load(earlier / f"{kind}-bundle")
    assert now.manifest.name == f"{kind} again"
    assert now.manifest.task == before.manifest.task
    made, before_made = now.manifest.trained_on, before.manifest.trained_on
    assert made.manifest_sha256 == before_made.manifest_sha256
    assert made.photographs == before_made.photographs
    assert made.minutes == before_made.minutes
    assert_holds(made.configuration, before_made.configuration)


def assert_holds(settings: Mapping[str, Any], earlier: Mapping[str, Any]) -> None:
    """Every earlier setting has its value; there may be further ones."""
    for key, value in earlier.items():
        if isinstance(value, dict):
            assert_holds(settings[key], value)
        else:
            assert settings[key] == value, key
