from __future__ import annotations

import csv
import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.data import duplicates
from fundoscope.data.duplicates import Link, groups, near_duplicates
from fundoscope.data.fingerprint import SIDE, Fingerprint, fingerprint
from fundoscope.phantom import PhantomSpec, draw

REAL = Path(__file__).parents[2].parent / "shared" / "data"


@cache
def eye(seed, **options):
    spec = {"width": 480, "height": 360, "grade": 2, **options}
    return draw(PhantomSpec(seed=seed, **spec))[0]


@pytest.fixture
def crop_of(tmp_path):
    def crop(pixels, suffix="png", **options):
        path = tmp_path / f"x.{suffix}"
        Image.fromarray(pixels).save(path, **options)
        result = fingerprint(path)
        assert isinstance(result, Fingerprint)
        return result.crop

    return crop


@pytest.fixture(scope="module")
def strangers():
    """Six eyes of one camera: the same colours of border and disc, the same size."""
    return [eye(seed) for seed in range(20, 26)]


def pairs(links):
    return [(link.first, link.second) for link in links]


def as_jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(pixels, width, height):
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


CHANGES = {
    "compressed": lambda p: as_jpeg(p, 40),
    "smaller": lambda p: resized(p, 320, 240),
    "squashed": lambda p: resized(p, 300, 300),
    "darker": lambda p: (p * 0.6).astype(np.uint8),
    "other colours": lambda p: np.clip(p * (0.8, 1.15, 1.3), 0, 255).astype(np.uint8),
    "wider border": lambda p: np.pad(p, ((30, 10), (60, 20), (0, 0))),
    "cut above and below": lambda p: p[40:-40],
    "noisy": lambda p: np.clip(
        p + np.random.default_rng(0).normal(scale=6, size=p.shape), 0, 255
    ).astype(np.uint8),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_and_strangers_are_not(crop_of, strangers, change):
    crops = [crop_of(pixels) for pixels in (*strangers, CHANGES[change](strangers[2]))]
    (link,) = near_duplicates(crops)
    assert (link.first, link.second, link.mirrored) == (2, 6, False)
    assert duplicates.SAME < link.correlation <= 1.0


def test_a_mirrored_copy_is_told_as_such(crop_of, strangers):
    crops = [crop_of(pixels) for pixels in (*strangers, strangers[4][:, ::-1])]
    (link,) = near_duplicates(crops)
    assert (link.first, link.second, link.mirrored) == (4, 6, True)


def test_the_same_crop_correlates_wholly(crop_of):
    crop = crop_of(eye(30))
    (link,) = near_duplicates([crop, b"", crop])
    assert pairs([link]) == [(0, 2)]
    assert link.correlation == pytest.approx(1.0, abs=1e-4)


def test_a_disc_without_any_structure_matches_nothing():
    blank = np.full((SIDE, SIDE), 90, np.uint8).tobytes()
    dark = bytes(SIDE**2)
    assert near_duplicates([blank, blank, dark, dark]) == ()


def test_a_sliver_of_retina_matches_nothing(crop_of):
    crop = np.frombuffer(crop_of(eye(31)), np.uint8).reshape(SIDE, SIDE).copy()
    crop[:, SIDE // 3 :] = 0
    assert near_duplicates([crop.tobytes()] * 2) == ()


def test_nothing_to_compare():
    assert near_duplicates([]) == ()
    assert near_duplicates([b"", b""]) == ()


def test_in_blocks_as_at_once(crop_of, strangers, monkeypatch):
    copies = [as_jpeg(pixels, 60) for pixels in strangers]
    crops = [crop_of(pixels) for pixels in (*strangers, *copies)]
    at_once = near_duplicates(crops)
    monkeypatch.setattr(duplicates, "HASHES_AT_A_TIME", 30)
    monkeypatch.setattr(duplicates, "AT_A_TIME", 2)
    in_blocks = near_duplicates(crops)
    assert pairs(in_blocks) == pairs(at_once) == [(k, k + 6) for k in range(6)]


def test_groups_hang_together_through_others():
    assert groups(8, [(5, 1), (2, 5), (6, 7)]) == ((1, 2, 5), (6, 7))
    assert groups(3, []) == ()
    assert groups(3, [(1, 1)]) == ()


def test_a_link_says_what_it_is():
    assert Link(0, 1, 0.9).mirrored is False


@pytest.mark.skipif(not REAL.is_dir(), reason="needs ../shared/data")
def test_identical_and_repeated_shots_of_real_eyes():
    table = REAL / "lesions" / "idrid_516" / "near_duplicates.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if float(row["correlation"]) >= 0.99]
    crops = [fingerprint(REAL / "grading" / row[side]).crop for row in rows for side in ("a", "b")]
    assert pairs(near_duplicates(crops)) == [(2 * k, 2 * k + 1) for k in range(len(rows))]
