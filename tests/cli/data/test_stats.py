from __future__ import annotations

import csv
import json
from functools import cache

import numpy as np
import pytest
from PIL import Image

from fundoscope.phantom import PhantomSpec, draw

FILES = ("stats.json", "counts.csv", "stats.png", "contact-sheet.png")


@cache
def eye(seed):
    return draw(PhantomSpec(seed=seed, width=320, height=240, grade=seed % 5))[0]


@pytest.fixture(autouse=True)
def caches(tmp_path_factory, monkeypatch):
    """A folder for caches that is nobody's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))


@pytest.fixture
def labels(tmp_path):
    path = tmp_path / "labels.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "grade", "patient", "split", "source", "camera"])
        for k in range(5):
            split = "test" if k == 4 else "train"
            writer.writerow([f"{k}.png", k, f"p{k // 2}", split, "眼$", f"camera {k % 2}"])
            Image.fromarray(eye(k)).save(tmp_path / f"{k}.png")
    return path


def test_numbers_and_pictures(fundoscope, labels, tmp_path):
    said = fundoscope("data", "stats", labels, "--out", tmp_path / "out")
    assert said.code == 0
    assert said.err == ""
    assert said.out.splitlines()[0].startswith("5 photographs: 1 of grade 0, 1 of grade 1")
    assert "patients named: 3" in said.out
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(FILES)
    stats = json.loads((tmp_path / "out" / "stats.json").read_text())
    assert stats["by"]["split"] == {
        "test": {"4": 1},
        "train": {"0": 1, "1": 1, "2": 1, "3": 1},
    }
    assert stats["sizes"]["眼$"]["width"] == [320.0] * 5
    with (tmp_path / "out" / "counts.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[1] == ["all", "", "1", "1", "1", "1", "1", "5"]
    assert ["camera", "camera 1", "0", "1", "0", "1", "0", "2"] in rows
    for name in FILES[2:]:
        with Image.open(tmp_path / "out" / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 10


def test_the_seed_draws_the_lot(fundoscope, labels, tmp_path):
    sheets = []
    for seed, name in ((1, "a"), (1, "b")):
        fundoscope("data", "stats", labels, "--out", tmp_path / name, "--seed", seed)
        sheets.append((tmp_path / name / "contact-sheet.png").read_bytes())
    assert sheets[0] == sheets[1]


def test_photographs_that_cannot_be_opened(fundoscope, labels, tmp_path):
    (tmp_path / "0.png").unlink()
    (tmp_path / "1.png").write_bytes(b"")
    said = fundoscope("data", "stats", labels, "--out", tmp_path / "out")
    assert said.code == 3
    assert "could not be opened: 2" in said.out


def test_nothing_is_replaced_unasked(fundoscope, labels, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "stats.png").write_text("mine")
    said = fundoscope("data", "stats", labels, "--out", tmp_path / "out")
    assert said.code == 2
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["stats.png"]
    assert fundoscope("data", "stats", labels, "--out", tmp_path / "out", "--overwrite").code == 0


def test_class_folders_and_some_rows(fundoscope, tmp_path):
    for split, grade in (("train", 0), ("val", 3)):
        folder = tmp_path / "set" / split / str(grade)
        folder.mkdir(parents=True)
        Image.fromarray(eye(grade)).save(folder / "a.png")
    said = fundoscope(
        "data", "stats", tmp_path / "set", "--out", tmp_path / "out", "--where", "split=val"
    )
    assert said.out.splitlines()[0] == "1 photographs: 1 of grade 3"


def test_without_the_extra_it_says_what_to_install(fundoscope, labels, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    said = fundoscope("data", "stats", labels, "--out", tmp_path / "out")
    assert said.code == 2
    assert 'pip install "fundoscope[evaluate]"' in said.err
