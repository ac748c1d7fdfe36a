"""Tables as other programs write them, reported from the field, with what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from fundoscope.batch.inputs import gather
from fundoscope.data.importers import class_folders, label_table
from fundoscope.data.table import read_table
from fundoscope.errors import TableError


@pytest.fixture
def eyes(tmp_path: Path) -> Path:
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    for name in ("10_left.jpeg", "10_right.jpeg"):
        (folder / "images" / name).write_bytes(b"x")
    return folder


def grades(place: Path) -> dict[str, int]:
    table = label_table.read(place).table
    assert table is not None
    return {Path(row.image).stem: row.grade for row in table.rows}


RIGHT = {"10_left": 0, "10_right": 2}


@pytest.mark.parametrize(
    "text",
    [
        ",image,level\n0,10_left,0\n1,10_right,2\n",
        '"","image","level"\n"7","10_left",0\n"3","10_right",2\n',
        "Image;Level\n10_left;0\n10_right;2\n",
        "id_code\tdiagnosis\n10_left\t0.0\n10_right\t2.0\n",
        "image,DR_ICDR\nimages\\10_left.jpeg,0\nimages\\10_right.jpeg,2\n",
        "image,grade,Straße\n10_left,0,Köln\n10_right,2,\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_tables_of_other_programs(eyes: Path, text: str, encoding: str) -> None:
    (eyes / "labels.csv").write_text(text, encoding=encoding)
    assert grades(eyes) == RIGHT


@pytest.mark.parametrize("name", ["labels.csv", "labels.xlsx"])
def test_a_defective_table_is_not_replaced_by_the_parents(eyes: Path, name: str) -> None:
    (eyes.parent / "old_labels.csv").write_text("image,grade\n10_left,4\n10_right,4\n")
    (eyes / name).write_text('image,level\n10_left,"0\n')
    with pytest.raises(TableError, match=name):
        label_table.read(eyes)


def test_the_parents_table_is_named(eyes: Path) -> None:
    (eyes.parent / "labels.csv").write_text("image,grade\n10_left,0\n10_right,2\n")
    imported = label_table.read(eyes)
    assert any("labels.csv, beside the folder" in note for note in imported.notes)
    assert grades(eyes) == RIGHT


@pytest.mark.parametrize(
    "text",
    [
        "ID,Disease_Risk,DR,ARMD\n10_left,1,1,0\n10_right,0,0,0\n",
        "image,label\n10_left,0\n10_right,1\n",
        "image,class\n10_left,1.0\n10_right,1.0\n",
    ],
)
def test_a_yes_or_no_is_no_grade(eyes: Path, text: str) -> None:
    (eyes / "labels.csv").write_text(text)
    with pytest.raises(TableError, match="has only 0 and 1: a yes/no, not a grade"):
        label_table.read(eyes)


def test_a_column_called_grade_with_0_and_1_is_doubted(eyes: Path) -> None:
    (eyes / "labels.csv").write_text("image,grade\n10_left,0\n10_right,1\n")
    assert any("only the grades 0 and 1" in note for note in label_table.read(eyes).notes)


def test_grades_of_messidor_are_another_scale(eyes: Path) -> None:
    header = "Image name,Ophthalmologic department,Retinopathy grade\n"
    (eyes / "labels.csv").write_text(header + "10_left.jpeg,Brest,3\n")
    with pytest.raises(TableError, match="grades of Messidor"):
        label_table.read(eyes)


def test_class_folders_of_a_yes_or_no_are_doubted(tmp_path: Path) -> None:
    for name in ("0/a.jpg", "1/b.jpg"):
        (tmp_path / "train" / name).parent.mkdir(parents=True)
        (tmp_path / "train" / name).write_bytes(b"x")
    assert any("only the grades 0 and 1" in note for note in class_folders.read(tmp_path).notes)


@pytest.mark.parametrize(
    "text",
    [
        "image\nimages\\10_left.jpeg\n",
        "Image;Patient ID\nimages/10_left.jpeg;5\n",
        "filename\teye\n10_left\tleft\n",
        ",id_code\n0,10_left\n",
        "image,note\n10_left.jpeg,Größe\n",
    ],
)
def test_read_takes_lists_as_leniently(eyes: Path, text: str) -> None:
    for number, encoding in enumerate(("utf-8-sig", "latin-1", "utf-16")):
        table = eyes / f"list{number}.csv"
        table.write_text(text, encoding=encoding)
        (photograph,) = gather([table]).photographs
        assert photograph.path.resolve() == (eyes / "images" / "10_left.jpeg").resolve()


def test_a_list_never_reads_another_photograph(eyes: Path) -> None:
    """A folder in the name counts: the photograph of another patient is not taken instead."""
    (eyes / "list.csv").write_text("image\nother/10_left.jpeg\n")
    (photograph,) = gather([eyes / "list.csv"]).photographs
    assert not photograph.path.exists()


@pytest.mark.parametrize("name", ["list.xlsx", "list.xls", "list.ods", "list.csv"])
def test_a_workbook_says_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04 of a workbook")
    for read in (lambda path: gather([path]), lambda path: read_table(path, required=())):
        with pytest.raises(TableError, match="save it as CSV UTF-8"):
            read(tmp_path / name)
