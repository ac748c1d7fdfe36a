from __future__ import annotations

import os
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fundoscope.data import manifest
from fundoscope.errors import FundoscopeError, OutputError, UsageError
from fundoscope.grading.inputs import Input
from fundoscope.photo import field
from fundoscope.train.grading import pictures

CROP = Input("crop", 48, 48)


def load(labels, cache, wanted=CROP, split=None, **options):
    table = manifest.read(labels)
    rows = table.rows if split is None else table.of_split(split)
    return pictures.load(table, rows, wanted, cache, **options)


def test_they_are_made_once_in_the_order_of_the_table(labels, tmp_path):
    reported = []
    made = load(labels, tmp_path / "cache", progress=lambda *n: reported.append(n))
    pixels = made.take(np.arange(12))
    assert pixels.shape == (12, 48, 48, 3)
    assert [row.image for row in made.rows] == [f"{i}.png" for i in range(12)]
    assert made.left_out == ()
    assert reported == [(i, 12) for i in range(1, 13)]
    assert pixels[:, 0, 0].max() == 0
    assert pixels[:, 24, 24].max() > 50
    again = load(labels, tmp_path / "cache", progress=pytest.fail)
    assert np.array_equal(again.take(np.arange(12)), pixels)
    assert not list((tmp_path / "cache").glob("*.partial"))
    assert made.of_split("val").tolist() == [0, 3, 6, 9]
    assert made.of_split("test").tolist() == []


def test_a_run_without_a_source_finds_what_was_made(labels, tmp_path):
    """Leaving one source out used to make all other pictures again, and so did each export."""
    made = load(labels, tmp_path / "cache")
    table = manifest.read(labels)
    first = table.rows[0].source
    rows = [row for row in table.rows if row.source != first and row.split == "val"]
    again = pictures.load(table, rows, CROP, tmp_path / "cache", progress=pytest.fail)
    assert rows
    assert [row.image for row in again.rows] == [row.image for row in rows]
    place = [row.image for row in made.rows].index(rows[0].image)
    assert np.array_equal(again.pixels[0], made.pixels[place])


@pytest.fixture
def mixed(save_eye, tmp_path):
    """Seven photographs of three shapes."""
    lines = ["image,grade,split"]
    for i, size in enumerate(((160, 120), (120, 160), (160, 120), (140, 140)) * 2):
        save_eye(tmp_path / f"{i}.png", shade=i, width=size[0], height=size[1])
        lines.append(f"{i}.png,{i % 5},train")
    path = tmp_path / "mixed.csv"
    path.write_text("\n".join(lines[:-1]) + "\n")
    return path


def test_native_pictures_keep_their_shapes(mixed, tmp_path):
    wanted = Input("native", 48, 48)
    made = load(mixed, tmp_path / "cache", wanted)
    assert made.sides.tolist()[:4] == [[40, 56], [56, 40], [40, 56], [48, 48]]
    assert len(set(made.shapes.tolist())) == 3
    table = manifest.read(mixed)
    for i, row in enumerate(made.rows):
        alone = pictures.make(table.photograph(row), wanted)
        assert np.array_equal(made.take(np.array([i]))[0], alone)
    with pytest.raises(ValueError, match="same shape"):
        made.take(np.array([0, 1]))


@pytest.mark.parametrize("size", [1, 2, 5])
def test_batches_hold_each_once_and_one_shape(mixed, tmp_path, size):
    made = load(mixed, tmp_path / "cache", Input("native", 48, 48))
    positions = np.array([6, 5, 3, 2, 0])
    batches = list(made.batches(positions, size))
    assert sorted(np.concatenate(batches)) == [0, 1, 2, 3, 4]
    for places in batches:
        assert len(places) <= size
        made.take(positions[places])


def test_squashed_pictures_have_one_shape(mixed, tmp_path):
    made = load(mixed, tmp_path / "cache", Input("squash", 24, 40))
    assert made.take(np.arange(7)).shape == (7, 24, 40, 3)


def test_what_cannot_be_used_is_named(labels, tmp_path):
    (tmp_path / "3.png").write_bytes(b"no picture")
    Image.new("RGB", (96, 96)).save(tmp_path / "0.png")
    made = load(labels, tmp_path / "cache")
    assert [photograph.image for photograph in made.left_out] == ["0.png", "3.png"]
    assert made.left_out[0].reason == "no field of view (too_dark)"
    assert "not an image" in made.left_out[1].reason
    assert len(made.rows) == 10
    assert made.take(np.array([9]))[0].max() > 50


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(5, "Input/output error"), "cannot be read.*check the disk, then try again"),
        (PermissionError(), "may not be read; change its permissions, then try again"),
        (MemoryError(), "needs more memory than is available; close other programs"),
    ],
)
def test_what_may_be_readable_tomorrow_is_not_left_out_for_good(
    labels, tmp_path, monkeypatch, error, words
):
    read = Path.read_bytes

    def fail(path):
        if path.name == "3.png":
            raise error
        return read(path)

    with monkeypatch.context() as failing:
        failing.setattr(Path, "read_bytes", fail)
        with pytest.raises(UsageError, match=rf"3\.png: {words}"):
            load(labels, tmp_path / "cache")
    assert load(labels, tmp_path / "cache").left_out == ()


def test_a_crop_on_a_failing_disk_is_not_damaged(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError(5, "Input/output error")

    path = tmp_path / "1.crop.webp"
    path.write_bytes(b"no picture")
    assert pictures.make(path, CROP) == "is damaged (UnidentifiedImageError)"
    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(UsageError, match="Input/output error"):
        pictures.make(path, CROP)


def test_a_photograph_that_goes_before_its_size_is_read_is_named(labels):
    table = manifest.read(labels)
    (labels.parent / "3.png").unlink()
    with pytest.raises(UsageError, match=r"3\.png: cannot be read"):
        pictures._key(table, table.rows, CROP, False)


def _ended(path):
    os._exit(1)


def test_a_process_that_the_system_ends_is_reported(labels, monkeypatch):
    monkeypatch.setattr(pictures.os, "cpu_count", lambda: 2)
    paths = [labels.parent / f"{i % 12}.png" for i in range(pictures.CHUNK + 1)]
    with pytest.raises(FundoscopeError, match="was ended by the system"):
        list(pictures._pictures(paths, _ended))


def test_nothing_to_use_is_an_error(labels, tmp_path):
    with pytest.raises(UsageError, match="no photograph with a field of view"):
        load(labels, tmp_path, split="test")


def test_excluded_rows_are_never_used(labels, tmp_path):
    labels.write_text(labels.read_text().replace("1.png,1,train", "1.png,1,excluded"))
    assert "1.png" not in [row.image for row in load(labels, tmp_path).rows]


def keys(labels, wanted=CROP, trusted=False):
    table = manifest.read(labels)
    return pictures._key(table, table.rows, wanted, trusted)


def test_another_input_table_or_photograph_is_another_cache(labels, tmp_path):
    table = manifest.read(labels)
    result = [
        keys(labels),
        keys(labels, Input("crop", 64, 64)),
        keys(labels, Input("squash", 48, 48)),
        keys(labels, trusted=True),
    ]
    result.append(pictures._key(table, table.rows[:-1], CROP, False))
    Image.new("RGB", (500, 400), (90, 30, 10)).save(tmp_path / "3.png")
    result.append(keys(labels))
    labels.write_text(labels.read_text() + "11.png,0,test,a,\n")
    result.append(keys(labels))
    assert len(set(result)) == len(result)


def test_folders_with_equal_names_do_not_share_pictures(labels, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for i in range(12):
        Image.new("RGB", (96, 96)).save(other / f"{i}.png")
    shutil.copy(labels, other)
    assert keys(labels) != keys(other / labels.name)


def test_trusted_photographs_are_not_checked(labels, tmp_path):
    grey = np.full((96, 96, 3), 128, np.uint8)
    grey[~field.disc(96)] = 0
    Image.fromarray(grey).save(tmp_path / "0.png")
    judged = load(labels, tmp_path / "cache")
    assert [one.image for one in judged.left_out] == ["0.png"]
    trusted = load(labels, tmp_path / "cache", trusted=True)
    assert not trusted.left_out
    assert np.array_equal(trusted.take(np.array([1])), judged.take(np.array([0])))


def test_pictures_of_two_tables_stand_one_behind_the_other(labels, tmp_path):
    first, second = (load(labels, tmp_path / "cache", split=split) for split in ("val", "train"))
    both = first + second
    assert both.rows == first.rows + second.rows
    count = len(first.rows)
    order = np.array([count, 0, count + 1])
    expected = (second.take(order[:1] - count), first.take(order[1:2]))
    assert np.array_equal(both.take(order)[:2], np.concatenate(expected))


@pytest.mark.parametrize("suffix", [".json", pictures.SUFFIX])
@pytest.mark.parametrize("damage", ["gone", "cut", "empty"])
def test_a_cache_that_is_not_whole_is_made_again(labels, tmp_path, suffix, damage):
    whole = load(labels, tmp_path / "cache", split="val").take(np.arange(4))
    file = min((tmp_path / "cache").glob(f"*{suffix}"))
    if damage == "gone":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    again = load(labels, tmp_path / "cache", split="val").take(np.arange(4))
    assert np.array_equal(whole, again)


def test_processes_make_the_same(labels):
    paths = [labels.parent / f"{i % 12}.png" for i in range(pictures.CHUNK + 1)]
    one = partial(pictures.make, wanted=CROP)
    for path, made in zip(paths, pictures._pictures(paths, one), strict=True):
        alone = pictures.make(path, CROP)
        assert np.array_equal(made, alone) or made == alone


def test_a_full_disk_is_told_before_anything_is_written(labels, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match="GB free, and the pictures need"):
        load(labels, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_disk_that_fills_up_is_reported(labels, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OutputError, match="cannot be written"):
        load(labels, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_a_cache_that_is_a_file_is_reported(labels):
    with pytest.raises(OutputError, match="name another cache folder"):
        load(labels, labels)


def test_an_interrupted_build_leaves_nothing_behind(labels, tmp_path):
    def interrupt(done, count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load(labels, tmp_path / "cache", progress=interrupt)
    assert not list((tmp_path / "cache").iterdir())
