from __future__ import annotations

import pytest

from fundoscope.data.class_folders import from_class_folders
from fundoscope.errors import TableError


def plant(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()


def listed(folder):
    return [(row.image, row.grade, row.split) for row in from_class_folders(folder).rows]


def test_five_folders(tmp_path):
    plant(tmp_path, "0/a.jpg", "0/b.PNG", "4/c.tif", "notes/d.jpg", "0/.hidden.jpg", "0/list.txt")
    assert listed(tmp_path) == [("0/a.jpg", 0, ""), ("0/b.PNG", 0, ""), ("4/c.tif", 4, "")]
    found = from_class_folders(tmp_path)
    assert found.columns == ("image", "grade")
    assert all(found.photograph(row).exists() for row in found.rows)


def test_folders_of_splits_by_any_of_their_names(tmp_path):
    plant(tmp_path, "train/1/a.jpg", "Validation/0/b.jpg", "test/3/left/c.jpg")
    assert sorted(listed(tmp_path)) == [
        ("Validation/0/b.jpg", 0, "val"),
        ("test/3/left/c.jpg", 3, "test"),
        ("train/1/a.jpg", 1, "train"),
    ]
    assert from_class_folders(tmp_path).columns == ("image", "grade", "split")


def test_the_hash_is_that_of_the_list(tmp_path):
    plant(tmp_path, "0/a.jpg")
    before = from_class_folders(tmp_path).sha256
    assert from_class_folders(tmp_path).sha256 == before
    plant(tmp_path, "1/b.jpg")
    assert from_class_folders(tmp_path).sha256 != before


@pytest.mark.parametrize("name", ["7", "05"])
def test_a_number_that_is_no_grade(tmp_path, name):
    plant(tmp_path, "0/a.jpg", f"{name}/b.jpg")
    with pytest.raises(TableError, match="not a grade"):
        from_class_folders(tmp_path)


def test_no_class_folders(tmp_path):
    plant(tmp_path, "a.jpg", "0/readme.txt")
    with pytest.raises(TableError, match="no photographs in class folders"):
        from_class_folders(tmp_path)


def test_not_there(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        from_class_folders(tmp_path / "none")


def test_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TableError, match="cannot be opened"):
        from_class_folders(tmp_path / "file")


def test_folds_are_splits(tmp_path):
    plant(tmp_path, "fold1/0/a.jpg", "Fold12/4/b.jpg", "folds/1/c.jpg")
    assert [row[1:] for row in listed(tmp_path)] == [(4, "fold12"), (0, "fold1")]
