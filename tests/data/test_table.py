"""A CSV table as text."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from fundoscope import limits
from fundoscope.data.table import read_table
from fundoscope.errors import TableError


def test_header_rows_and_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    data = '\ufeffa, b\r\n1,"x\ny"\n\n , \n 2 ,\n'.encode()
    path.write_bytes(data)
    table = read_table(path, required=("a",))
    assert table.columns == ("a", "b")
    assert table.rows == ((2, {"a": "1", "b": "x\ny"}), (6, {"a": "2", "b": ""}))
    assert table.sha256 == hashlib.sha256(data).hexdigest()


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
