"""From a file to its grade, with the grader that comes with the package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.data.annotations.voc.read import read_voc
from fundoscope.models import bundle
from fundoscope.reading import Reading

pytestmark = pytest.mark.skipif(
    not (bundle.SHIPPED / bundle.GRADING / bundle.MANIFEST).is_file(),
    reason="this installation has no grader",
)
needs_detector = pytest.mark.skipif(
    not (bundle.SHIPPED / bundle.DETECTION / bundle.MANIFEST).is_file(),
    reason="this installation has no detector",
)


def fundoscope(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fundoscope", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_folder_of_eyes_and_other_things(tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    pixels, truth = phantom.draw(phantom.PhantomSpec(seed=3, width=1200, height=900))
    Image.fromarray(pixels).save(photos / "eye.jpg", quality=92)
    Image.new("RGB", (800, 600)).save(photos / "lens-cap.png")
    (photos / "letter.tif").write_text("Dear colleague")
    done = fundoscope("read", photos, "--json", "--out", out)
    assert done.returncode == 3, done.stderr
    eye, cap = (Reading.from_json(line) for line in done.stdout.splitlines())
    assert eye.grade.icdr in range(5)
    assert eye.grade.probabilities is not None
    assert sum(eye.grade.probabilities) == pytest.approx(1.0)
    assert eye.field.radius == pytest.approx(truth.field.radius, rel=0.02)
    assert (cap.field.found, cap.grade.icdr) == (False, None)
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [
        str(photos / "lens-cap.png"),
        str(photos / "letter.tif"),
    ]
    manifest = json.loads((out / "run.json").read_text())
    assert manifest["counts"] == {
        "photographs": 3, "read": 1, "not_graded": 1, "refused": 1,
        "referable": int(eye.grade.referable is not None and eye.grade.referable.positive),
    }  # fmt: skip
    assert manifest["models"][0]["sha256"] == bundle.load(bundle.shipped()).manifest.model_sha256
    assert set(manifest["thresholds"]["lesions"]) >= {
        one.kind for one in eye.lesion_summary if one.assessed
    }
    assert len(list(out.glob("*.png"))) == 2


def test_a_real_photograph_that_every_machine_can_have(tmp_path: Path) -> None:
    skimage = pytest.importorskip("skimage")
    photo = Path(skimage.__file__).parent / "data" / "retina.jpg"
    if not photo.is_file():
        pytest.skip("this scikit-image has no retina.jpg")
    done = fundoscope("read", photo, "--json")
    assert done.returncode == 0, done.stderr
    reading = Reading.from_json(done.stdout)
    assert reading.photo.name == "retina.jpg"
    assert reading.field.found


def test_doctor_and_models_are_content() -> None:
    assert fundoscope("models").returncode == 0
    done = fundoscope("doctor")
    assert done.returncode == 0, done.stdout + done.stderr


@needs_detector
def test_annotations_of_a_drawn_eye_come_back_as_the_reading_has_them(tmp_path: Path) -> None:
    pixels, _ = phantom.draw(phantom.PhantomSpec(seed=3, width=1600, height=1200, grade=3))
    Image.fromarray(pixels).save(tmp_path / "eye.jpg", quality=92)
    done = fundoscope("annotate", tmp_path, "--beside")
    assert done.returncode == 0, done.stdout + done.stderr
    (photo,) = read_voc(tmp_path / "eye.xml").photos
    assert (photo.image, photo.width, photo.height) == ("eye.jpg", 1600, 1200)
    reading = Reading.from_json(fundoscope("read", tmp_path / "eye.jpg", "--json").stdout)
    discs = int(bool(reading.anatomy.disc.found))
    assert len(photo.annotations) == len(reading.lesions) + discs
    for item, lesion in zip(photo.annotations, reading.lesions, strict=False):
        assert item.kind == lesion.kind
        assert item.box == pytest.approx(lesion.box, abs=1.0)
