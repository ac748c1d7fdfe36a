"""``fundoscope data sort``, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.data import manifest as manifests

Command = Callable[..., Any]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    for name in ("a 1.jpg", "眼.png", "c.jpg"):
        (tmp_path / name).write_text(name)
    path = tmp_path / "labels.csv"
    path.write_text(
        "image,grade,split,patient\na 1.jpg,0,train,1\n眼.png,4,test,2\nc.jpg,4,excluded,2\n",
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("link", [(), ("--link", "hard"), ("--link", "symbolic")])
def test_there_and_back(
    fundoscope: Command, table: Path, tmp_path: Path, link: tuple[str, ...]
) -> None:
    out = tmp_path / "sorted"
    said = fundoscope("data", "sort", table, out, *link)
    assert said.code == 0
    assert said.out.splitlines() == [f"{out}/test/4: 1", f"{out}/train/0: 1"]
    assert said.complaints == ["1 excluded rows were left out"]
    back = tmp_path / "back.csv"
    assert fundoscope("data", "import", "class-folders", out, "--out", back).code == 0
    found = manifests.read(back)
    assert [(found.photograph(r).read_text(), r.grade, r.split) for r in found.rows] == [
        ("眼.png", 4, "test"),
        ("a 1.jpg", 0, "train"),
    ]
    assert {path.name for path in tmp_path.glob("*.*g")} == {"a 1.jpg", "眼.png", "c.jpg"}


def test_twice_is_refused(fundoscope: Command, table: Path, tmp_path: Path) -> None:
    assert fundoscope("data", "sort", table, tmp_path / "sorted").code == 0
    said = fundoscope("data", "sort", table, tmp_path / "sorted")
    assert said.code == 2
    assert "exists already; add --overwrite" in said.err
    assert fundoscope("data", "sort", table, tmp_path / "sorted", "--overwrite").code == 0


def test_another_kind_of_link(fundoscope: Command, table: Path, tmp_path: Path) -> None:
    assert fundoscope("data", "sort", table, tmp_path / "sorted", "--link", "magic").code == 2
