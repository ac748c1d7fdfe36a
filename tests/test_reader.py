"""The whole pipeline with the bundle that ships, on drawn eyes and on one real photograph."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from PIL import Image

import fundoscope
from fundoscope import phantom
from fundoscope.errors import PhotoError
from fundoscope.models import bundle
from fundoscope.phantom import PhantomSpec
from fundoscope.reader import Reader
from fundoscope.reading import schema

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.fixture(scope="module")
def eye() -> np.ndarray:
    return phantom.draw(PhantomSpec(seed=3, width=896, height=592, shape=("clipped",)))[0]


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def test_a_reading_says_all_that_others_rely_on(reader: Reader, eye: np.ndarray) -> None:
    reading = reader.read(eye)
    jsonschema.validate(json.loads(reading.to_json()), schema())
    assert reading.field.found
    assert reading.grade.icdr in range(5)
    assert reading.grade.probabilities is not None
    assert sum(reading.grade.probabilities) == pytest.approx(1)
    assert reading.grade.expected == pytest.approx(
        sum(k * p for k, p in enumerate(reading.grade.probabilities))
    )
    referable = reading.grade.referable
    assert referable is not None
    assert referable.probability == pytest.approx(sum(reading.grade.probabilities[2:]))
    assert referable.positive == (referable.probability >= referable.threshold)
    assert referable.threshold == reader.referable_threshold
    assert reading.quality.gradable is None
    assert reading.lesions == ()
    assert reading.software == f"fundoscope {fundoscope.__version__}"


def test_the_model_is_named_by_the_hash_of_its_bytes(reader: Reader, eye: np.ndarray) -> None:
    shipped = bundle.load(bundle.shipped())
    (used,) = reader.read(eye).models
    assert used.sha256 == shipped.manifest.model_sha256
    assert used.task == "grading"


def test_path_bytes_and_array_give_the_same_grade(
    reader: Reader, eye: np.ndarray, tmp_path: Path
) -> None:
    path = tmp_path / "eye.png"
    path.write_bytes(encoded(eye))
    by_path, by_bytes, by_array = (reader.read(source) for source in (path, path.read_bytes(), eye))
    assert by_path.grade == by_bytes.grade == by_array.grade
    assert by_path.photo.name == "eye.png"
    assert by_bytes.photo.name is None
    assert by_array.photo.name is None
    assert by_path.photo.sha256 == by_bytes.photo.sha256


def test_a_name_is_never_a_path(reader: Reader, eye: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "patient 7" / "eye.png"
    path.parent.mkdir()
    path.write_bytes(encoded(eye))
    assert "patient 7" not in reader.read(path).to_json()


def test_turning_the_camera_changes_nothing(reader: Reader, eye: np.ndarray) -> None:
    """The same photograph stored upside down with the EXIF orientation that turns it back.

    Its sides are whole JPEG blocks, so that both are rounded alike.
    """
    turned = Image.Exif()
    turned[0x0112] = 3
    upright = reader.read(encoded(eye, "JPEG", quality=95))
    stored = reader.read(encoded(eye[::-1, ::-1].copy(), "JPEG", quality=95, exif=turned))
    assert stored.field.centre == pytest.approx(upright.field.centre, abs=3)
    assert stored.grade.expected == pytest.approx(upright.grade.expected, abs=0.1)


def test_black_is_read_as_nothing(reader: Reader) -> None:
    reading = reader.read(np.zeros((400, 400, 3), np.uint8))
    assert not reading.field.found
    assert reading.field.reason == "too_dark"
    assert reading.grade.icdr is None
    assert reading.warnings


def test_a_page_of_noise_is_not_graded(reader: Reader) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    reading = reader.read(noise)
    assert reading.field.reason == "not_a_retina"
    assert reading.grade.icdr is None


def test_too_small_a_disc_is_not_graded(reader: Reader) -> None:
    pixels, _ = phantom.draw(PhantomSpec(seed=3, width=640, height=480, shape=("full",)))
    small = np.array(Image.fromarray(pixels).resize((80, 60), Image.Resampling.BOX))
    canvas = np.zeros((80, 100, 3), np.uint8)
    canvas[10:70, 10:90] = small
    reading = reader.read(canvas)
    assert reading.grade.icdr is None
    assert reading.warnings


def test_what_is_no_photograph_is_refused(reader: Reader) -> None:
    with pytest.raises(PhotoError):
        reader.read(b"hello")


def test_threads_share_a_reader(reader: Reader, eye: np.ndarray) -> None:
    alone = reader.read(eye)
    with ThreadPoolExecutor(4) as pool:
        assert all(reading == alone for reading in pool.map(reader.read, [eye] * 8))


def test_the_short_way(eye: np.ndarray) -> None:
    assert fundoscope.read(eye) == fundoscope.read(eye)
    assert fundoscope.Reading.__name__ == "Reading"
    with pytest.raises(AttributeError, match="nothing"):
        _ = fundoscope.nothing


def test_the_real_photograph_that_comes_with_scikit_image(reader: Reader) -> None:
    """A healthy eye, CC0, 1411 x 1411 (NASA's Human Research Program; Hafen)."""
    skimage = pytest.importorskip("skimage.data")
    reading = reader.read(skimage.retina())
    assert reading.field.found
    assert reading.field.stretch == 1.0
    assert reading.field.centre == pytest.approx((705, 705), abs=30)
    assert reading.grade.icdr is not None


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the photographs beside the repository")
def test_real_photographs_of_every_shape_are_graded(reader: Reader) -> None:
    for path in sorted((SHARED / "shapes").glob("*.*")):
        if path.suffix == ".csv":
            continue
        reading = reader.read(path)
        assert reading.field.found, path.name
        assert reading.field.stretch == 1.0, path.name
        assert reading.grade.icdr is not None, path.name
