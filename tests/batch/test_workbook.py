"""``readings.xlsx``: the table that a clinic opens in Excel."""

from __future__ import annotations

import errno
import gc
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope import checksums
from fundoscope.batch import summary

Save = Callable[..., Path]
Command = Callable[..., Any]

has_extra = all(importlib.util.find_spec(name) for name in ("xlsxwriter", "openpyxl"))
needs_excel = pytest.mark.skipif(not has_extra, reason="needs the extra [excel]")


def sheet_of(path: Path) -> Any:
    import openpyxl

    (sheet,) = openpyxl.load_workbook(path).worksheets
    return sheet


@pytest.fixture
def eyes(tmp_path: Path, save_eye: Save) -> Path:
    """A list of five photographs: referable, well, damaged, and two with odd names."""
    for shade, name in enumerate(("a_g3_lesions.jpg", "b_g0.jpg", "=cmd_g1.jpg", "00012_g2.jpg")):
        save_eye(tmp_path / "eyes" / name, shade=shade)
    (tmp_path / "eyes" / "c.jpg").write_bytes(b"")
    lines = [
        "image,patient,eye",
        "a_g3_lesions.jpg,007,left",
        "b_g0.jpg,007,right",
        "c.jpg,Müller,",
    ]
    lines += ['=cmd_g1.jpg,"=HYPERLINK(""http://x"")",@left', "00012_g2.jpg,1e5,+1"]
    (tmp_path / "eyes" / "eyes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "eyes" / "eyes.csv"


@needs_excel
def test_the_workbook_holds_what_the_summary_holds(
    eyes: Path, tmp_path: Path, fundoscope: Command
) -> None:
    out = tmp_path / "out"
    assert fundoscope("read", eyes, "--out", out, "--excel").code == 3
    sheet = sheet_of(out / "readings.xlsx")
    rows = [["" if cell.value is None else str(cell.value) for cell in row] for row in sheet.rows]
    assert rows == list(summary.read(out / "summary.csv"))
    assert len(rows) == 6
    (first,) = sheet.iter_rows(2, 2, values_only=True)
    assert first[:7] == (1, "a_g3_lesions.jpg", "007", "left", "yes", "3 severe NPDR", 80)
    run = json.loads((out / "run.json").read_text())
    assert run["arguments"]["excel"] is True
    assert "readings.xlsx" in run["files_sha256"]
    assert checksums.verify(out).faults == ()


@needs_excel
def test_no_text_becomes_a_formula_a_link_or_a_number(
    eyes: Path, tmp_path: Path, fundoscope: Command
) -> None:
    fundoscope("read", eyes, "--out", tmp_path / "out", "--excel")
    sheet = sheet_of(tmp_path / "out" / "readings.xlsx")
    cells = [cell for row in sheet.iter_rows(2) for cell in row]
    numbers = {cell.column_letter for cell in cells if cell.data_type == "n" and cell.value}
    assert numbers <= {"A", "G", "H"}
    assert {cell.data_type for cell in cells} <= {"n", "s"}
    assert not [cell for cell in cells if str(cell.value).startswith(("=", "+", "-", "@"))]
    assert not [cell for cell in cells if cell.hyperlink]


@needs_excel
def test_a_person_sees_what_matters(eyes: Path, tmp_path: Path, fundoscope: Command) -> None:
    """The header stays, columns fit, and referable and ungraded rows look unlike the others."""
    fundoscope("read", eyes, "--out", tmp_path / "out", "--excel")
    sheet = sheet_of(tmp_path / "out" / "readings.xlsx")
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:N6"
    assert sheet.column_dimensions["B"].width > len("a_g3_lesions.jpg")
    assert all(sheet.column_dimensions[letter].width <= 62 for letter in "ABCDEFGHIJKL")
    looks = {sheet.cell(row, 5).value: _look(sheet, row) for row in range(2, 7)}
    assert looks["yes"] == ("FFFCE4D6", True, False)
    assert looks["no"] == ("00000000", False, False)
    assert looks[summary.NOT_GRADED] == ("FFFFF2CC", False, True)


def _look(sheet: Any, row: int) -> tuple[str, bool, bool]:
    (look,) = {
        (cell.fill.fgColor.rgb, bool(cell.font.bold), bool(cell.font.italic)) for cell in sheet[row]
    }
    return look


@needs_excel
def test_equal_readings_give_equal_workbooks(
    eyes: Path, tmp_path: Path, fundoscope: Command
) -> None:
    for out in ("one", "two"):
        fundoscope("read", eyes, "--out", tmp_path / out, "--excel")
    one, two = (tmp_path / out / "readings.xlsx" for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


@needs_excel
def test_a_run_without_it_leaves_no_earlier_one(
    eyes: Path, tmp_path: Path, fundoscope: Command
) -> None:
    out = tmp_path / "out"
    fundoscope("read", eyes, "--out", out, "--excel")
    assert "readings.xlsx" in fundoscope("read", eyes, "--out", out, "--excel").err
    fundoscope("read", eyes, "--out", out, "--overwrite")
    assert not (out / "readings.xlsx").exists()


@needs_excel
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_full_disk_leaves_the_earlier_results(
    eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import xlsxwriter

    out = tmp_path / "out"
    fundoscope("read", eyes, "--out", out, "--excel")
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(self: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(xlsxwriter.Workbook, "_store_workbook", full)
    said = fundoscope("read", eyes, "--out", out, "--excel", "--overwrite")
    gc.collect()  # XlsxWriter leaves a temporary file open.
    assert said.code == 1
    assert "readings.xlsx: cannot be written (No space left on device)" in said.err
    after = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert after == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["eyes", "out"]


def test_it_needs_a_folder_and_the_extra(
    eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = fundoscope("read", eyes, "--excel")
    assert (said.code, "--excel: needs a folder of results" in said.err) == (2, True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    said = fundoscope("read", eyes, "--out", tmp_path / "out", "--excel")
    assert said.code == 2
    assert 'needs the optional part [excel]; install it with: pip install "fundoscope[excel]"' in (
        said.err
    )
    assert not (tmp_path / "out").exists()


@needs_excel
def test_more_photographs_than_a_sheet_has_rows(
    eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fundoscope.batch.workbook.MOST_ROWS", 4)
    said = fundoscope("read", eyes, "--out", tmp_path / "out", "--excel")
    assert (said.code, "holds at most 4 photographs" in said.err) == (2, True)
