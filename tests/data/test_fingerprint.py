from __future__ import annotations

import hashlib
import os
import sqlite3

import numpy as np
import pytest
from PIL import Image

from fundoscope.data import fingerprint_cache
from fundoscope.data.fingerprint import SIDE, Fingerprint, Refusal, fingerprint
from fundoscope.data.fingerprint_cache import FILE_NAME, fingerprints, open_cache, user_cache
from fundoscope.errors import OutputError, UsageError
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.photo import field


@pytest.fixture(scope="module")
def eye():
    return draw(PhantomSpec(seed=5, width=360, height=270))


@pytest.fixture
def photograph(tmp_path, eye):
    path = tmp_path / "eye.png"
    Image.fromarray(eye[0]).save(path)
    return path


@pytest.fixture
def opened(monkeypatch):
    """The paths that were really opened."""
    paths = []

    def watched(path):
        paths.append(path)
        return fingerprint(path)

    monkeypatch.setattr(fingerprint_cache, "fingerprint", watched)
    return paths


def test_what_is_kept_of_a_photograph(photograph, eye):
    truth = eye[1].field
    result = fingerprint(photograph)
    assert isinstance(result, Fingerprint)
    assert result.sha256 == hashlib.sha256(photograph.read_bytes()).hexdigest()
    assert (result.width, result.height) == (360, 270)
    assert result.field.radius == pytest.approx(truth.radius, rel=0.03)
    assert result.field.reason is None
    assert max(result.border) < 12
    crop = np.frombuffer(result.crop, np.uint8).reshape(SIDE, SIDE)
    assert (crop[~field.disc(SIDE)] == 0).all()
    assert crop[field.disc(SIDE)].mean() > 20


def test_a_coloured_border(tmp_path, eye):
    framed = eye[0].copy()
    framed[framed.max(axis=2) < 20] = (40, 90, 160)
    Image.fromarray(framed).save(tmp_path / "framed.png")
    result = fingerprint(tmp_path / "framed.png")
    assert result.border == pytest.approx((40, 90, 160), abs=2)


def test_transparency_changes_nothing_but_the_bytes(tmp_path, eye):
    Image.fromarray(eye[0]).save(tmp_path / "rgb.png")
    Image.fromarray(eye[0]).convert("RGBA").save(tmp_path / "rgba.png")
    rgb, rgba = fingerprint(tmp_path / "rgb.png"), fingerprint(tmp_path / "rgba.png")
    assert rgba.crop == rgb.crop
    assert rgba.sha256 != rgb.sha256


def test_a_disc_that_is_no_retina_and_no_disc_at_all(tmp_path):
    y, x = np.mgrid[:240, :240]
    ball = np.zeros((240, 240, 3), np.uint8)
    ball[np.hypot(x - 120, y - 120) < 100] = 200
    Image.fromarray(ball).save(tmp_path / "ball.png")
    Image.fromarray(np.zeros_like(ball)).save(tmp_path / "black.png")
    result = fingerprint(tmp_path / "ball.png")
    assert (result.field.found, result.field.reason) == (True, "no_colour")
    assert len(result.crop) == SIDE**2
    black = fingerprint(tmp_path / "black.png")
    assert (black.field.found, black.field.reason, black.crop) == (False, "too_dark", b"")


def test_a_coloured_disc_that_is_no_retina(tmp_path):
    y, x = np.mgrid[:240, :240]
    pixels = np.zeros((240, 240, 3), np.uint8)
    stripes = np.where((x // 12) % 2, 230, 40)
    pixels[..., 0], pixels[..., 2] = stripes, 255 - stripes
    pixels[np.hypot(x - 120, y - 120) >= 100] = 0
    Image.fromarray(pixels).save(tmp_path / "stripes.png")
    assert fingerprint(tmp_path / "stripes.png").field.reason == "not_a_retina"


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "empty"), (b"GIF89a", "not_an_image"), (b"\xff\xd8\xff\xe0\0", "not_an_image")],
)
def test_a_file_that_is_no_photograph(tmp_path, content, code):
    (tmp_path / "x.jpg").write_bytes(content)
    result = fingerprint(tmp_path / "x.jpg")
    assert isinstance(result, Refusal)
    assert result.code == code
    assert result.reason
    assert result.remedy


def test_missing_tiny_and_a_folder_of_that_name(tmp_path):
    (tmp_path / "folder.jpg").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "tiny.png")
    names = ("gone.jpg", "folder.jpg", "tiny.png")
    codes = [one.code for one in fingerprints([tmp_path / name for name in names])]
    assert codes == ["not_found", "not_a_file", "too_small"]


def test_too_little_memory_is_told_of_the_photograph(photograph, monkeypatch):
    def exhausted(*_args, **_options):
        raise MemoryError

    monkeypatch.setattr("fundoscope.data.fingerprint.decode_file", exhausted)
    assert fingerprint(photograph).code == "out_of_memory"


def test_a_second_run_opens_only_what_changed(tmp_path, photograph, opened):
    other, gone, bad = tmp_path / "other.png", tmp_path / "gone.png", tmp_path / "bad.jpg"
    other.write_bytes(photograph.read_bytes())
    bad.write_bytes(b"no photograph")
    paths = [photograph, other, gone, bad]
    first = fingerprints(paths, cache=tmp_path / "cache", workers=2)
    assert sorted(opened) == sorted(paths)
    opened.clear()
    os.utime(other, ns=(1, 1))
    done = []
    second = fingerprints(paths, cache=tmp_path / "cache", on_done=lambda: done.append(1))
    assert opened == [other, gone]
    assert second == first
    assert len(done) == len(paths)


def test_a_lack_of_memory_is_not_remembered(tmp_path, photograph, monkeypatch):
    """Whoever follows the remedy, and gives fewer workers, must not get the same answer."""

    def poor(path, **_options):
        raise MemoryError

    with monkeypatch.context() as short:
        short.setattr("fundoscope.data.fingerprint.decode_file", poor)
        (before,) = fingerprints([photograph], cache=tmp_path / "cache")
    (after,) = fingerprints([photograph], cache=tmp_path / "cache")
    assert before.code == "out_of_memory"
    assert isinstance(after, Fingerprint)


def test_a_file_of_other_content_is_opened_again(tmp_path, photograph, opened):
    (before,) = fingerprints([photograph], cache=tmp_path)
    status = photograph.stat()
    photograph.write_bytes(b"\0" * (status.st_size + 1))
    os.utime(photograph, ns=(status.st_atime_ns, status.st_mtime_ns))
    (after,) = fingerprints([photograph], cache=tmp_path)
    assert isinstance(before, Fingerprint)
    assert after.code == "not_an_image"
    assert len(opened) == 2


def test_many_are_in_their_order(tmp_path, eye):
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(eye[0][:, : 360 - number]).save(paths[-1])
    widths = [one.width for one in fingerprints(paths, workers=3)]
    assert widths == [360 - number for number in range(12)]


def test_what_was_seen_survives_an_interruption(tmp_path, photograph, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fingerprints([photograph], cache=tmp_path / "cache", on_done=interrupted)
    with open_cache(tmp_path / "cache") as kept:
        status = photograph.stat()
        assert kept.get(photograph, (status.st_size, status.st_mtime_ns)) is not None


def test_saved_now_and_then(tmp_path, photograph, monkeypatch):
    monkeypatch.setattr(fingerprint_cache, "SAVED_EVERY", 1)
    result = fingerprint(photograph)
    with open_cache(tmp_path) as kept:
        kept.put(photograph, (1, 2), result)
        with sqlite3.connect(tmp_path / FILE_NAME) as other:
            assert other.execute("SELECT COUNT(*) FROM fingerprints").fetchone() == (1,)
        other.close()


def test_only_its_owner_may_read_it(tmp_path, photograph):
    fingerprints([photograph], cache=tmp_path / "new" / "cache")
    assert (tmp_path / "new" / "cache" / FILE_NAME).stat().st_mode & 0o077 == 0


def test_a_damaged_cache_says_so(tmp_path, photograph):
    (tmp_path / FILE_NAME).write_bytes(b"this is no database, " * 100)
    with pytest.raises(UsageError, match=r"damaged.*delete it"):
        fingerprints([photograph], cache=tmp_path)


def test_a_damaged_record_says_so(tmp_path, photograph):
    fingerprints([photograph], cache=tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE fingerprints SET found = x'c1'")
    connection.close()
    with pytest.raises(UsageError, match="damaged"):
        fingerprints([photograph], cache=tmp_path)


def test_a_cache_that_cannot_be_made(tmp_path, photograph):
    with pytest.raises(OutputError, match="name another folder"):
        fingerprints([photograph], cache=photograph / "cache")


@pytest.mark.parametrize(
    ("system", "variables", "expected"),
    [
        ("posix", {"XDG_CACHE_HOME": "/x"}, "/x/fundoscope"),
        ("posix", {"HOME": "/h"}, "/h/.cache/fundoscope"),
        ("nt", {"LOCALAPPDATA": "/l"}, "/l/fundoscope"),
        ("nt", {"HOME": "/h"}, "/h/AppData/Local/fundoscope"),
    ],
)
def test_the_folder_for_caches(monkeypatch, system, variables, expected):
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(fingerprint_cache, "SYSTEM", system)
    assert user_cache().as_posix() == expected
