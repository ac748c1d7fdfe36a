"""Folders that vanish while a run reads them: the rest is read when they are back."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from threading import Event

import faulty_readers
import pytest

from fundoscope.batch.engines import Threads
from fundoscope.batch.inputs import stream
from fundoscope.batch.outcome import Outcome
from fundoscope.batch.run import Options, Tally, read_all
from fundoscope.batch.sources import folders
from fundoscope.errors import ConnectionLostError

Save = Callable[..., Path]


def read(given: Path, out: Path, show: Callable[[Outcome], None] = lambda _: None) -> Tally:
    with Threads(faulty_readers.Obedient(), 1) as engine:
        inputs = stream([given], Counter())
        return read_all(inputs, engine, Options(out=out), show=show, stop=Event())


@pytest.fixture
def drive(tmp_path: Path, save_eye: Save) -> Path:
    for number in range(12):
        save_eye(tmp_path / "drive" / "eyes" / f"{number:02d}.jpg", shade=40 + number)
    return tmp_path / "drive"


@pytest.mark.parametrize("mount_point", [True, False])
def test_a_drive_that_is_disconnected_stops_the_run(
    tmp_path: Path, drive: Path, *, mount_point: bool
) -> None:
    """Also where an empty folder stays behind, as the mount point of a network drive does."""
    away, out = tmp_path / "away", tmp_path / "out"

    def disconnect(_: Outcome) -> None:
        if not away.exists():
            drive.rename(away)
            if mount_point:
                (drive / "eyes").mkdir(parents=True)

    tally = read(drive, out, disconnect)
    assert tally.lost is not None
    assert "the same command again" in str(tally.lost)
    assert 0 < tally.done < 12
    assert "not_found" not in tally.codes
    assert json.loads((out / "run.json").read_text())["interrupted"]
    shutil.rmtree(drive, ignore_errors=True)
    away.rename(drive)
    again = read(drive, out)
    assert (again.done, again.statuses["refused"], again.lost) == (12, 0, None)


def test_one_photograph_that_is_deleted_is_refused(tmp_path: Path, drive: Path) -> None:
    def delete(_: Outcome) -> None:
        (drive / "eyes" / "11.jpg").unlink(missing_ok=True)

    tally = read(drive, tmp_path / "out", delete)
    assert (tally.done, tally.lost, tally.codes["not_found"]) == (12, None, 1)


def test_what_a_person_named_may_never_have_been_there(tmp_path: Path, save_eye: Save) -> None:
    save_eye(tmp_path / "a.jpg")
    (tmp_path / "table.csv").write_text("image\na.jpg\nno/such/folder/b.jpg\n")
    tally = read(tmp_path / "table.csv", tmp_path / "out")
    assert (tally.done, tally.lost, tally.codes["not_found"]) == (2, None, 1)


def test_an_archive_that_vanishes(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLostError, match="does not exist any more"):
        folders.require_there("not_found", archive=str(tmp_path / "eyes.zip"))
    folders.require_there("truncated", archive=str(tmp_path / "eyes.zip"))
    (tmp_path / "eyes.zip").write_bytes(b"damaged")
    folders.require_there("unreadable", archive=str(tmp_path / "eyes.zip"))
