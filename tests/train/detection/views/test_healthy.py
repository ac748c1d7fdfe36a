"""Choosing photographs of eyes without lesions."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from fundoscope.data import manifest as manifests
from fundoscope.data.reserved import is_reserved
from fundoscope.errors import TableError, UsageError
from fundoscope.train.detection.config import Draw, Healthy
from fundoscope.train.detection.views import healthy, tile_draw
from fundoscope.train.detection.views import view as views
from fundoscope.train.detection.views.tile_draw import Drawer

KINDS = ("microaneurysm", "haemorrhage", "optic_disc")


@pytest.fixture
def table(tmp_path):
    """Four hundred patients of two sources; some sick, some ungradable, some with a cataract."""
    lines = ["image,grade,patient,split,source,gradable,other_disease"]
    for i in range(400):
        split = ("train", "train", "val", "test")[i % 4]
        lines.append(
            f"{i}.jpg,{i % 5 % 3},p{i},{split},{'ab'[i % 3 == 0]},{int(i % 7 > 0)},"
            f"{'cataract' if i % 11 == 0 else ''}"
        )
        (tmp_path / f"{i}.jpg").touch()
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_only_eyes_that_have_no_lesion_are_chosen(table):
    train, val = healthy.choose(Healthy((str(table),), validation=8), KINDS, seed=1)
    rows = {row.image: row for row in manifests.read(table).rows}
    for photo, split, grades in [
        *((p, "train", (0, 1)) for p in train),
        *((p, "val", (0,)) for p in val),
    ]:
        row = rows[photo.path.name]
        assert row.split == split
        assert row.grade in grades
        assert row.gradable
        assert not row.text("other_disease")
        assert photo.unassessed == ((3,) if row.grade == 0 else (1, 3))
    assert Counter(photo.source for photo in val) == {"a": 4, "b": 4}


def test_a_quarter_of_the_patients_is_kept_from_every_detector(table):
    rows = manifests.read(table).rows
    reserved = {row.image for row in rows if is_reserved(row)}
    assert 0.18 < len(reserved) / len(rows) < 0.32
    train, val = healthy.choose(Healthy((str(table),), validation=400), KINDS, seed=1)
    assert reserved.isdisjoint(photo.path.name for photo in (*train, *val))


def test_a_duplicate_of_a_reserved_eye_is_kept_from_every_detector(table):
    rows = manifests.read(table).rows
    train, _ = healthy.choose(Healthy((str(table),), validation=400), KINDS, seed=1)
    used = train[0].path.name
    reserved = next(row.image for row in rows if is_reserved(row))
    assert reserved != used
    head, *lines = table.read_text().splitlines()
    groups = {used: "g", reserved: "g"}
    table.write_text("\n".join([
        f"{head},group", *(f"{line},{groups.get(line.partition(',')[0], '')}" for line in lines)
    ]) + "\n")  # fmt: skip
    train, val = healthy.choose(Healthy((str(table),), validation=400), KINDS, seed=1)
    assert used not in {photo.path.name for photo in (*train, *val)}


def test_a_table_without_a_healthy_validation_eye_is_refused(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("image,grade,split\na.jpg,0,train\n")
    (tmp_path / "a.jpg").touch()
    with pytest.raises(UsageError, match="no gradable photograph of grade 0"):
        healthy.choose(Healthy((str(path),)), KINDS, seed=1)


def test_a_photograph_that_is_missing_is_named_if_it_would_be_used(table):
    train, _ = healthy.choose(Healthy((str(table),)), KINDS, seed=1)
    used = {photo.path for photo in train}
    for row in manifests.read(table).rows:
        path = table.parent / row.image
        if row.split != "val" and path not in used:
            path.unlink()
    assert healthy.choose(Healthy((str(table),)), KINDS, seed=1)[0] == train
    train[3].path.unlink()
    with pytest.raises(TableError, match=rf"{train[3].path.name} does not exist \(1 missing"):
        healthy.choose(Healthy((str(table),)), KINDS, seed=1)


def test_a_patient_in_both_splits_is_refused(table):
    train, val = healthy.choose(Healthy((str(table),)), KINDS, seed=1)
    first, second = (side[0].path.stem for side in (train, val))
    source = next(row.source for row in manifests.read(table).rows if row.image == f"{first}.jpg")
    lines = table.read_text().splitlines()
    cells = lines[int(second) + 1].split(",")
    cells[2], cells[4] = f"p{first}", source
    lines[int(second) + 1] = ",".join(cells)
    table.write_text("\n".join(lines) + "\n")
    with pytest.raises(TableError, match=rf"in several splits \(patient p{first}; 1 in all"):
        healthy.choose(Healthy((str(table),)), KINDS, seed=1)


def test_a_small_photograph_is_enlarged_as_its_tiles_are_cut(tmp_path):
    y, x = np.mgrid[:180, :240] + 0.5
    pixels = np.zeros((180, 240, 3), np.uint8)
    pixels[np.hypot(x - 120, y - 90) < 86] = (180, 90, 40)
    pixels[80:100, 110:130] = (250, 230, 120)
    Image.fromarray(pixels).save(tmp_path / "eye.png")
    (tmp_path / "text.png").write_text("not a picture")
    photos = [views.HealthyPhotograph(tmp_path / n, "a", (3,)) for n in ("text.png", "eye.png")]
    cache = tmp_path / "cache"
    (small,), left_out = views.load_healthy(photos, 172.0, cache, enlarge=False)
    (large,), _ = views.load_healthy(photos, 172.0, cache, enlarge=True)
    assert [photo.image for photo in left_out] == ["text.png"]
    assert left_out[0].reason
    assert small.pixels.size * 3 < large.pixels.size
    assert small.enlarge == pytest.approx(2, rel=0.03)
    assert large.enlarge == 1
    drawn = [
        tile_draw.cut(
            Drawer([view], KINDS, (300, 300), Draw(scale=0.0, turns=False)).place(
                np.random.default_rng(3)
            )
        ).pixels
        for view in (small, large)
    ]
    bright = [(tile[..., 2] > 80).sum() for tile in drawn]
    assert bright[0] == pytest.approx(bright[1], rel=0.1)
    assert bright[0] == pytest.approx(40 * 40, rel=0.2)
