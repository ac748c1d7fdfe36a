from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.data import manifest
from fundoscope.data.manifest import Manifest, Row
from fundoscope.data.schema import schema
from fundoscope.errors import OutputError, TableError, UsageError

REAL = Path(__file__).parents[3] / "shared" / "data" / "grading" / "grading.csv"


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_a_small_table(table):
    labels = manifest.read(table("image,grade,patient,note\na.jpg,3,p1,seen twice\nb.jpg,0,,\n"))
    assert labels.columns == ("image", "grade", "patient", "note")
    assert labels.rows == (
        Row("a.jpg", 3, patient="p1", other={"note": "seen twice"}, line=2),
        Row("b.jpg", 0, other={"note": ""}, line=3),
    )
    assert labels.photograph(labels.rows[0]) == labels.path.parent / "a.jpg"
    assert len(labels.sha256) == 64


def test_every_cell_comes_out_as_it_went_in(table):
    labels = manifest.read(table("image,grade,gradable,camera,x\na.jpg,3,1,C,y\nb.jpg,0,,,\n"))
    cells = [[row.text(name) for name in labels.columns] for row in labels.rows]
    assert cells == [["a.jpg", "3", "1", "C", "y"], ["b.jpg", "0", "", "", ""]]
    assert labels.rows[0].text("no such column") == ""


def test_photographs_of_unknown_patients_do_not_belong_together(table):
    """R and pandas write NA and nan; blanks of a spreadsheet do not make two patients of one."""
    cells = ("NA", "N/A", "nan", "None", "null", "", "P1", "P1 ", "P1\u00a0", "J.  Miller")
    lines = "".join(f"{i}.jpg,0,{cell},{cell}\n" for i, cell in enumerate(cells))
    labels = manifest.read(table(f"image,grade,Patient,group\n{lines}"))
    known = [*[""] * 6, *["P1"] * 3, "J. Miller"]
    assert [row.patient for row in labels.rows] == known
    assert [row.group for row in labels.rows] == known


def test_known_columns_may_be_written_in_capitals(table):
    labels = manifest.read(
        table("Image,Grade,Patient,SPLIT,Source,Group,Gradable\na.jpg,3,p1,test,s,g,0\n")
    )
    row = Row("a.jpg", 3, "p1", split="test", source="s", group="g", gradable=False, line=2)
    assert labels.rows == (row,)
    assert labels.columns == ("image", "grade", "patient", "split", "source", "group", "gradable")


@pytest.mark.parametrize("name", ["patient_id", "PatientID", "Subject ID", "患者"])
def test_patients_under_another_name_are_refused_as_they_would_leak(table, name):
    with pytest.raises(TableError) as caught:
        manifest.read(table(f"image,grade,{name}\na.jpg,3,p1\n"))
    assert str(caught.value).startswith(f"labels.csv, column '{name}': is not used")
    assert "name the column patient" in str(caught.value)
    both = manifest.read(table(f"image,grade,patient,{name}\na.jpg,3,p1,7\n"))
    assert both.rows[0].patient == "p1"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("image,grade\na.jpg,7\n", "labels.csv, line 2, column grade: is '7'"),
        ("image,grade\na.jpg,7\nb.jpg,0\nc.jpg,x\nd.jpg,\n", "more such cells: 2 (lines 4, 5)"),
        ("image,grade\na.jpg,2\n\nb.jpg,\n", "labels.csv, line 4, column grade: is ''"),
        ("image,grade\na.jpg,-1\n", "line 2, column grade"),
        ("image,grade\na.jpg,2.0\n", "line 2, column grade"),
        ("image,grade\n,2\n", "line 2, column image: does not name a photograph"),
        ("image,grade,gradable\na.jpg,2,yes\n", "line 2, column gradable: is 'yes'"),
        ("image,grade,eye,eye\na.jpg,2,l,r\n", "line 1, column eye: appears 2 times"),
        ("image,label\na.jpg,2\n", "line 1: has no column grade"),
        ("image,grade\na.jpg,2,left\n", "line 2: has 3 cells where the header has 2"),
        ("image,grade\n", "labels.csv: has no rows below its header"),
        ("", "labels.csv: is empty"),
    ],
)
def test_a_wrong_table_is_told_with_line_and_column(table, text, where):
    with pytest.raises(TableError) as raised:
        manifest.read(table(text))
    assert where in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(TableError, match="does not exist"):
        manifest.read(tmp_path / "labels.csv")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_what_spreadsheets_write(table, encoding):
    labels = manifest.read(table("image,grade\r\n眼 1.jpg , 2\r\n,\r\n", encoding))
    assert labels.columns == ("image", "grade")
    assert labels.rows == (Row("眼 1.jpg", 2, line=2),)


def test_missing_files_are_counted_and_the_first_named(table, tmp_path):
    labels = manifest.read(
        table("image,grade,split\na.jpg,0,\nb.jpg,0,\nc.jpg,0,\nd.jpg,0,excluded\n")
    )
    (tmp_path / "a.jpg").touch()
    with pytest.raises(TableError, match=r"line 3, column image: .*b\.jpg.*2 missing"):
        labels.require_files()
    for name in "bc":
        (tmp_path / f"{name}.jpg").touch()
    labels.require_files()


def test_rows_of_a_split(table):
    labels = manifest.read(table("image,grade,split\na,0,test\nb,1,train\nc,2,test\n"))
    assert [row.image for row in labels.of_split("test")] == ["a", "c"]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_table_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"image,grade\n" + data)
    try:
        labels = manifest.read(path)
    except TableError:
        return
    assert all(0 <= row.grade <= 4 for row in labels.rows)


@pytest.mark.skipif(not REAL.exists(), reason="the real data are not here")
def test_the_real_table():
    labels = manifest.read(REAL)
    assert len(labels.rows) == 8152
    assert len(labels.of_split("test")) == 1638


def test_names_of_all_kinds(table):
    images = ["with blanks.jpg", "病人 一/左眼.jpg", "a,b.jpg", 'say "ah".jpg', "línea.jpg"]
    quoted = "".join('"{}",1\r\n'.format(image.replace('"', '""')) for image in images)
    labels = manifest.read(table("image,grade\r\n" + quoted, "utf-8-sig"))
    assert [row.image for row in labels.rows] == images


def test_quality_is_free_text(table):
    labels = manifest.read(table("image,grade,quality\na,1,blurred below\n"))
    assert labels.rows[0].quality == labels.rows[0].text("quality") == "blurred below"


@pytest.mark.parametrize("name", ["new.csv", "new.parquet"])
def test_written_and_read_again(table, tmp_path, name):
    if name.endswith("parquet"):
        pytest.importorskip("polars")
    text = 'image,grade,gradable,quality,note\na.jpg,3,1,good,"x, y"\n眼/b.jpg,0,,,\n'
    before = manifest.read(table(text))
    manifest.write(before, tmp_path / name)
    after = manifest.read(tmp_path / name)
    assert after.columns == before.columns
    for one, other in zip(before.rows, after.rows, strict=True):
        assert [one.text(c) for c in before.columns] == [other.text(c) for c in before.columns]


def test_paths_are_written_relative_to_the_new_file(table, tmp_path):
    before = manifest.read(table("image,grade\nphotos/a.jpg,3\n../b.jpg,0\n"))
    new = tmp_path / "deep" / "er" / "new.csv"
    manifest.write(before, new)
    after = manifest.read(new)
    assert [row.image for row in after.rows] == ["../../photos/a.jpg", "../../../b.jpg"]
    for one, other in zip(before.rows, after.rows, strict=True):
        assert after.photograph(other).resolve() == before.photograph(one).resolve()


def test_nothing_is_overwritten_unasked(table, tmp_path):
    before = manifest.read(table("image,grade\na.jpg,3\n"))
    (tmp_path / "new.csv").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        manifest.write(before, tmp_path / "new.csv")
    assert (tmp_path / "new.csv").read_text() == "mine"
    manifest.write(before, tmp_path / "new.csv", overwrite=True)
    assert manifest.read(tmp_path / "new.csv").rows == before.rows


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match=r"end it in \.csv or \.parquet"):
        manifest.write(manifest.of_rows(tmp_path, [Row("a", 1)]), tmp_path / "labels.xlsx")
    if sys.platform != "win32":
        odd = manifest.of_rows(tmp_path, [Row(os.fsdecode(b"\xff.jpg"), 1)])
        with pytest.raises(UsageError, match=r"\\udcff\.jpg: has a name that is not UTF-8"):
            manifest.write(odd, tmp_path / "labels.csv")
        assert not (tmp_path / "labels.csv").exists()


def test_a_table_of_rows_has_the_columns_that_are_filled(tmp_path):
    rows = [Row("a", 1, eye="left", other={"x": ""}), Row("b", 0, gradable=False, other={"y": "1"})]
    labels = manifest.of_rows(tmp_path, rows)
    assert labels.columns == ("image", "grade", "eye", "gradable", "y")
    assert labels.photograph(labels.rows[0]) == tmp_path / "a"
    assert labels.sha256 != manifest.of_rows(tmp_path, rows[:1]).sha256


def test_the_published_file_holds_the_schema():
    published = Path(__file__).parents[2] / "docs" / "label-table.schema.json"
    assert json.loads(published.read_text(encoding="utf-8")) == schema()


def test_the_published_schema_agrees_with_the_reader(table):
    jsonschema.Draft202012Validator.check_schema(schema())
    good = {"image": "a.jpg", "grade": "3", "gradable": "", "eye": "left", "mine": "x"}
    assert set(schema()["properties"]) == set(manifest.KNOWN)
    for changed in ({}, {"grade": "7"}, {"image": ""}, {"gradable": "yes"}):
        row = good | changed
        text = f"{','.join(row)}\n{','.join(row.values())}\n"
        valid = jsonschema.Draft202012Validator(schema()).is_valid(row)
        try:
            assert isinstance(manifest.read(table(text)), Manifest)
            assert valid
        except TableError:
            assert not valid


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_a_table_in_a_linked_folder_finds_its_photographs(tmp_path):
    # The system follows ".." from where a link leads to, not from where it lies.
    (tmp_path / "disk" / "deep" / "results").mkdir(parents=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "deep" / "results")
    labels = manifest.of_rows(tmp_path, [Row("photos/a.jpg", 1)])
    for folder in (tmp_path / "link", tmp_path / "link" / "new"):
        manifest.write(labels, folder / "labels.csv")
        manifest.read(folder / "labels.csv").require_files()
    # And from there to another folder: the table's own ".." begins in the folder behind the link.
    manifest.write(manifest.read(tmp_path / "link" / "labels.csv"), tmp_path / "labels.csv")
    manifest.read(tmp_path / "labels.csv").require_files()


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_a_link_to_photographs_stays_in_their_paths(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "photos").symlink_to(tmp_path / "elsewhere")
    labels = manifest.of_rows(tmp_path / "project" / "photos", [Row("a.jpg", 1)])
    manifest.write(labels, tmp_path / "project" / "labels.csv")
    (row,) = manifest.read(tmp_path / "project" / "labels.csv").rows
    assert row.image == "photos/a.jpg"


@given(
    st.lists(
        st.builds(
            Row,
            st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8),
            st.integers(0, 4),
            quality=st.sampled_from(["", "good", "über, alles", 'a "b"', "一\n二"]),
            gradable=st.sampled_from([None, True, False]),
            other=st.fixed_dictionaries({"note": st.sampled_from(["", "x", "0", ";"])}),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_rows_survive_a_file(tmp_path_factory, rows):
    folder = tmp_path_factory.getbasetemp()
    columns = ("image", "grade", "quality", "gradable", "note")
    before = Manifest(folder / "x.csv", columns, tuple(rows), "")
    manifest.write(before, folder / "any-rows.csv", overwrite=True)
    after = manifest.read(folder / "any-rows.csv")
    for one, other in zip(before.rows, after.rows, strict=True):
        assert [one.text(c) for c in columns] == [other.text(c) for c in columns]
