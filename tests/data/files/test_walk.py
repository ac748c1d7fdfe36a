"""The files in a folder and below."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fundoscope.data.annotations import formats
from fundoscope.data.annotations.pictures import Pictures
from fundoscope.data.class_folders import from_class_folders
from fundoscope.data.files.walk import files_below
from fundoscope.data.importers.source import files_named
from fundoscope.errors import TableError

VOC = (
    "<annotation><filename>a.jpg</filename>"
    "<size><width>9</width><height>9</height></size></annotation>"
)


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders called ``locked`` cannot be opened: as root, permissions do not hold."""
    scandir = os.scandir

    def refusing(path: str | Path) -> Iterator[os.DirEntry[str]]:
        if Path(path).name == "locked":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)


def test_hidden_files_and_folders_of_the_system_are_skipped(tmp_path: Path) -> None:
    names = ("a", "b/c", ".hidden/d", "b/.e", "lost+found/f", "$RECYCLE.BIN/g")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = {path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)}
    assert found == {"a", "b/c"}


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(
    "reads",
    [
        from_class_folders,
        Pictures.of,
        lambda folder: files_named(folder, "*.csv"),
        lambda folder: formats.read(folder, form="voc"),
        lambda folder: formats.read(folder, form="yolo"),
        lambda folder: formats.read(folder, form="masks"),
    ],
)
def test_a_folder_that_cannot_be_opened_is_not_an_empty_one(
    tmp_path: Path, reads: Callable[[Path], object]
) -> None:
    (tmp_path / "2" / "locked").mkdir(parents=True)
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "a.jpg").touch()
    (tmp_path / "a.xml").write_text(VOC)
    (tmp_path / "a.txt").touch()
    with pytest.raises(TableError, match=r"locked: cannot be opened \(Permission denied\)"):
        reads(tmp_path)


def test_documents_of_voc_with_a_suffix_in_capitals_are_read(tmp_path: Path) -> None:
    (tmp_path / "A.XML").write_text(VOC)
    assert [photo.image for photo in formats.read(tmp_path, form="voc").photos] == ["a.jpg"]
