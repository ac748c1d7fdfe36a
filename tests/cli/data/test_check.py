from __future__ import annotations

import csv
import json
from functools import cache

import pytest
from PIL import Image

from fundoscope.data.fingerprint_cache import FILE_NAME
from fundoscope.phantom import PhantomSpec, draw

VOC = """<annotation><filename>{image}</filename>
<size><width>320</width><height>240</height><depth>3</depth></size>
<object><name>{name}</name><bndbox><xmin>11</xmin><ymin>11</ymin><xmax>20</xmax><ymax>{bottom}</ymax>
</bndbox></object></annotation>"""


@cache
def eye(seed):
    return draw(PhantomSpec(seed=seed, width=320, height=240))[0]


@pytest.fixture(autouse=True)
def caches(tmp_path_factory, monkeypatch):
    """A folder for caches that is nobody's."""
    folder = tmp_path_factory.mktemp("caches")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


@pytest.fixture
def table(tmp_path):
    """Writes photographs (one a seed) and a label table of them."""

    def write(*rows, columns=("image", "grade", "patient", "split"), seeds=None):
        path = tmp_path / "labels.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *rows])
        for row, seed in zip(rows, seeds or range(len(rows)), strict=True):
            if seed is not None:
                Image.fromarray(eye(seed)).save(tmp_path / row[0])
        return path

    return write


def test_nothing_found(fundoscope, table, caches):
    said = fundoscope("data", "check", table(("a.png", 0, "p", "train"), ("b.png", 1, "q", "test")))
    assert said.code == 0
    assert said.err == ""
    assert said.out.splitlines()[-1] == "2 photographs: nothing found"
    assert "Findings" not in said.out
    assert (caches / "fundoscope" / FILE_NAME).is_file()


def test_findings_are_named_and_counted(fundoscope, table, tmp_path):
    labels = table(
        ("a.png", 0, "p", "train"),
        ("b.png", 1, "p", "test"),
        ("c.png", 3, "q", "train"),
        ("gone.png", 2, "r", "train"),
        seeds=(1, 2, 2, None),
    )
    said = fundoscope("data", "check", labels, "--json", tmp_path / "out" / "check.json")
    assert said.code == 3
    last = said.out.splitlines()[-2]
    assert last == (
        "4 photographs: 1 missing, 1 duplicates, 1 contradictory labels, 2 on two sides"
    )
    assert "gone.png (line 5): does not exist [not_found]" in said.out
    assert "b.png (grade 1, test) = c.png (grade 3, train): the same file" in said.out
    assert "patient p: test, train" in said.out
    report = json.loads((tmp_path / "out" / "check.json").read_text())
    assert report["findings"]["on two sides"] == 2
    assert not any(line != line.rstrip() for line in said.out.splitlines())


def test_more_than_are_shown_are_counted(fundoscope, table):
    said = fundoscope(
        "data", "check", table(*((f"{k}.png", 0, "", "") for k in range(8)), seeds=[None] * 8)
    )
    assert "and 3 more" in said.out
    assert said.out.count("does not exist") == 5


def test_a_near_duplicate_comes_with_its_correlation(fundoscope, tmp_path):
    Image.fromarray(eye(1)).save(tmp_path / "a.png")
    Image.fromarray(eye(1)[:, ::-1]).save(tmp_path / "b.jpg", quality=80)
    said = fundoscope("data", "check", tmp_path, "--cache", tmp_path / "cache")
    assert said.code == 3
    assert "a.png = b.jpg: correlation 0.9" in said.out
    assert ", mirrored" in said.out
    assert "by grade" not in said.out


def test_many_members_and_shapes_are_cut_short(fundoscope, tmp_path):
    for k in range(7):
        Image.fromarray(eye(1)[:, : 320 - k]).save(tmp_path / f"{k}.png")
    said = fundoscope("data", "check", tmp_path)
    assert "2 more: correlation" in " ".join(said.out.split())
    assert "2 others" in said.out


def test_class_folders(fundoscope, tmp_path):
    (tmp_path / "0").mkdir()
    (tmp_path / "4").mkdir()
    Image.fromarray(eye(1)).save(tmp_path / "0" / "a.png")
    Image.fromarray(eye(1)).save(tmp_path / "4" / "b.png")
    said = fundoscope("data", "check", tmp_path)
    assert said.code == 3
    assert "1 contradictory labels" in said.out


def test_only_some_rows(fundoscope, table, tmp_path):
    labels = table(("a.png", 0, "p", "train"), ("gone.png", 1, "q", "test"), seeds=(0, None))
    assert fundoscope("data", "check", labels, "--where", "split=train").code == 0
    said = fundoscope("data", "check", tmp_path, "--where", "split=train")
    assert said.code == 2
    assert "needs labels" in said.err


def test_the_table_again_with_its_groups(fundoscope, table, tmp_path):
    labels = table(("a.png", 0, "p", ""), ("b.png", 0, "q", ""), seeds=(1, 1))
    assert fundoscope("data", "check", labels, "--groups", tmp_path / "new.csv").code == 3
    with (tmp_path / "new.csv").open(newline="", encoding="utf-8") as file:
        assert [row["group"] for row in csv.DictReader(file)] == ["a.png", "a.png"]
    said = fundoscope("data", "check", tmp_path / "new.csv")
    assert said.code == 0
    assert "groups of duplicates: 1, 1 of them declared" in said.out
    bare = fundoscope("data", "check", tmp_path, "--groups", tmp_path / "none.csv")
    assert bare.code == 2
    assert "needs labels" in bare.err


def test_boxes_are_checked_too(fundoscope, tmp_path):
    (tmp_path / "photographs").mkdir()
    (tmp_path / "boxes").mkdir()
    for name, kind, bottom in (("a", "microaneurysm", 20), ("b", "haemorrhagee", 300)):
        Image.fromarray(eye(ord(name))).save(tmp_path / "photographs" / f"{name}.png")
        text = VOC.format(image=f"{name}.png", name=kind, bottom=bottom)
        (tmp_path / "boxes" / f"{name}.xml").write_text(text)
    said = fundoscope(
        "data", "check", tmp_path / "photographs", "--annotations", tmp_path / "boxes"
    )
    assert said.code == 3
    assert "2 faults of boxes" in said.out
    assert "b.png, object 1:" in said.out


def test_boxes_of_photographs_beside_the_folder_of_the_table(fundoscope, tmp_path):
    # As `data import` writes a table into the current folder.
    photos, work = tmp_path / "photos", tmp_path / "work"
    photos.mkdir()
    work.mkdir()
    Image.fromarray(eye(1)).save(photos / "a.png")
    (photos / "a.xml").write_text(VOC.format(image="a.png", name="MA", bottom=20))
    (work / "labels.csv").write_text("image,grade\n../photos/a.png,1\n")
    said = fundoscope("data", "check", work / "labels.csv", "--annotations", photos)
    assert (said.code, said.out.splitlines()[-1]) == (0, "1 photographs: nothing found")


def test_folds_are_splits_of_class_folders(fundoscope, tmp_path):
    # One photograph in two folds, with two grades.
    for number, fold, grade in ((1, 1, 0), (1, 2, 2), (2, 1, 2), (3, 2, 0)):
        folder = tmp_path / "sorted" / f"fold{fold}" / str(grade)
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(eye(number)).save(folder / f"{number}.png")
    said = fundoscope("data", "check", tmp_path / "sorted")
    assert said.code == 3
    assert said.out.splitlines()[-1] == (
        "4 photographs: 1 duplicates, 1 contradictory labels, 1 on two sides"
    )


def test_a_name_that_is_not_of_a_table_is_refused_before_the_work(fundoscope, table, caches):
    said = fundoscope("data", "check", table(("a.png", 0, "p", "train")), "--groups", "g.txt")
    assert said.code == 2
    assert "g.txt: is not a name for a label table; end it in .csv or .parquet" in said.err
    assert not (caches / "fundoscope").exists()


def test_a_malformed_file_of_boxes_is_a_finding_and_the_check_goes_on(fundoscope, tmp_path):
    Image.fromarray(eye(1)).save(tmp_path / "a.png")
    (tmp_path / "a.xml").write_text("<annotation><object>")
    said = fundoscope("data", "check", tmp_path, "--annotations", tmp_path)
    assert said.code == 3
    assert "1 faults of boxes" in said.out
    assert "[malformed_file]" in said.out
    assert "Sizes in pixels" in said.out


def test_what_the_reader_of_boxes_decided_is_reported(fundoscope, tmp_path):
    Image.fromarray(eye(1)).save(tmp_path / "a.png")
    text = VOC.format(image="a.png", name="microaneurysm", bottom=20)
    (tmp_path / "a.xml").write_text(text.replace("<xmin>11", "<xmin>0"))
    said = fundoscope("data", "check", tmp_path, "--annotations", tmp_path)
    assert said.code == 0
    assert "a.xml has a coordinate of 0" in said.err


def test_a_report_is_not_replaced_unasked(fundoscope, table, tmp_path):
    labels = table(("a.png", 0, "p", "train"))
    (tmp_path / "check.json").write_text("mine")
    said = fundoscope("data", "check", labels, "--json", tmp_path / "check.json")
    assert said.code == 2
    assert "--overwrite" in said.err
    assert (tmp_path / "check.json").read_text() == "mine"
    assert (
        fundoscope("data", "check", labels, "--json", tmp_path / "check.json", "--overwrite").code
        == 0
    )


def test_the_shortcuts_are_a_table(fundoscope, table, monkeypatch, tmp_path):
    from fundoscope.data import shortcuts

    monkeypatch.setattr(shortcuts, "TREES", 3)
    monkeypatch.setattr(shortcuts, "MIN_PHOTOGRAPHS", 4)
    monkeypatch.setattr(shortcuts, "LEAF", 1)
    rows = [(f"{k}.png", 4 * (k % 2), "", "train" if k < 8 else "test") for k in range(12)]
    labels = table(*rows, seeds=[1] * 12)
    for k in range(1, 12, 2):
        Image.fromarray(eye(1)).resize((240, 240)).save(tmp_path / f"{k}.png")
    said = fundoscope("data", "check", labels)
    assert said.code == 3
    assert "shape *" in said.out
    assert "train to test: all" in said.out
    assert "1 shortcuts" in said.out


@pytest.mark.parametrize("name", ["gone.csv", "gone"])
def test_what_does_not_exist(fundoscope, tmp_path, name):
    said = fundoscope("data", "check", tmp_path / name)
    assert said.code == 2
    assert "does not exist" in said.err


def test_an_empty_folder(fundoscope, tmp_path):
    said = fundoscope("data", "check", tmp_path)
    assert said.code == 2
    assert "holds no photograph" in said.err


def test_without_the_extra_it_says_what_to_install(fundoscope, table, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    said = fundoscope("data", "check", table(("a.png", 0, "p", "train")))
    assert said.code == 2
    assert 'pip install "fundoscope[evaluate]"' in said.err
