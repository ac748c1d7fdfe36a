"""Lesions on useless photographs, and files that are not bundles: a result or a one-line error."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.cli.main import run
from fundoscope.grading import grader as graders
from fundoscope.models import bundle
from fundoscope.phantom import PhantomSpec
from fundoscope.reader import Reader
from fundoscope.reading import Lesion, Reading

Save = Callable[..., Path]

pytestmark = pytest.mark.skipif(
    not (bundle.SHIPPED / bundle.DETECTION / bundle.MANIFEST).is_file(),
    reason="this installation has no detector",
)
SMALL_SCALE = 300.0
"""Radius of the field that the network looks at here: what ships would take ten times as long."""
SURE = 0.3
"""The lowest score of an accepted box of any kind here."""


def written(folder: Path, threshold: float) -> Path:
    """The detector that ships, at a smaller scale and for photographs of any size."""
    shipped = bundle.load_detector(bundle.shipped(bundle.DETECTION))
    classes = shipped.manifest.classes
    manifest = replace(
        shipped.manifest,
        radius=SMALL_SCALE,
        input_size=384,
        thresholds=dict.fromkeys(classes, threshold),
        minimum_radius=dict.fromkeys(classes, 20.0),
    )
    bundle.write(folder, manifest, shipped.model, "card")
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("bundles") / "small", SURE)


@pytest.fixture(scope="module")
def reader(small: Path) -> Reader:
    return Reader(detector=small)


@pytest.fixture(scope="module")
def eye() -> np.ndarray:
    """A diseased eye, 640 x 640, the whole disc in the frame."""
    return phantom.draw(PhantomSpec(seed=5, width=640, height=640, grade=3))[0]


def consistent(reading: Reading) -> bool:
    """Counts are those of the boxes, which lie on the photograph."""
    counts = Counter(lesion.kind for lesion in reading.lesions)
    for one in reading.lesion_summary:
        assert one.count == (counts[one.kind] if one.assessed else None)
        assert one.assessed or counts[one.kind] == 0
    for lesion in reading.lesions:
        x0, y0, x1, y1 = lesion.box
        assert -2 <= x0 < x1 <= reading.photo.width + 2
        assert -2 <= y0 < y1 <= reading.photo.height + 2
    return Reading.from_json(reading.to_json()) == reading


def iou(one: Lesion, other: Lesion) -> float:
    (a0, b0, a1, b1), (c0, d0, c1, d1) = one.box, other.box
    common = max(0.0, min(a1, c1) - max(a0, c0)) * max(0.0, min(b1, d1) - max(b0, d0))
    return common / ((a1 - a0) * (b1 - b0) + (c1 - c0) * (d1 - d0) - common)


@pytest.mark.parametrize("side", [64, 100, 224])
def test_a_photograph_smaller_than_a_tile(reader: Reader, eye: np.ndarray, side: int) -> None:
    tiny = np.array(Image.fromarray(eye).resize((side, side), Image.Resampling.BOX))
    reading = reader.read(tiny)
    assert consistent(reading)


def test_a_photograph_too_small_for_what_ships(eye: np.ndarray) -> None:
    tiny = np.array(Image.fromarray(eye).resize((128, 128), Image.Resampling.BOX))
    reading = Reader().read(tiny)
    assert consistent(reading)
    assert reading.lesions == ()
    assert not any(one.assessed for one in reading.lesion_summary)


def test_an_eye_on_which_nothing_is_found(tmp_path: Path, eye: np.ndarray) -> None:
    strict = written(tmp_path / "strict", threshold=1.01)
    reading = Reader(detector=strict, landmarks=False).read(eye)
    assert consistent(reading)
    assert reading.lesions == ()
    looked_for = [one for one in reading.lesion_summary if one.assessed]
    assert len(looked_for) == 5  # the kinds that the shipped detector has learnt
    assert {(one.count, one.box_area) for one in looked_for} == {(0, 0.0)}
    assert reading.anatomy.disc.found is False


def test_an_eye_with_two_thousand_lesions(small: Path) -> None:
    """Without a judge, which takes a disc of regular spots for something else than a retina."""
    reader = Reader(replace(graders.load(), judge=None), small)
    pixels, truth = phantom.draw(PhantomSpec(seed=1, width=1600, height=1600))
    rng = np.random.default_rng(2)
    angle, away = rng.uniform(0, 2 * np.pi, 2000), truth.field.radius * 0.95
    away = away * np.sqrt(rng.uniform(0, 1, 2000))
    places = np.stack([np.cos(angle), np.sin(angle)], axis=1) * away[:, None] + truth.field.centre
    for place, (x, y) in enumerate(places.astype(int)):
        pixels[y - 4 : y + 5, x - 4 : x + 5] = (250, 240, 140) if place % 2 else (90, 15, 10)
    reading = reader.read(pixels)
    assert reading.field.found
    assert consistent(reading)
    withheld = sum(each.withheld or 0 for each in reading.lesion_summary)
    assert len(reading.lesions) + withheld > 200
    field = np.pi * truth.field.radius**2
    assert all(0 <= one.box_area < field for one in reading.lesion_summary if one.assessed)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.zeros((700, 900, 3), np.uint8), "too_dark"),
        (np.full((700, 900, 3), 255, np.uint8), None),
    ],
)
def test_one_colour(reader: Reader, pixels: np.ndarray, reason: str | None) -> None:
    reading = reader.read(pixels)
    assert not reading.field.found
    assert reason in (None, reading.field.reason)
    assert {one.reason for one in reading.lesion_summary} == {"no_field"}


@pytest.mark.parametrize("deep", [False, True])
def test_a_grey_photograph_and_one_of_16_bits(reader: Reader, eye: np.ndarray, deep: bool) -> None:
    grey = eye.mean(axis=2)
    picture = Image.fromarray((grey * 257).astype(np.uint16) if deep else grey.astype(np.uint8))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    reading = reader.read(buffer.getvalue())
    assert reading.field.reason == "no_colour"
    assert {one.reason for one in reading.lesion_summary} == {"no_field"}
    assert reading.anatomy.disc.found is None


def test_a_squashed_photograph_has_the_lesions_of_the_natural_one(reader: Reader) -> None:
    pixels, _ = phantom.draw(PhantomSpec(seed=5, width=1200, height=800, grade=3))
    squashed = np.array(Image.fromarray(pixels).resize((800, 800), Image.Resampling.BICUBIC))
    natural, other = reader.read(pixels), reader.read(squashed)
    assert other.field.stretch == pytest.approx(1.5, abs=0.03)
    assert natural.lesions
    sure = [one for one in natural.lesions if one.score >= 2 * SURE]
    drawn_out = [
        replace(one, box=(one.box[0] * 1.5, one.box[1], one.box[2] * 1.5, one.box[3]))
        for one in other.lesions
    ]
    again = [
        any(one.kind == twin.kind and iou(one, twin) >= 0.5 for twin in drawn_out) for one in sure
    ]
    assert np.mean(again) >= 0.8
    for one, twin in zip(natural.lesion_summary, other.lesion_summary, strict=True):
        assert one.assessed == twin.assessed


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code and the one line on standard error."""
    code = run([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return code, line


def test_a_detector_of_another_task(
    tmp_path: Path, save_eye: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, grader = save_eye(tmp_path / "a.jpg"), bundle.shipped(bundle.GRADING)
    code, line = said(capsys, "read", photo, "--detector", grader)
    assert code == 2
    assert "is a grading bundle, not a detection bundle; name a detection bundle" in line
    code, line = said(capsys, "read", photo, "--grader", bundle.shipped(bundle.DETECTION))
    assert code == 2
    assert "is a detection bundle, not a grading bundle; name a grading bundle" in line


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (
            lambda folder: (folder / "model.onnx").write_bytes(b"other"),
            "is damaged or was edited: model.onnx",
        ),
        (lambda folder: (folder / "model.onnx").unlink(), "has no model.onnx"),
        (lambda folder: (folder / "bundle.json").write_text("{}"), "has a wrong bundle.json"),
    ],
)
def test_a_damaged_detector(
    tmp_path: Path,
    small: Path,
    save_eye: Save,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[Path], object],
    sentence: str,
) -> None:
    folder = tmp_path / "detector"
    folder.mkdir()
    for file in small.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    damage(folder)
    out = tmp_path / "out"
    photo = save_eye(tmp_path / "a.jpg")
    code, line = said(capsys, "read", photo, "--detector", folder, "--out", out)
    assert code == 2
    assert line.startswith("detector: ")
    assert sentence in line
    assert not out.exists()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="cannot tell what is in use")
def test_too_little_memory_refuses_a_photograph_and_no_more(tmp_path: Path) -> None:
    pixels, _ = phantom.draw(PhantomSpec(seed=5, width=1200, height=800, grade=3))
    Image.fromarray(pixels).save(tmp_path / "eye.png")
    code = """
        import resource, sys
        from pathlib import Path
        from fundoscope.batch.inputs import gather
        from fundoscope.batch.run import examine
        from fundoscope.reader import Reader

        (one,) = gather([Path(sys.argv[1])]).photographs
        reader = Reader()
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        # This photograph needs about 200 MiB with a detector of eight bits; with 40 not even
        # OpenBLAS starts.
        limit = pages * resource.getpagesize() + 120 * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        print(examine(one, reader=reader).refusal)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path / "eye.png"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    reason = "needs more memory than is available; use fewer workers"
    assert reason in done.stdout
    assert done.stderr == ""
