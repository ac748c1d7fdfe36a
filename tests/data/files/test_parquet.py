"""Tables in Parquet."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from fundoscope import limits
from fundoscope.data import manifest
from fundoscope.data.files import parquet, parquet_child
from fundoscope.data.files.parquet_child import Bounds
from fundoscope.data.table import read_table
from fundoscope.errors import MissingExtraError, TableError

pl = pytest.importorskip("polars")


@pytest.fixture
def table(tmp_path: Path):
    def write(columns: dict[str, list[object]], name: str = "labels.parquet") -> Path:
        path = tmp_path / name
        pl.DataFrame(columns, strict=False).write_parquet(path)
        return path

    return write


def test_numbers_truth_and_nothing_become_text(table) -> None:
    path = table(
        {
            "image": ["a.jpg", " 眼 b.jpg "],
            "grade": [3.0, 0.0],
            "gradable": [True, None],
            "dme": [None, 2.0],
            "score": [0.25, float("nan")],
            "note": ["x", None],
        }
    )
    labels = manifest.read(path)
    assert [[row.text(name) for name in labels.columns] for row in labels.rows] == [
        ["a.jpg", "3", "1", "", "0.25", "x"],
        ["眼 b.jpg", "0", "", "2", "NaN", ""],
    ]
    assert [row.line for row in labels.rows] == [1, 2]


def test_a_wrong_row_is_told_by_its_number(table) -> None:
    with pytest.raises(TableError, match=r"labels\.PQ, row 2, column grade: is '7'"):
        manifest.read(table({"image": ["a", "b"], "grade": [1, 7]}, "labels.PQ"))


def test_a_missing_photograph_is_told_by_its_row(table) -> None:
    labels = manifest.read(table({"image": ["a.jpg"], "grade": [1]}))
    with pytest.raises(TableError, match="row 1, column image"):
        labels.require_files()


@pytest.mark.parametrize(
    ("columns", "reported"),
    [
        (
            {"image": ["a"], "level": [1]},
            "labels.parquet: has no column grade (it has: image, level)",
        ),
        ({"image": [], "grade": []}, "has no rows"),
        ({"image": ["a"], "grade": [[1, 2]]}, "column grade: holds List"),
        ({"image": ["a"], "grade": [b"1"]}, "column grade: holds Binary"),
    ],
)
def test_what_is_not_a_label_table(table, columns: dict[str, list[object]], reported: str) -> None:
    with pytest.raises(TableError) as caught:
        manifest.read(table(columns))
    assert reported in str(caught.value)


def test_damaged_files(table) -> None:
    path = table({"image": ["a"], "grade": [1]})
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:-4] + b"none", b"image,grade\n", whole[20:]):
        path.write_bytes(damaged)
        with pytest.raises(TableError, match="is not Parquet or is damaged"):
            manifest.read(path)


CASES = 300
READS_ALL = """
import pathlib, sys
import msgspec
from fundoscope.data.files import parquet_child
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.parquet")):
    answer = path.with_suffix(".answer")
    if not answer.exists():
        answer.write_bytes(b"")  # what is left if the library ends this process
        said = parquet_child.answer_to("t", path.read_bytes(), parquet_child.Bounds.usual())
        answer.write_bytes(msgspec.msgpack.encode(said))
"""


def test_any_bytes_are_a_table_or_a_table_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many files in one child, because starting one takes half a second. Some end it."""
    rng = random.Random(20261129)
    data = parquet.to_bytes(["image", "grade"], [["a", "1"], ["b", "2"]])
    for number in range(CASES):
        at, noise = rng.randrange(len(data)), rng.randbytes(rng.randint(1, 4))
        damaged = data[:at] + noise + data[at + len(noise) :]
        (tmp_path / f"{number:03}.parquet").write_bytes(damaged)
    command = [sys.executable, "-c", READS_ALL, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    answers = list[Path]()
    while subprocess.run(
        command, check=False, env=environment, stderr=subprocess.DEVNULL
    ).returncode:
        before, answers = len(answers), list(tmp_path.glob("*.answer"))
        assert len(answers) > before, "the child ends before it reads a file"
    answers = sorted(tmp_path.glob("*.answer"))
    assert len(answers) == CASES
    for answer in answers:
        said = answer.read_bytes()
        monkeypatch.setattr(parquet, "_said", lambda title, data, said=said: said)
        try:
            labels = manifest.read(answer.with_suffix(".parquet"))
        except TableError:
            continue
        assert all(0 <= row.grade <= 4 for row in labels.rows)


def test_bounds(table, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table({"image": ["a", "b"], "grade": [1, 2]})
    monkeypatch.setattr(parquet.limits, "MAX_TABLE_COLUMNS", 1)
    with pytest.raises(TableError, match="more than 1 columns"):
        read_table(path, required=())
    monkeypatch.setattr(limits, "MAX_TABLE_ROWS", 1)
    with pytest.raises(TableError, match="more than 1 rows"):
        read_table(path, required=())


def test_without_polars(table, monkeypatch: pytest.MonkeyPatch) -> None:
    path = table({"image": ["a"], "grade": [1]})
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "fundoscope\[evaluate\]"'):
        manifest.read(path)


def test_a_table_that_ends_its_process_costs_only_that(
    table, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table({"image": ["a"], "grade": [1]})
    monkeypatch.setattr(parquet, "CHILD", "import os; os.abort()")
    with pytest.raises(TableError, match="the library that reads it failed"):
        read_table(path, required=())
    monkeypatch.setattr(parquet, "CHILD", "import time; time.sleep(60)")
    monkeypatch.setattr(parquet, "LEAST_S", 0.2)
    monkeypatch.setattr(limits, "MAX_TABLE_CELLS", 0)
    with pytest.raises(TableError, match="the library that reads it failed"):
        read_table(path, required=())


def test_the_child_answers(table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in this process, where coverage is measured."""
    data = table({"image": ["a"], "grade": [1]}).read_bytes()
    assert parquet_child.answer_to("t", data, Bounds.usual()).cells == {
        "image": ["a"],
        "grade": ["1"],
    }
    assert "cells" in str(parquet_child.answer_to("t", data, Bounds(9, 9, 1)).error)


def test_modules_of_the_current_folder_are_not_run(
    table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = table({"image": ["a"], "grade": [1]})
    (tmp_path / "polars.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert read_table(path, required=()).cells["image"] == ["a"]
