from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fundoscope.data import manifest
from fundoscope.errors import OutputError, UsageError
from fundoscope.train import crops


def test_crops_are_made_once_in_the_order_of_the_table(labels, tmp_path):
    table = manifest.read(labels)
    told = []
    made = crops.load(
        table, 48, tmp_path / "cache", splits=("train", "val"), progress=lambda *n: told.append(n)
    )
    assert made.pixels.shape == (12, 48, 48, 3)
    assert [row.image for row in made.rows] == [f"{i}.png" for i in range(12)]
    assert made.left_out == ()
    assert told == [(i, 12) for i in range(1, 13)]
    assert made.pixels[:, 0, 0].max() == 0
    assert made.pixels[:, 24, 24].max() > 50
    again = crops.load(table, 48, tmp_path / "cache", splits=("train", "val"), progress=pytest.fail)
    assert np.array_equal(made.pixels, again.pixels)
    assert not list((tmp_path / "cache").glob("*.partial"))


def test_splits_can_be_told_apart(labels, tmp_path):
    made = crops.load(manifest.read(labels), 48, tmp_path, splits=("train", "val"))
    assert made.of_split("val").tolist() == [0, 3, 6, 9]
    assert made.of_split("test").tolist() == []
    only = crops.load(manifest.read(labels), 48, tmp_path, splits=("val",))
    assert [row.image for row in only.rows] == ["0.png", "3.png", "6.png", "9.png"]


def test_what_cannot_be_cropped_is_named(labels, tmp_path):
    (tmp_path / "3.png").write_bytes(b"no picture")
    whole = crops.load(manifest.read(labels), 48, tmp_path / "cache", splits=("train", "val"))
    assert [photograph.image for photograph in whole.left_out] == ["3.png"]
    assert "not an image" in whole.left_out[0].reason
    assert len(whole.rows) == len(whole.pixels) == 11
    assert whole.pixels[-1].max() > 50


def test_black_photographs_are_left_out_with_the_reason(labels, tmp_path):
    from PIL import Image

    Image.new("RGB", (96, 96)).save(tmp_path / "0.png")
    made = crops.load(manifest.read(labels), 48, tmp_path / "cache", splits=("val",))
    assert [p.reason for p in made.left_out] == ["no field of view (too_dark)"]


def test_nothing_to_crop_is_an_error(labels, tmp_path):
    with pytest.raises(UsageError, match=r"no photograph with a field of view in split test"):
        crops.load(manifest.read(labels), 48, tmp_path, splits=("test",))


def test_excluded_rows_are_never_cropped(labels, tmp_path):
    labels.write_text(labels.read_text().replace("1.png,1,train", "1.png,1,excluded"))
    made = crops.load(manifest.read(labels), 48, tmp_path, splits=("train", "excluded"))
    assert "1.png" not in [row.image for row in made.rows]


def test_another_size_or_table_is_another_cache(labels, tmp_path):
    table = manifest.read(labels)
    keys = {crops._key(table, 48, ("val",)), crops._key(table, 64, ("val",))}
    keys.add(crops._key(table, 48, ("train", "val")))
    labels.write_text(labels.read_text() + "11.png,0,test,a,\n")
    keys.add(crops._key(manifest.read(labels), 48, ("val",)))
    assert len(keys) == 4


def test_processes_make_the_same_crops(labels):
    paths = [labels.parent / f"{i % 12}.png" for i in range(crops.CHUNK + 1)]
    for path, crop in zip(paths, crops._crops(paths, 48), strict=True):
        assert np.array_equal(crop, crops.crop_file(path, 48))


def test_a_full_disk_is_told_before_anything_is_written(labels, tmp_path, monkeypatch):
    monkeypatch.setattr(crops.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OutputError, match="GB free, and the crops need"):
        crops.load(manifest.read(labels), 48, tmp_path / "cache", splits=("val",))
    assert not list((tmp_path / "cache").iterdir())


def test_a_cache_that_is_a_file_is_told(labels):
    with pytest.raises(OutputError, match="cannot be made"):
        crops.load(manifest.read(labels), 48, labels, splits=("val",))


def test_an_interrupted_build_leaves_nothing_behind(labels, tmp_path):
    def interrupt(done, count):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crops.load(
            manifest.read(labels), 48, tmp_path / "cache", splits=("val",), progress=interrupt
        )
    assert not list((tmp_path / "cache").iterdir())
