"""Folders with a label table in them or beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fundoscope.data.importers.label_table import names_of, read
from fundoscope.data.manifest import Row
from fundoscope.errors import TableError

Plant = Callable[..., Path]


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        ("id_code,diagnosis", "{},{}"),
        ("image,level", "{},{}"),
        ("Image name,Retinopathy grade,Risk of macular edema ,,", "{},{},1,,"),
        ("filename;grade", "{};{}"),
        ("grade\tImage_Path\tnotes", "{1}\t{0}\t\t"),
        ("图像,分级", "{},{}.0"),
        ('"Image\nname","DR\xa0grade"', "{},{}"),
    ],
)
def test_columns_by_their_synonyms(plant: Plant, header: str, lines: str) -> None:
    folder = plant("photos/a 1.jpg", "photos/眼.PNG")
    text = "\r\n".join([header, lines.format("a 1", 3), lines.format("photos/眼.PNG", 0), ",,,,"])
    text = text.replace(",,,,", ",,,," if "," in header else "")
    (folder / "labels.csv").write_bytes(text.encode("utf-8-sig"))
    imported = read(folder)
    assert imported.table is not None
    assert [(row.image, row.grade) for row in imported.table.rows] == [
        ("photos/a 1.jpg", 3),
        ("photos/眼.PNG", 0),
    ]
    assert imported.notes == ()


def test_what_else_a_table_says(plant: Plant) -> None:
    folder = plant("a.jpg", "b.jpg")
    (folder / "labels.csv").write_text(
        "image,dr_grade,Patient ID,laterality,image quality,gradable,age\n"
        "a.jpg,3,7,OS,good,1,54\nb.jpg,0,7,OD,,0,\n"
    )
    imported = read(folder).table
    assert imported is not None
    assert imported.rows == (
        Row(
            "a.jpg", 3, patient="7", eye="left", quality="good", gradable=True, other={"age": "54"}
        ),
        Row("b.jpg", 0, patient="7", eye="right", gradable=False, other={"age": ""}),
    )


@pytest.mark.parametrize(
    ("cell", "gradable"),
    [("0.0", False), ("False", False), ("no", False), ("1.0", True), ("", None), ("NA", None)],
)
def test_gradable_in_the_words_of_other_programs(
    plant: Plant, cell: str, gradable: bool | None
) -> None:
    folder = plant("a.jpg", "b.jpg")
    (folder / "labels.csv").write_text(f"image,grade,gradable\na.jpg,3,{cell}\nb.jpg,0,1\n")
    imported = read(folder).table
    assert imported is not None
    assert imported.rows[0].gradable is gradable


def test_what_r_writes_for_unknown_is_no_patient_and_no_grade(plant: Plant) -> None:
    folder = plant("a.jpg", "b.jpg", "c.jpg")
    (folder / "t.csv").write_text("image,grade,patient\na.jpg,3,NA\nb.jpg,0,nan\nc.jpg,NA,P1\n")
    imported = read(folder)
    assert imported.table is not None
    assert [(row.image, row.patient) for row in imported.table.rows] == [
        ("a.jpg", ""),
        ("b.jpg", ""),
    ]
    assert imported.notes == (
        "2 cells of the column patient say nothing, as NA: they name no patient, so that each of"
        " these photographs counts as a patient of its own",
        "1 photographs were left out: they were not graded",
    )


def test_a_yes_or_no_with_missing_labels_is_still_no_grade(plant: Plant) -> None:
    folder = plant("a.jpg", "b.jpg", "c.jpg")
    (folder / "t.csv").write_text("image,dr\na.jpg,1\nb.jpg,0\nc.jpg,NA\n")
    with pytest.raises(TableError, match="has only 0 and 1: a yes/no, not a grade"):
        read(folder)


@pytest.mark.parametrize(
    ("eye", "split", "read_as"),
    [
        ("RE", "Training", ("right", "train")),
        ("Left eye", "VAL", ("left", "val")),
        ("O.S.", "Testing", ("left", "test")),
        ("右眼", "Fold2", ("right", "fold2")),
        ("both", "excluded", ("both", "excluded")),
    ],
)
def test_eyes_and_splits_in_other_words(
    plant: Plant, eye: str, split: str, read_as: tuple[str, str]
) -> None:
    folder = plant("a.jpg")
    (folder / "t.csv").write_text(f"image,grade,eye,split\na.jpg,3,{eye},{split}\n", "utf-8")
    imported = read(folder).table
    assert imported is not None
    assert (imported.rows[0].eye, imported.rows[0].split) == read_as


def test_gradable_in_a_word_that_means_neither_is_refused(plant: Plant) -> None:
    folder = plant("a.jpg")
    (folder / "t.csv").write_text("image,grade,gradable\na.jpg,3,perhaps\n")
    with pytest.raises(TableError, match=r"t\.csv, line 2, .*has 'perhaps' in its column gradable"):
        read(folder)


def test_a_table_beside_the_folder_and_a_table_by_name(plant: Plant) -> None:
    folder = plant("photos/a.jpg")
    (folder / "labels.csv").write_text("image,grade\na,3\n")
    for given in (folder / "photos", folder / "labels.csv"):
        imported = read(given).table
        assert imported is not None
        assert [imported.photograph(row) for row in imported.rows] == [folder / "photos" / "a.jpg"]


def test_other_tables_in_the_folder_do_not_disturb(plant: Plant) -> None:
    folder = plant("a.jpg")
    (folder / "labels.csv").write_text("image,grade\na,3\n")
    (folder / "cameras.csv").write_text("camera,year\nx,2001\n")
    (folder / "ragged.csv").write_text("image,grade\nx\n")
    (folder / "empty.csv").touch()
    assert read(folder).table is not None
    (folder / "second.csv").write_text("id,level\na,3\n")
    with pytest.raises(TableError, match=r"several label tables \(labels\.csv, second\.csv\)"):
        read(folder)


def test_what_is_left_out_is_reported(plant: Plant) -> None:
    folder = plant("a.jpg", "b.jpg", "c.jpg", "new.jpg")
    (folder / "t.csv").write_text("image,grade\na,3\nb,\nnone.jpg,2\n")
    assert read(folder).notes == (
        "1 labels were left out: their photograph is missing, or not unique (the first: none.jpg)",
        "1 photographs were left out: they were not graded",
        "2 photographs have no label",
    )


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("image,grade\na,7\n", "t.csv, line 2, column grade: is '7', not a grade"),
        ("image,level\na,mild\n", "t.csv, line 2, column level: is 'mild'"),
        ("image,grade\na,1\na.jpg,1\n", "t.csv, line 3, column grade: a.jpg has a label already"),
        ("image,grade\nx,1\n", "has none of the 1 labelled photographs (the first: x)"),
        ("image,grade\na,\n", "has none of the 1 labelled photographs"),
        ("image,note\na,1\n", "has no label table in it or beside it"),
        ("image,grade\na\n", "t.csv, line 2: has 1 cells where the header has 2"),
    ],
)
def test_what_is_wrong(plant: Plant, text: str, reported: str) -> None:
    folder = plant("a.jpg")
    (folder / "t.csv").write_text(text)
    with pytest.raises(TableError) as caught:
        read(folder)
    assert reported in str(caught.value)


def test_a_named_table_without_its_columns(plant: Plant) -> None:
    folder = plant("a.jpg")
    (folder / "t.csv").write_text("image,note\na,1\n")
    with pytest.raises(TableError, match=r"no column for the photograph and for the grade"):
        read(folder / "t.csv")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    # A table beside it is that of another folder.
    (tmp_path / "labels.csv").write_text("image,grade\na,1\n")
    with pytest.raises(TableError, match="none: does not exist; check the path"):
        read(tmp_path / "none")


def test_a_better_name_wins() -> None:
    names = names_of(("id", "image", "label", "Diagnosis"))
    assert names == {"image": "image", "grade": "Diagnosis"}
