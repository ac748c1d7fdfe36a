"""Label tables and lists in Excel's workbooks."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fundoscope import limits
from fundoscope.batch.inputs import gather
from fundoscope.data import manifest
from fundoscope.data.importers import label_table
from fundoscope.data.table import read_table
from fundoscope.errors import MissingExtraError, TableError

needs_openpyxl = pytest.mark.skipif(
    importlib.util.find_spec("openpyxl") is None, reason="needs the extra [excel]"
)


def write(path: Path, *sheets: list[list[Any]]) -> Path:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


@needs_openpyxl
def test_a_label_table(tmp_path: Path) -> None:
    rows = [["image", "Grade", "patient", "gradable", "seen"], ["a.jpg", 2, "007", True, None]]
    rows += [[None] * 5, ["b.jpg", 0.0, 12, None, datetime(2026, 11, 29)]]
    other = [["image", "grade"], ["c.jpg", 4]]
    table = manifest.read(write(tmp_path / "labels.xlsx", rows, other))
    first, second = table.rows
    assert (first.image, first.grade, first.patient, first.gradable) == ("a.jpg", 2, "007", True)
    assert (second.image, second.grade, second.patient) == ("b.jpg", 0, "12")
    assert (second.other["seen"], second.line) == ("2026-11-29", 4)


@needs_openpyxl
def test_a_list_for_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    path = write(tmp_path / "list.xlsx", [["Filename", "Patient ID"], ["a", 5]])
    (photograph,) = gather([path]).photographs
    assert (photograph.path, photograph.patient) == (tmp_path / "a.jpg", "5")


@needs_openpyxl
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["image", "grade"], ["a.jpg", 2.5]], "row 2, column grade: is '2.5', not a grade"),
        ([["image", "grade"], ["a.jpg", None]], "row 2, column grade: is '', not a grade"),
        ([["image", "grade"], [None, 2]], "row 2, column image: does not name a photograph"),
        ([["image", "grade"], ["a.jpg", 2, "x"]], "row 2: has 3 cells where the header has 2"),
        ([["image", "grade", None, "n"], ["a.jpg", 2, "x"]], "row 2, column 3: has a cell, but"),
        ([["photo", "dr"], ["a.jpg", 2]], "row 1: has no column image .it has: photo, dr."),
        ([["image", "image", "grade"], ["a", "b", 1]], "row 1, column image: appears 2 times"),
        ([["image", "grade"]], "has no rows below its header"),
        ([[]], "row 1: has no column image"),
        ([["image", "grade"], ["a.jpg", "=1+1"]], "row 2, column 2: holds a formula without a"),
        ([["image", "grade"], ["a.jpg", "#REF!"]], "row 2, column 2: holds the error #REF!"),
    ],
)
def test_errors_name_the_row_as_the_program_shows_it(
    tmp_path: Path, rows: list[list[Any]], message: str
) -> None:
    path = write(tmp_path / "labels.xlsx", rows)
    with pytest.raises(TableError, match=f"labels.xlsx,? ?{message}|labels.xlsx: {message}"):
        manifest.read(path)


@needs_openpyxl
def test_the_import_takes_workbooks_but_not_excels_lock_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    write(tmp_path / "labels.xlsx", [["id_code", "diagnosis"], ["a", 3]])
    (tmp_path / "~$labels.xlsx").write_bytes(b"lock")
    table = label_table.read(tmp_path).table
    assert table is not None
    assert [(row.image, row.grade) for row in table.rows] == [("a.jpg", 3)]


@needs_openpyxl
def test_a_coloured_row_does_not_count_as_wide(tmp_path: Path) -> None:
    import openpyxl
    from openpyxl.styles import PatternFill

    path = write(tmp_path / "labels.xlsx", [["image", "grade"], ["a.jpg", 1]])
    book = openpyxl.load_workbook(path)
    book.active.cell(2, limits.MAX_TABLE_COLUMNS + 9).fill = PatternFill("solid", fgColor="FF0000")
    book.save(path)
    assert manifest.read(path).rows[0].grade == 1


@needs_openpyxl
def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "labels.xlsx", [["image", "grade"], ["a.jpg", 1]])
    monkeypatch.setattr("fundoscope.data.files.workbook.MAX_ROWS", 1)
    with pytest.raises(TableError, match="too many rows or columns"):
        manifest.read(path)
    monkeypatch.setattr(limits, "MAX_TABLE_BYTES", 10_000)
    assert path.stat().st_size < 10_000
    with pytest.raises(TableError, match="MiB unpacked"):
        manifest.read(path)


def archive(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        for name, text in members.items():
            file.writestr(name, text)
    return stream.getvalue()


@needs_openpyxl
@pytest.mark.parametrize("data", [archive(a="x"), archive(**{"[Content_Types].xml": "<x"})])
def test_an_archive_that_is_no_workbook(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "labels.xlsx").write_bytes(data)
    with pytest.raises(TableError, match=r"is not a workbook or is damaged.*CSV UTF-8"):
        read_table(tmp_path / "labels.xlsx", required=())


@needs_openpyxl
def test_every_damaged_workbook_is_one_clear_error(tmp_path: Path) -> None:
    data = bytearray(write(tmp_path / "labels.xlsx", [["image", "grade"], ["a", 1]]).read_bytes())
    for place in range(0, len(data), 97):
        damaged = bytes(data[:place]) + b"\xff" + bytes(data[place + 1 :])
        (tmp_path / "damaged.xlsx").write_bytes(damaged)
        try:
            table = read_table(tmp_path / "damaged.xlsx", required=())
        except TableError:
            continue
        assert table.cells == {"image": ["a"], "grade": ["1"]}


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels.xlsx").write_bytes(archive(a="x"))
    (tmp_path / "labels.csv").write_text("image,grade\na,3\n")
    (tmp_path / "a.jpg").write_bytes(b"x")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"\[excel\]; install .*; or .* as CSV UTF-8"):
        read_table(tmp_path / "labels.xlsx", required=())
    imported = label_table.read(tmp_path)
    assert imported.table is not None
    assert any("skipped: labels.xlsx: needs the optional" in note for note in imported.notes)


@needs_openpyxl
def test_a_patient_merged_over_both_eyes_is_the_patient_of_both(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["image", "grade", "patient"])
    sheet.merge_cells("A1:A2")  # A header over two rows is no photograph.
    for row in (None, None, None), ("a.jpg", 2, "P1"), ("b.jpg", 0, None), (None, None, None):
        sheet.append(row)
    sheet.append(("c.jpg", 1, None))
    sheet.append(("d.jpg", 1, None))
    sheet.merge_cells("C3:C5")
    book.save(tmp_path / "labels.xlsx")
    table = manifest.read(tmp_path / "labels.xlsx")
    patients = [(row.image, row.patient) for row in table.rows]
    assert patients == [("a.jpg", "P1"), ("b.jpg", "P1"), ("c.jpg", ""), ("d.jpg", "")]


@needs_openpyxl
def test_a_hidden_sheet_is_not_the_table(tmp_path: Path) -> None:
    import openpyxl

    path = write(
        tmp_path / "labels.xlsx",
        [["image", "grade"], ["old.jpg", 4]],
        [["image", "grade"], ["a.jpg", 1]],
    )
    book = openpyxl.load_workbook(path)
    book.worksheets[0].sheet_state = "hidden"
    book.active = 1
    book.save(path)
    assert [row.image for row in manifest.read(path).rows] == ["a.jpg"]
