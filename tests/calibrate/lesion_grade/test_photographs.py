"""Features of lesions, kept in a cache between two fits."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fundoscope.calibrate.lesion_grade import photographs
from fundoscope.calibrate.lesion_grade.photographs import Looked
from fundoscope.data import manifest as manifests
from fundoscope.data.manifest import Manifest

NETWORKS: Any = SimpleNamespace(
    detector=SimpleNamespace(manifest={"name": "detector"}),
    landmarker=SimpleNamespace(manifest={"name": "landmarks"}),
    grader=SimpleNamespace(manifest={"name": "grader"}),
)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The photographs that were read; the feature of one is the size of its file."""
    names: list[str] = []

    def of_size(path: Path, image: str, networks: object) -> Looked:
        names.append(image)
        size = path.stat().st_size
        return Looked(image, {"size": float(size)}) if size else Looked(image, problem=("", ""))

    monkeypatch.setattr(photographs, "_look", of_size)
    return names


def table_of(folder: Path, **sizes: int) -> Manifest:
    folder.mkdir(exist_ok=True)
    for name, size in sizes.items():
        (folder / f"{name}.jpg").write_bytes(size * b"x")
    lines = [f"{name}.jpg,0" for name in sizes]
    (folder / "labels.csv").write_text("\n".join(["image,grade", *lines]) + "\n")
    return manifests.read(folder / "labels.csv")


def features(table: Manifest, cache: Path) -> list[Any]:
    return [each.features for each in photographs.look(table, table.rows, NETWORKS, cache)]


def test_a_photograph_is_read_once(tmp_path: Path, read: list[str]) -> None:
    table = table_of(tmp_path / "eyes", a=3, b=4)
    assert features(table, tmp_path / "cache") == [{"size": 3}, {"size": 4}]
    assert features(table, tmp_path / "cache") == [{"size": 3}, {"size": 4}]
    assert read == ["a.jpg", "b.jpg"]


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path, read: list[str]) -> None:
    table = table_of(tmp_path / "eyes", a=3, b=4)
    features(table, tmp_path / "cache")
    replaced = tmp_path / "eyes" / "a.jpg"
    replaced.write_bytes(b"yyyyy")
    later = (tmp_path / "eyes" / "b.jpg").stat().st_mtime_ns + 1_000_000
    os.utime(tmp_path / "eyes" / "b.jpg", ns=(later, later))  # of the same size, written later
    assert features(table, tmp_path / "cache") == [{"size": 5}, {"size": 4}]
    assert read == ["a.jpg", "b.jpg", "a.jpg", "b.jpg"]


def test_photographs_of_one_name_in_two_folders(tmp_path: Path, read: list[str]) -> None:
    features(table_of(tmp_path / "left", a=3), tmp_path / "cache")
    assert features(table_of(tmp_path / "right", a=4), tmp_path / "cache") == [{"size": 4}]


def test_what_could_not_be_read_is_tried_again(tmp_path: Path, read: list[str]) -> None:
    table = table_of(tmp_path / "eyes", a=0)
    features(table, tmp_path / "cache")
    features(table, tmp_path / "cache")
    assert read == ["a.jpg", "a.jpg"]


def test_a_line_that_a_stop_cut_off_is_read_again(tmp_path: Path, read: list[str]) -> None:
    table = table_of(tmp_path / "eyes", a=3)
    features(table, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").iterdir()
    kept.write_text(kept.read_text()[:20])
    assert features(table, tmp_path / "cache") == [{"size": 3}]
    assert read == ["a.jpg", "a.jpg"]
