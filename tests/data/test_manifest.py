from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.data import manifest
from fundoscope.data.manifest import Row
from fundoscope.errors import TableError

REAL = Path(__file__).parents[3] / "shared" / "data" / "grading" / "grading.csv"


@pytest.fixture
def table(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "labels.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_a_small_table(table):
    found = manifest.read(table("image,grade,patient,note\na.jpg,3,p1,seen twice\nb.jpg,0,,\n"))
    assert found.columns == ("image", "grade", "patient", "note")
    assert found.rows == (
        Row("a.jpg", 3, patient="p1", other={"note": "seen twice"}, line=2),
        Row("b.jpg", 0, other={"note": ""}, line=3),
    )
    assert found.photograph(found.rows[0]) == found.path.parent / "a.jpg"
    assert len(found.sha256) == 64


def test_every_cell_comes_out_as_it_went_in(table):
    found = manifest.read(table("image,grade,gradable,camera,x\na.jpg,3,1,C,y\nb.jpg,0,,,\n"))
    cells = [[row.text(name) for name in found.columns] for row in found.rows]
    assert cells == [["a.jpg", "3", "1", "C", "y"], ["b.jpg", "0", "", "", ""]]
    assert found.rows[0].text("no such column") == ""


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("image,grade\na.jpg,7\n", "labels.csv, line 2, column grade: is '7'"),
        ("image,grade\na.jpg,2\n\nb.jpg,\n", "labels.csv, line 4, column grade: is ''"),
        ("image,grade\na.jpg,-1\n", "line 2, column grade"),
        ("image,grade\na.jpg,2.0\n", "line 2, column grade"),
        ("image,grade\n,2\n", "line 2, column image: names no photograph"),
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
    found = manifest.read(table("image,grade\r\n眼 1.jpg , 2\r\n,\r\n", encoding))
    assert found.columns == ("image", "grade")
    assert found.rows == (Row("眼 1.jpg", 2, line=2),)


def test_missing_files_are_counted_and_the_first_named(table, tmp_path):
    found = manifest.read(
        table("image,grade,split\na.jpg,0,\nb.jpg,0,\nc.jpg,0,\nd.jpg,0,excluded\n")
    )
    (tmp_path / "a.jpg").touch()
    with pytest.raises(TableError, match=r"line 3, column image: .*b\.jpg.*2 missing"):
        found.require_files()
    for name in "bc":
        (tmp_path / f"{name}.jpg").touch()
    found.require_files()


def test_rows_of_a_split(table):
    found = manifest.read(table("image,grade,split\na,0,test\nb,1,train\nc,2,test\n"))
    assert [row.image for row in found.of_split("test")] == ["a", "c"]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_a_table_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"image,grade\n" + data)
    try:
        found = manifest.read(path)
    except TableError:
        return
    assert all(0 <= row.grade <= 4 for row in found.rows)


@pytest.mark.skipif(not REAL.exists(), reason="the real data are not here")
def test_the_real_table():
    found = manifest.read(REAL)
    assert len(found.rows) == 8152
    assert len(found.of_split("test")) == 1638
