from __future__ import annotations

import pytest

from fundoscope.data import checked_photographs
from fundoscope.data.class_folders import from_class_folders, grade_of
from fundoscope.data.importers import class_folders
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


@pytest.mark.parametrize(
    ("name", "grade"),
    [
        ("No_DR", 0),
        ("NoDR", 0),
        ("No DR", 0),
        ("normal", 0),
        ("Healthy", 0),
        ("No apparent retinopathy", 0),
        ("0 - No DR", 0),
        ("0.Normal", 0),
        ("Mild", 1),
        ("mild NPDR", 1),
        ("Mild non-proliferative diabetic retinopathy", 1),
        ("class1", 1),
        ("Moderate", 2),
        ("Moderate DR", 2),
        ("2_Moderate", 2),
        ("Severe", 3),
        ("grade_3", 3),
        ("DR grade 3", 3),
        ("3 (severe)", 3),
        ("Proliferate_DR", 4),
        ("Proliferative", 4),
        ("PDR", 4),
        ("Level-4", 4),
        ("DR", None),
        ("1 - No DR", None),
        ("grade_5", None),
        ("grade 12", None),
        ("very severe", None),
        ("nonproliferative", None),
        ("glaucoma", None),
        ("R2", None),
        ("", None),
    ],
)
def test_the_grade_that_a_name_means(name, grade):
    assert grade_of(name) == grade


def test_folders_named_by_words(tmp_path):
    plant(tmp_path, "train/No_DR/a.jpg", "train/Mild/b.jpg", "val/Proliferate_DR/c.jpg")
    assert listed(tmp_path) == [
        ("train/Mild/b.jpg", 1, "train"),
        ("train/No_DR/a.jpg", 0, "train"),
        ("val/Proliferate_DR/c.jpg", 4, "val"),
    ]


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (("No_DR/a.jpg", "DR/b.jpg"), "DR"),
        (("normal/a.jpg", "glaucoma/b.jpg", "masks/c.txt"), "glaucoma"),
        (("grade_1/a.jpg", "grade_5/b.jpg"), "grade_5"),
        (("0 - No DR/a.jpg", "2 - Mild/b.jpg"), "2 - Mild"),
        (("train/Mild/a.jpg", "val/mild cases/b.jpg"), "mild cases"),
        (("0/a.jpg", "Mild/b.jpg", "Moderat/c.jpg"), "Moderat"),
    ],
)
def test_a_name_beside_words_that_is_not_understood_is_named(tmp_path, files, named):
    plant(tmp_path, *files)
    with pytest.raises(TableError, match="its name is not that of a grade") as refusal:
        from_class_folders(tmp_path)
    assert refusal.value.what.endswith(f"/{named}")


def test_folders_beside_those_of_words_that_are_no_classes(tmp_path):
    plant(tmp_path, "train/Mild/a.jpg", "masks/b.png", "train/.thumbs/c.jpg", "train/lists/d.txt")
    assert listed(tmp_path) == [("train/Mild/a.jpg", 1, "train")]


def test_the_import_says_which_folders_beside_numbers_were_not_read(tmp_path):
    plant(tmp_path, "0/a.jpg", "2/b.jpg", "Moderat/c.jpg", "lists/d.txt")
    (note,) = class_folders.read(tmp_path).notes
    assert note == f"not read, not named by a grade: {tmp_path / 'Moderat'}"


def test_a_check_takes_words_only_where_all_are_of_grades(tmp_path):
    plant(
        tmp_path, "a/normal/a.jpg", "a/glaucoma/b.jpg", "b/train/No_DR/a.jpg", "b/train/Mild/b.jpg"
    )
    assert checked_photographs.labelled(tmp_path / "a") is None
    table = checked_photographs.labelled(tmp_path / "b")
    assert {(row.image, row.grade) for row in table.rows} == {
        ("train/No_DR/a.jpg", 0),
        ("train/Mild/b.jpg", 1),
    }
