from __future__ import annotations

import json
import os
from functools import cache

import numpy as np
import pytest
from PIL import Image

from fundoscope.data import check as checking
from fundoscope.data import shortcuts
from fundoscope.data.check import Member, check
from fundoscope.data.checked_photographs import CheckedPhotograph, labelled, of_folder
from fundoscope.data.fingerprint import Fingerprint
from fundoscope.data.manifest import Row
from fundoscope.errors import TableError
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.reading import FieldOfView


@cache
def eye(seed):
    return draw(PhantomSpec(seed=seed, width=320, height=240, grade=1))[0]


@pytest.fixture
def take(tmp_path):
    """A subject whose file is made, or not; its labels as given."""

    def make(image, content=None, *, grade=0, **labels):
        path = tmp_path / image
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            Image.fromarray(content).save(path)
        return CheckedPhotograph(image, path, Row(image, grade, **labels))

    return make


def images(members):
    return [member.image for member in members]


def test_nothing_wrong(take):
    report = check([take(f"{k}.png", eye(k), patient=str(k), split="train") for k in range(3)])
    assert not any(report.findings.values())
    assert report.photographs == 3
    assert report.shapes == {"320 x 240": 3}
    assert report.counts == {"": {"train": {"0": 3}}}


def test_files_that_cannot_be_used(take, tmp_path):
    (tmp_path / "folder.png").mkdir()
    report = check(
        [
            take("gone.png", line=2),
            take("empty.png", b"", line=3),
            take("folder.png", line=4),
            take("text.png", b"hello, hello", line=5),
            take("tiny.png", np.zeros((20, 20, 3), np.uint8), line=6),
            take("dark.png", np.zeros((200, 200, 3), np.uint8), line=7),
        ]
    )
    assert [(one.image, one.line) for one in report.missing] == [("gone.png", 2)]
    assert [(one.code, one.line) for one in report.unreadable] == [
        ("empty", 3),
        ("not_a_file", 4),
        ("not_an_image", 5),
        ("too_small", 6),
    ]
    assert [(one.code, one.line) for one in report.no_retina] == [("too_dark", 7)]
    assert report.findings["unreadable"] == 4
    assert report.duplicates == ()


def test_the_same_file_and_a_smaller_copy(take):
    smaller = np.asarray(Image.fromarray(eye(1)).resize((256, 192)))
    report = check(
        [
            take("a.png", eye(1), grade=2, split="train"),
            take("b.png", eye(2)),
            take("c.png", eye(1), grade=2, split="train"),
            take("d.png", smaller, grade=2, split="train"),
        ]
    )
    (group,) = report.duplicates
    assert images(group.members) == ["a.png", "c.png", "d.png"]
    assert not group.exact
    assert not group.declared
    (pair,) = group.pairs
    assert (pair.first, pair.second, pair.mirrored) == ("a.png", "d.png", False)
    assert report.findings["duplicates"] == 1
    assert report.contradictions == report.leaks == ()


def test_the_same_file_alone(take):
    report = check([take("a.png", eye(1)), take("b.png", eye(1))])
    (group,) = report.duplicates
    assert group.exact
    assert group.pairs == ()


def test_duplicates_that_the_table_declares_are_no_finding(take):
    report = check([take("a.png", eye(1), group="7"), take("b.png", eye(1), group="7")])
    (group,) = report.duplicates
    assert group.declared
    assert report.findings["duplicates"] == 0
    others = check([take("a.png", eye(1), group="7"), take("b.png", eye(1), group="8")])
    assert others.findings["duplicates"] == 1


def test_contradictory_labels_among_found_and_declared_duplicates(take):
    report = check(
        [
            take("a.png", eye(1), grade=1),
            take("b.png", eye(1), grade=3),
            take("c.png", eye(2), grade=0, group="7"),
            take("d.png", eye(3), grade=4, group="7"),
            take("e.png", eye(4), grade=0, group="8"),
            take("f.png", eye(5), grade=0, group="8"),
            take("g.png", eye(5), grade=2, split="excluded"),
        ]
    )
    assert [images(members) for members in report.contradictions] == [
        ["a.png", "b.png"],
        ["c.png", "d.png"],
    ]
    assert report.contradictions[0] == (Member("a.png", 1), Member("b.png", 3))


def test_every_leak_is_reported(take):
    report = check(
        [
            take("a.png", eye(1), patient="1", split="train"),
            take("b.png", eye(2), patient="1", split="test"),
            take("c.png", eye(3), group="g", split="train"),
            take("d.png", eye(4), group="g", split="val"),
            take("e.png", eye(5), split="train"),
            take("f.png", eye(5), split="test"),
            take("g.png", eye(6), split="train"),
            take("h.png", eye(6), split="excluded"),
            take("i.png", eye(7), split="train"),
            take("j.png", eye(7)),
        ]
    )
    assert [(leak.by, leak.name, leak.splits) for leak in report.leaks] == [
        ("patient", "1", ("test", "train")),
        ("group", "g", ("train", "val")),
        ("duplicates", "e.png", ("test", "train")),
    ]
    assert images(report.leaks[2].members) == ["e.png", "f.png"]


def test_many_copies_make_no_square_of_pairs(take, monkeypatch):
    compared = []
    near_duplicates = checking.near_duplicates

    def counted(crops, *, same):
        compared.append(sum(bool(crop) for crop in crops))
        return near_duplicates(crops, same=same)

    monkeypatch.setattr(checking, "near_duplicates", counted)
    one = take("a.png", eye(1))
    report = check([one] * 30)
    assert compared == [1]
    assert len(report.duplicates[0].members) == 30


def test_shortcuts_are_audited_where_all_is_labelled(take, monkeypatch):
    def by_grade(paths, **_options):
        disc = FieldOfView(True, (60.0, 60.0), 60.0, 1.0)
        return tuple(
            Fingerprint(str(k), 120 + 100 * (k % 2), 120, disc, (0.0, 0.0, 0.0), b"")
            for k, _ in enumerate(paths)
        )

    monkeypatch.setattr(checking, "fingerprints", by_grade)
    monkeypatch.setattr(shortcuts, "TREES", 5)
    of = [take(f"{k}.png", grade=4 * (k % 2)) for k in range(200)]
    report = check(of)
    assert report.findings["shortcuts"] == 1
    bare = check([CheckedPhotograph(one.image, one.path) for one in of])
    assert bare.shortcuts == ()
    assert bare.counts == {}


def test_json_holds_everything(take):
    report = check([take("a.png", eye(1), grade=1), take("gone.png")])
    content = json.loads(checking.to_json(report))
    assert content["version"] == "fundoscope.data-check/1"
    assert content["missing"][0]["image"] == "gone.png"
    assert content["findings"]["missing"] == 1
    assert content["photographs"] == 2


def test_a_folder_without_labels(tmp_path):
    for name in ("b/2.JPG", "a.png", ".hidden/3.png", "c.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert labelled(tmp_path) is None
    of = of_folder(tmp_path)
    assert [one.image for one in of] == ["a.png", "b/2.JPG"]
    assert all(one.row is None for one in of)
    report = check(of)
    assert [one.line for one in report.unreadable] == [0, 0]


def test_a_folder_without_photographs(tmp_path):
    with pytest.raises(TableError, match="holds no photograph"):
        of_folder(tmp_path)


def test_class_folders_are_labels(tmp_path):
    (tmp_path / "train" / "3").mkdir(parents=True)
    (tmp_path / "train" / "3" / "a.png").touch()
    table = labelled(tmp_path)
    assert table is not None
    assert [(row.image, row.grade, row.split) for row in table.rows] == [
        ("train/3/a.png", 3, "train")
    ]


def test_a_hundred_thousand_rows_are_grouped_quickly():
    from fundoscope.data.duplicates import groups

    pairs = [(k, k + 1) for k in range(0, 100_000, 2)]
    assert len(groups(100_000, pairs)) == 50_000


def test_a_name_that_is_not_utf_8_does_not_cost_the_report(tmp_path):
    """It used to fail at the very end, after all photographs had been examined."""
    name = os.fsdecode(b"M\xfcller.jpg")
    (tmp_path / name).write_bytes(b"no photograph")
    report = check(of_folder(tmp_path))
    (trouble,) = json.loads(checking.to_json(report))["unreadable"]
    assert trouble["image"] == "M\\udcfcller.jpg"
