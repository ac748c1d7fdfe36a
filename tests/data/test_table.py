"""A CSV table as text."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope import limits
from fundoscope.data import table as tables
from fundoscope.data.table import read_table
from fundoscope.errors import TableError


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "t.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_header_rows_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    data = '\ufeffa, b\r\n1,"x\ny"\n\n , \n 2 ,\n'.encode()
    path.write_bytes(data)
    table = read_table(path, required=("a",))
    assert table.columns == ("a", "b")
    assert table.rows == ((2, {"a": "1", "b": "x\ny"}), (6, {"a": "2", "b": ""}))
    assert table.cells == {"a": ["1", "2"], "b": ["x\ny", ""]}
    assert table.place(1, "b") == "t.csv, line 6, column b"
    assert table.sha256 == hashlib.sha256(data).hexdigest()


def test_blank_columns_and_rows_at_the_end_as_in_the_official_idrid_tables(written) -> None:
    text = "Image name,Retinopathy grade,Risk of macular edema ,,,\r\nIDRiD_001,3,2,,,\r\n"
    table = read_table(written(text + ",,,,,\r\n" * 3), required=("Image name",))
    assert table.columns == ("Image name", "Retinopathy grade", "Risk of macular edema")
    assert table.rows == (
        (
            2,
            {"Image name": "IDRiD_001", "Retinopathy grade": "3", "Risk of macular edema": "2"},
        ),
    )


def test_rows_may_be_longer_than_the_header_by_blanks(written) -> None:
    assert read_table(written("a,b\n1,2,, ,\n"), required=()).rows == ((2, {"a": "1", "b": "2"}),)


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("a,b\n1,2,,3\n", "t.csv, line 2: has 4 cells where the header has 2"),
        ("a,b\n1,2\n3\n", "t.csv, line 3: has 1 cells where the header has 2"),
        ("a,,b\n1,,2\n3,x,4\n", "t.csv, line 3, column 2: has a cell, but the header gives"),
        ("a,b,a\n1,2,3\n", "t.csv, line 1, column a: appears 2 times"),
        ("b,,c\n1,,2\n", "has no column a (it has: b, c)"),
        ('a\n"x\n', "is not CSV"),
        ('a\n"x"y\n', "is not CSV"),
        ("a\n \n", "has no rows below its header"),
        (" \r\n", "is empty"),
    ],
)
def test_what_is_wrong_is_reported_with_its_place(written, text: str, reported: str) -> None:
    with pytest.raises(TableError) as caught:
        read_table(written(text), required=("a",))
    assert reported in str(caught.value)


def test_a_table_in_the_encoding_of_a_chinese_windows(written) -> None:
    with pytest.raises(TableError, match=r"is not UTF-8 text \(byte 6\); save it as CSV in UTF-8"):
        read_table(written("a\n微血管瘤\n", "gb18030"), required=("a",))


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=|", "sep=\t", "sep=,;;"])
def test_the_first_line_that_tells_excel_the_separator_is_no_header(written, first: str) -> None:
    mark = first.strip('"').rstrip(";")[4:] or ";"
    rows = ["image,grade".replace(",", mark), f'"a{mark}, b.jpg"{mark}2']
    table = read_table(written("\r\n".join([first, *rows, ""])), required=("image",))
    assert table.rows == ((3, {"image": f"a{mark}, b.jpg", "grade": "2"}),)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16"])
def test_utf_16_with_and_without_its_mark(written, encoding: str) -> None:
    table = read_table(written("image,grade,患者\na.jpg,2,王\n", encoding), required=("image",))
    assert table.rows == ((2, {"image": "a.jpg", "grade": "2", "患者": "王"}),)


def test_another_delimiter(written) -> None:
    table = read_table(written("left;right\na,b;c\n"), required=("left",), delimiter=";")
    assert table.rows == ((2, {"left": "a,b", "right": "c"}),)


def test_more_rows_than_a_block(written, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BLOCK", 3)
    table = read_table(written("a\n" + "".join(f"{i}\n\n" for i in range(10))), required=())
    assert table.cells["a"] == [str(i) for i in range(10)]
    assert table.lines == list(range(2, 22, 2))


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n2\n3\n")
    monkeypatch.setattr(limits, "MAX_TABLE_ROWS", 2)
    with pytest.raises(TableError, match="has more than 2 rows"):
        read_table(path, required=("a",))
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 3)
    with pytest.raises(TableError, match="split it into smaller tables"):
        read_table(path, required=("a",))


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        read_table(tmp_path, required=("a",))


def test_every_required_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")
    with pytest.raises(TableError, match=r"has no column b .*name the columns a and b"):
        read_table(path, required=("a", "b"))


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(["\n", "\r\n"]))
def test_what_any_program_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], end: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(text.getvalue().encode("utf-8-sig"))
    filled = [(a.strip(), b.strip()) for a, b in rows if a.strip() or b.strip()]
    if not filled:
        return
    table = read_table(path, required=("a", "b"))
    assert list(zip(table.cells["a"], table.cells["b"], strict=True)) == filled
