"""``fundoscope data split``."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.data import manifest as manifests
from fundoscope.data.leaks import require_apart

Command = Callable[..., Any]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    lines = [f"{i}_{eye}.jpg,{i % 5},p{i}\n" for i in range(100) for eye in ("l", "r")]
    path.write_text("image,grade,patient\n" + "".join(lines))
    return path


def test_shares(fundoscope: Command, table: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    out = tmp_path / "split.csv"
    said = fundoscope("data", "split", table, "--out", out)
    assert said.code == 0
    assert said.out.splitlines() == [
        "grade            0       1       2       3       4     all",
        "train           28      28      28      28      28     140",
        "val              4       4       4       4       4      20",
        "test             8       8       8       8       8      40",
    ]
    require_apart(manifests.read(out).rows, "split.csv")
    again = tmp_path / "again.csv"
    fundoscope("data", "split", table, "--out", again)
    assert again.read_bytes() == out.read_bytes()


def test_patients_in_capitals_stay_together(
    fundoscope: Command, table: Path, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    table.write_text(table.read_text().replace("image,grade,patient", "Image,Grade,Patient"))
    out = tmp_path / "split.csv"
    assert fundoscope("data", "split", table, "--out", out).code == 0
    splits: dict[str, set[str]] = {}
    for row in manifests.read(out).rows:
        splits.setdefault(row.patient, set()).add(row.split)
    assert len(splits) == 100
    assert all(len(of_patient) == 1 for of_patient in splits.values())


def test_photographs_of_unknown_patients_are_counted(
    fundoscope: Command, table: Path, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    out = tmp_path / "split.csv"
    assert "patient" not in fundoscope("data", "split", table, "--out", out).err
    table.write_text(table.read_text().replace(",p1\n", ",NA\n"))
    said = fundoscope("data", "split", table, "--out", out, "--overwrite")
    assert said.code == 0
    assert "2 of 200 photographs name neither patient nor group" in said.err


def test_columns_by_other_names_are_reported(
    fundoscope: Command, table: Path, tmp_path: Path
) -> None:
    pytest.importorskip("sklearn")
    text = table.read_text()
    table.write_text(text.replace("patient", "patient_id"))
    said = fundoscope("data", "split", table, "--out", tmp_path / "split.csv")
    assert said.code == 2
    assert "labels.csv, column 'patient_id': is not used" in said.err
    lines = text.splitlines()
    table.write_text("\n".join([f"{lines[0]},dataset", *(f"{line},x" for line in lines[1:])]))
    said = fundoscope("data", "split", table, "--out", tmp_path / "split.csv")
    assert said.code == 0
    assert "note: labels.csv, column dataset: is not used; name it source" in said.err


def test_folds_of_class_folders(fundoscope: Command, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    for grade in range(5):
        for number in range(4):
            photograph = tmp_path / "folders" / str(grade) / f"{number}.jpg"
            photograph.parent.mkdir(parents=True, exist_ok=True)
            photograph.touch()
    out = tmp_path / "split.csv"
    said = fundoscope("data", "split", tmp_path / "folders", "--folds", "2", "--out", out)
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == ["grade", "fold1", "fold2"]
    manifests.read(out).require_files()


@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (("--folds", "3", "--test", "0.2"), 2, "--folds: cannot be combined with --test or --val"),
        (("--test", "0.9", "--val", "0.1"), 2, "leave nothing to train on"),
        (("--folds", "1"), 2, "is out of bounds"),
        (("--out", "labels.xlsx"), 2, "end it in .csv or .parquet"),
    ],
)
def test_misuse(
    fundoscope: Command,
    table: Path,
    tmp_path: Path,
    options: tuple[str, ...],
    code: int,
    complaint: str,
) -> None:
    pytest.importorskip("sklearn")
    out = () if "--out" in options else ("--out", tmp_path / "split.csv")
    said = fundoscope("data", "split", table, *out, *options)
    assert said.code == code
    assert complaint in said.err
    assert not (tmp_path / "split.csv").exists()


def test_nothing_is_overwritten_unasked(fundoscope: Command, table: Path) -> None:
    pytest.importorskip("sklearn")
    before = table.read_bytes()
    said = fundoscope("data", "split", table, "--out", table)
    assert said.code == 2
    assert table.read_bytes() == before
    assert fundoscope("data", "split", table, "--out", table, "--overwrite").code == 0
    assert manifests.read(table).columns == ("image", "grade", "patient", "split")


def test_without_scikit_learn(
    fundoscope: Command, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    said = fundoscope("data", "split", table, "--out", tmp_path / "split.csv")
    assert said.code == 2
    assert 'pip install "fundoscope[evaluate]"' in said.err
