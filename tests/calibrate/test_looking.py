"""What is fitted to lesions sees the lesions that a reading has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.calibrate import boxes, looking
from fundoscope.calibrate.looking import Networks, Unread
from fundoscope.data import manifest as manifests
from fundoscope.grading import grader as graders
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import landmarks
from fundoscope.phantom import PhantomSpec
from fundoscope.reader import Reader


@pytest.fixture(scope="module")
def networks() -> Networks:
    return Networks(detectors.load(), landmarks.load(), graders.load())


@pytest.fixture(scope="module")
def eye(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec = PhantomSpec(seed=3, width=1200, height=900, shape=("clipped",), grade=3)
    path = tmp_path_factory.mktemp("eyes") / "eye.png"
    Image.fromarray(phantom.draw(spec)[0]).save(path)
    return path


def test_field_landmarks_and_boxes_are_those_of_a_reading(networks: Networks, eye: Path) -> None:
    seen = looking.look(eye, eye.name, networks)
    assert not isinstance(seen, Unread)
    findings, field = seen
    reading = Reader().read(eye)
    assert reading.lesions
    assert (field, findings.anatomy) == (reading.field, reading.anatomy)
    assert findings.lesions == reading.lesions


def test_what_cannot_be_read_says_why(networks: Networks, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no photograph")
    unread = looking.look(tmp_path / "a.jpg", "a.jpg", networks)
    assert isinstance(unread, Unread)
    assert (unread.image, unread.reason) == ("a.jpg", "is not an image")


def test_an_overexposed_photograph_says_nothing_about_any_kind(
    networks: Networks, eye: Path, tmp_path: Path
) -> None:
    pixels = np.array(Image.open(eye))
    bright = pixels.max(axis=2) > 20
    height, width = bright.shape
    bright[: height // 3] = bright[:, : width // 4] = False
    pixels[bright] = (255, 253, 230)
    Image.fromarray(pixels).save(tmp_path / "bright.png")
    (tmp_path / "labels.csv").write_text("image,grade\nbright.png,0\n")
    table = manifests.read(tmp_path / "labels.csv")
    photographs, unread = boxes.read(table, table.rows, networks)
    assert [each.scores for each in photographs] + list(unread) == [{}]
