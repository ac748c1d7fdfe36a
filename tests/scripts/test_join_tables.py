"""``scripts/join_tables.py``: one table from several, with or without the same columns."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def join(
    load_script: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[dict[str, str]], list[dict[str, str]]]:
    """Join tables, by name and content; the rows of the result."""

    def rows(tables: dict[str, str]) -> list[dict[str, str]]:
        for name, text in tables.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        paths = [str(tmp_path / name) for name in tables]
        out = tmp_path / "all.csv"
        monkeypatch.setattr(sys, "argv", ["join_tables.py", "--out", str(out), *paths])
        load_script("join_tables.py").main()
        with out.open(newline="") as file:
            return list(csv.DictReader(file))

    return rows


def test_columns_that_a_table_lacks_stay_empty(
    join: Callable[[dict[str, str]], list[dict[str, str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    first = "image,grade,source,split\n1.png,0,a,train\n2.png,1,a\n"
    rows = join({"first.csv": first, "second/labels.csv": "image,grade\n3.png,2\n"})
    assert [row["image"] for row in rows] == ["1.png", "2.png", "second/3.png"]
    assert [(row["source"], row["split"]) for row in rows] == [("a", "train"), ("a", ""), ("", "")]
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert printed == [["1"], ["a", "1"], ["a", "train", "1"]]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("photo,grade\n1.png,0\n", "has no column image"),
        ("image,grade\n1.png,0,7\n", "row 1 has more cells than the header"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(
    join: Callable[[dict[str, str]], list[dict[str, str]]], tmp_path: Path, text: str, why: str
) -> None:
    with pytest.raises(SystemExit, match=why):
        join({"first.csv": text})
    assert not (tmp_path / "all.csv").exists()
