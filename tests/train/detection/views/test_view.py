"""Views of annotated photographs: made once, safely, and with their boxes at the right place."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from fundoscope.data.annotations.annotation import AnnotatedPhoto, Annotation
from fundoscope.errors import OutputError, UsageError
from fundoscope.train.detection.views import view as views


@pytest.fixture
def photo(tmp_path):
    """An eye of 240x180 with one white square, and what is annotated on it."""
    y, x = np.mgrid[:180, :240] + 0.5
    pixels = np.zeros((180, 240, 3), np.uint8)
    pixels[np.hypot(x - 120, y - 90) < 86] = (180, 90, 40)
    pixels[70:90, 140:170] = 255
    Image.fromarray(pixels).save(tmp_path / "eye.png")
    items = (
        Annotation(kind="hard_exudate", box=(140.0, 70.0, 170.0, 90.0)),
        Annotation(kind="irma", box=(1.0, 1.0, 2.0, 2.0)),
    )
    return AnnotatedPhoto(image="eye.png", width=240, height=180, annotations=items)


def load(photos, folder, radius=172.0, progress=None):
    kinds = ("haemorrhage", "hard_exudate")
    return views.load(photos, folder, kinds, radius, folder / "cache", progress)


def test_a_box_lies_on_its_lesion_in_the_view(photo, tmp_path):
    reported = []
    (result,) = load([photo], tmp_path, progress=lambda *n: reported.append(n))
    assert result.labels.tolist() == [2]
    assert result.name == "eye.png"
    rows, columns = np.nonzero(result.pixels[..., 2] > 140)
    seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert result.boxes[0] == pytest.approx(seen, abs=1.5)
    assert result.boxes[0, 2] - result.boxes[0, 0] == pytest.approx(60, rel=0.03)  # twice as large
    assert result.view.radius == 172
    assert reported == [(1, 1)]


def test_a_second_run_decodes_nothing(photo, tmp_path, monkeypatch):
    first = load([photo], tmp_path)[0]
    monkeypatch.setattr("fundoscope.photo.decode.decode", None)
    second = load([photo], tmp_path)[0]
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.boxes, second.boxes)


@pytest.mark.parametrize("suffix", ["npy", "json"])
@pytest.mark.parametrize("content", [b"", b"cut", None])
def test_a_damaged_view_is_made_again(photo, tmp_path, suffix, content):
    first = load([photo], tmp_path)[0]
    whole = np.array(first.pixels)
    (file,) = (tmp_path / "cache").glob(f"*.{suffix}")
    file.write_bytes(file.read_bytes()[:-100] if content is None else content)
    assert np.array_equal(load([photo], tmp_path)[0].pixels, whole)


def test_a_view_that_disappears_while_training_is_reported(photo, tmp_path):
    result = load([photo], tmp_path)[0]
    for file in (tmp_path / "cache").iterdir():
        file.unlink()
    with pytest.raises(UsageError, match=r"is missing or damaged .* start the same command again"):
        _ = result.view


def test_runs_at_one_time_share_a_cache(photo, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: load([photo], tmp_path)[0], range(4)))
    assert all(np.array_equal(made[0].pixels, each.pixels) for each in made)
    assert sorted(f.suffix for f in (tmp_path / "cache").iterdir()) == [".json", ".npy"]


def test_all_photographs_that_cannot_be_used_are_named(photo, tmp_path):
    Image.new("RGB", (240, 180)).save(tmp_path / "black.png")
    (tmp_path / "text.png").write_bytes(b"no picture")
    bad = [
        AnnotatedPhoto(image=name, width=240, height=180)
        for name in ("black.png", "text.png", "gone.png")
    ]
    with pytest.raises(UsageError) as error:
        load([photo, *bad], tmp_path)
    for part in ("3 photographs", "black.png (shows no field", "text.png (", "gone.png (does not"):
        assert part in str(error.value)
    assert "--leave-out" in error.value.remedy


def test_a_photograph_without_a_box(photo, tmp_path):
    (result,) = load([AnnotatedPhoto(image="eye.png", width=240, height=180)], tmp_path)
    assert result.boxes.shape == (0, 4)
    assert result.labels.shape == (0,)


def test_a_cache_that_cannot_be_written_is_reported(photo, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OutputError, match="choose another cache"):
        load([photo], tmp_path)


def test_no_file_stays_open(photo, tmp_path):
    """A process may have a thousand open files or so, and a data set more photographs."""
    resource = pytest.importorskip("resource")
    (result,) = load([photo], tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(128, limits[0]), limits[1]))
    try:
        kept = [load([photo], tmp_path)[0] for _ in range(150)]
        assert sum(int(each.pixels[0, 0, 0]) for each in kept) >= 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert result.pixels.ndim == 3
