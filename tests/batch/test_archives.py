"""Photographs in archives, lists and patterns."""

from __future__ import annotations

import lzma
import random
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event

import faulty_readers  # beside this module, on the path that conftest.py extends
import pytest

from fundoscope import limits
from fundoscope.batch.inputs import gather
from fundoscope.batch.outcome import Outcome
from fundoscope.batch.run import run
from fundoscope.batch.sources.archives import Archives, members
from fundoscope.errors import PhotoError, TableError, UsageError

Save = Callable[..., Path]
NAMES = ("b_g3.png", "deep/a_g1.png", "deep/b_g3.png", "z_g0.png")


@pytest.fixture
def folder(tmp_path: Path, save_eye: Save) -> Path:
    for number, name in enumerate(NAMES):
        save_eye(tmp_path / "eyes" / name, shade=number)
    (tmp_path / "eyes" / "notes.txt").write_text("notes")
    (tmp_path / "eyes" / ".hidden.png").write_bytes(b"")
    return tmp_path / "eyes"


def packed(folder: Path, name: str) -> Path:
    """An archive of a folder, in the order of the names."""
    path, files = folder.parent / name, sorted(p for p in folder.rglob("*") if p.is_file())
    if name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.relative_to(folder))
    else:
        kind = {".gz": "gz", ".xz": "xz", ".tar": ""}[path.suffix]
        with tarfile.open(path, f"w:{kind}") as archive:  # type: ignore[call-overload]
            for file in files:
                archive.add(file, f"./{file.relative_to(folder)}")
    return path


def read(path: Path, out: Path | None, after: int = 99) -> list[Outcome]:
    """Read, and stop after some photographs."""
    stop, shown = Event(), list[Outcome]()

    def show(outcome: Outcome) -> None:
        shown.append(outcome)
        if len(shown) == after:
            stop.set()

    inputs, reader = gather([path]).photographs, faulty_readers.Obedient()
    run(inputs, reader, workers=1, show=show, stop=stop, out=out, pictures=False)
    return shown


@pytest.mark.parametrize("name", ["eyes.zip", "eyes.tar", "eyes.tar.gz", "eyes.tar.xz"])
def test_an_archive_reads_as_its_folder(name: str, folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, name)
    ours, theirs = (read(path, None) for path in (archive, folder))
    assert [each.reading for each in ours] == [each.reading for each in theirs]
    assert [each.input.image for each in ours] == [f"{archive}/{name}" for name in NAMES]
    inputs = gather([archive])
    assert inputs.passed_over == {".txt": 1}


@pytest.mark.parametrize("name", ["eyes.zip", "eyes.tar.gz"])
def test_a_run_over_an_archive_is_gone_on_with(name: str, folder: Path, tmp_path: Path) -> None:
    archive = packed(folder, name)
    read(archive, tmp_path / "whole")
    read(archive, tmp_path / "out", after=2)
    again = read(archive, tmp_path / "out")
    assert [each.input.path.name for each in again] == ["b_g3.png", "z_g0.png"]
    for table in ("readings.csv", "readings.jsonl", "summary.csv", "index.html"):
        assert (tmp_path / "out" / table).read_bytes() == (tmp_path / "whole" / table).read_bytes()


def test_archives_that_are_damaged_or_do_harm(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("eyes.zip", "eyes.tar"):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(UsageError, match="cannot be read"):
            gather([tmp_path / name])
    archive = packed(folder, "eyes.zip")
    (place, name), *_ = members(archive, (".png",), Counter())
    with closing(Archives()) as reader:
        with pytest.raises(PhotoError, match="is not in its archive any more"):
            reader.read(str(archive), 99, "other.png")
        monkeypatch.setattr(limits, "MAX_FILE_BYTES", 100)
        with pytest.raises(PhotoError, match="is larger than"):
            reader.read(str(archive), place, name)
        monkeypatch.undo()
    archive.write_bytes(archive.read_bytes().replace(b"PK\x03\x04", b"xxxx"))  # the local headers
    with (
        closing(Archives()) as reader,
        pytest.raises(PhotoError, match="cannot be read from its archive"),
    ):
        reader.read(str(archive), place, name)
    with pytest.raises(UsageError, match="holds no photograph"):
        gather([packed(empty(tmp_path), "eyes.tar.gz")])


def test_damaged_lzma_is_an_error_in_words(tmp_path: Path) -> None:
    """lzma's error is of no common kind, so it used to be an internal error."""
    noise = random.Random(1)
    (tmp_path / "eyes").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (tmp_path / "eyes" / name).write_bytes(bytes(noise.choices(range(16), k=200_000)))
    archive = packed(tmp_path / "eyes", "eyes.tar.xz")
    content = bytearray(archive.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    archive.write_bytes(content)
    with pytest.raises(lzma.LZMAError), tarfile.open(archive) as damaged:
        damaged.getmembers()
    with pytest.raises(UsageError, match="cannot be read"):
        gather([archive])


def empty(tmp_path: Path) -> Path:
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "readme.md").write_text("")
    return tmp_path / "none"


def test_a_header_of_a_tar_file_is_bounded(tmp_path: Path) -> None:
    """tarfile reads a name at once, however long it says that it is."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    path = tmp_path / "long.tar"
    path.write_bytes(info.tobuf() + bytes(2**12))
    with pytest.raises(UsageError, match="a header is too long"):
        gather([path])


@pytest.mark.parametrize("kept", [0, 100, 511, 512])
def test_a_tar_file_that_is_cut_off_or_damaged_loses_no_photograph_silently(
    kept: int, folder: Path
) -> None:
    """tarfile takes the place for the end of the archive, and the rest would be missing."""
    path = packed(folder, "eyes.tar")
    with tarfile.open(path) as archive:
        third = archive.getmembers()[2].offset
    content = bytearray(path.read_bytes())
    content[third + 5] ^= 1  # in the name, so that the checksum is wrong
    path.write_bytes(content[: third + kept] if kept < 512 else content)
    with pytest.raises(UsageError, match=r"cannot be read .*header"):
        gather([path])


def test_a_link_in_a_tar_file_is_refused_and_not_lost(folder: Path) -> None:
    """In a folder, a link is read."""
    (folder / "y_g0.png").hardlink_to(folder / "b_g3.png")
    (folder / "y_g1.png").symlink_to("z_g0.png")
    outcomes = read(packed(folder, "eyes.tar"), None)
    refused = {each.input.path.name: str(each.refusal) for each in outcomes if each.refusal}
    assert set(refused) == {"y_g0.png", "y_g1.png"}
    assert refused["y_g0.png"].startswith("y_g0.png: is a link in its archive; pack the file")


def test_names_in_the_folder_above_are_not_hidden(folder: Path) -> None:
    """``tar -P`` keeps them."""
    path = folder.parent / "eyes.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder / "b_g3.png", "../eyes/b_g3.png")
        archive.add(folder / "b_g3.png", "../.hidden/b_g3.png")
    assert [each.image for each in gather([path]).photographs] == [f"{path}/../eyes/b_g3.png"]
    assert [each.refusal for each in read(path, None)] == [None]


def test_lists_and_patterns(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = folder / "list.txt"
    table.write_text("z_g0.png\n\n \t\ndeep/a_g1.png\r\nmissing.png\n")
    listed = gather([table]).photographs
    assert [each.image for each in listed] == ["z_g0.png", "deep/a_g1.png", "missing.png"]
    assert listed[1].path == folder / "deep" / "a_g1.png"
    monkeypatch.chdir(folder)
    found = gather([Path("**/*_g3.png")]).photographs
    assert [each.image for each in found] == ["b_g3.png", "deep/b_g3.png"]
    with pytest.raises(UsageError, match="matches no file"):
        gather([Path("*.jpeg")])
    (folder / "[x].png").write_bytes((folder / "z_g0.png").read_bytes())
    assert [each.image for each in gather([Path("[x].png")]).photographs] == ["[x].png"]
    table.write_bytes(b"\xff\xfe\n")
    with pytest.raises(TableError, match="is not UTF-8 text"):
        gather([table])
    table.write_text("x" * 5000)
    with pytest.raises(TableError, match="line 1: does not name a photograph"):
        gather([table])
    table.write_text("\n")
    with pytest.raises(UsageError, match="holds no photograph"):
        gather([table])


def test_equal_photographs_in_an_archive_are_read_once(folder: Path, tmp_path: Path) -> None:
    for number in range(6):
        (folder / f"z{number}.png").write_bytes((folder / "b_g3.png").read_bytes())
    shown = read(packed(folder, "eyes.zip"), tmp_path / "out")
    first = "b_g3.png (No. 1)"
    assert [each.same_as for each in shown] == ["", "", "", *[first] * 6, ""]
    assert [each.reading.photo.name for each in shown if each.reading] == [
        each.input.path.name for each in shown
    ]
