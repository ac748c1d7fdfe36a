from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fundoscope.data import contact_sheet, stats_plot
from fundoscope.data.contact_sheet import CELL, COLUMNS, GAP, MARGIN
from fundoscope.data.fingerprint import Fingerprint, Refusal
from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.stats import stats
from fundoscope.reading import FieldOfView

BAD = Refusal("empty", "is empty", "copy it again")


def seen(width=100, height=80, radius=40.0):
    field = FieldOfView(True, (50.0, 40.0), radius, 1.0)
    return Fingerprint("0" * 64, width, height, field, (0.0, 0.0, 0.0), b"")


def undisced(width=100, height=80):
    field = FieldOfView(False, reason="no_disc")
    return Fingerprint("0" * 64, width, height, field, (0.0, 0.0, 0.0), b"")


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_counts_and_sizes():
    rows = [
        Row("a", 0, patient="1", source="x", split="train"),
        Row("b", 2, patient="1", source="y", split="train"),
        Row("c", 2, patient="1", source="y", split="test"),
        Row("d", 2, source="y"),
        Row("e", 4, source="z"),
    ]
    prints = [seen(), seen(200, 160, 50.0), seen(400, 320, 70.0), BAD, undisced()]
    reported = stats(rows, prints)
    assert (reported.photographs, reported.unopened, reported.patients) == (5, 1, 2)
    assert reported.grades == {0: 1, 2: 3, 4: 1}
    assert list(reported.by) == ["split", "source"]
    assert reported.by["split"] == {"": {2: 1, 4: 1}, "test": {2: 1}, "train": {0: 1, 2: 1}}
    assert reported.sizes["y"].width == (200.0, 210.0, 300.0, 390.0, 400.0)
    assert reported.sizes["y"].diameter[2] == pytest.approx(120.0)
    assert reported.sizes["z"].diameter == ()


@pytest.mark.parametrize("cameras", [1, 30])
def test_a_plot_of_few_and_of_many_values(cameras):
    rows = [
        Row(f"{k}", k % 5, source="st"[k % 2], camera=f"camera number {k % cameras}")
        for k in range(60)
    ]
    prints = [seen(radius=30.0 + k) for k in range(60)]
    picture = opened(stats_plot.draw(stats(rows, prints), rows, prints))
    assert picture.std() > 20


def test_a_plot_without_any_photograph_or_column():
    rows = [Row("a", 1)]
    assert opened(stats_plot.draw(stats(rows, [BAD]), rows, [BAD])).std() > 5


def test_the_sheet_has_a_row_a_grade(tmp_path):
    rows = []
    for grade, value in ((0, 200), (3, 120)):
        for k in range(COLUMNS + 2):
            name = f"{grade}-{k}.png"
            Image.new("RGB", (90, 90), (value, 0, 0)).save(tmp_path / name)
            rows.append(Row(name, grade))
    (tmp_path / "bad.png").write_bytes(b"")
    Image.new("RGB", (90, 90), (0, 255, 0)).save(tmp_path / "out.png")
    rows += [Row("bad.png", 1), Row("gone.png", 2), Row("out.png", 4, split="excluded")]
    table = Manifest(tmp_path / "labels.csv", ("image", "grade"), tuple(rows), "0" * 64)
    sheet = opened(contact_sheet.draw(table, rows))
    middles = [MARGIN + GAP + column * (CELL + GAP) + CELL // 2 for column in range(COLUMNS)]
    for grade in range(5):
        row = GAP + grade * (CELL + contact_sheet.CAPTION + GAP) + CELL // 2
        expected = {0: (200, 0, 0), 3: (120, 0, 0)}.get(grade, contact_sheet.BACKGROUND)
        assert all(tuple(sheet[row, x]) == expected for x in middles)
