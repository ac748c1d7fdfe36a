"""Every changed bit of results is noticed."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope import checksums
from fundoscope.errors import UsageError

Save = Callable[..., Path]
Command = Callable[..., Any]
FLIPS = 1500


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "readings.csv").write_bytes(b"image,icdr\na.jpg,3\n")
    (folder / "a-01234567.png").write_bytes(bytes(range(256)))
    (folder / "run.json").write_bytes(b'{"version": "fundoscope.run/1", "counts": {"read": 1}}')
    checksums.seal(folder, "run.json")
    return folder


def test_intact_results(results: Path) -> None:
    (results / "mine.txt").write_text("not of the run")
    assert checksums.verify(results) == checksums.Verified(3, ())
    document = json.loads((results / "run.json").read_text())
    assert document["counts"] == {"read": 1}
    assert set(document["files_sha256"]) == {"readings.csv", "a-01234567.png"}


def test_every_flipped_bit_is_noticed(results: Path) -> None:
    seeded = random.Random(30)
    files = sorted(results.iterdir())
    for _ in range(FLIPS):
        path = seeded.choice(files)
        before = path.read_bytes()
        place = seeded.randrange(len(before) * 8)
        data = bytearray(before)
        data[place // 8] ^= 1 << place % 8
        path.write_bytes(data)
        result = checksums.verify(results)
        path.write_bytes(before)
        assert [name for name, _ in result.faults] == [path.name], (path.name, place)


def test_every_bit_of_the_record(results: Path) -> None:
    record = results / "run.json"
    before = record.read_bytes()
    for place in range(len(before) * 8):
        data = bytearray(before)
        data[place // 8] ^= 1 << place % 8
        record.write_bytes(data)
        assert checksums.verify(results).faults, place


def test_what_is_cut_off_missing_or_added(results: Path) -> None:
    record = results / "run.json"
    before = record.read_bytes()
    for changed in (before[:-1], before + b" ", b"", before.replace(b"read", b"Read")):
        record.write_bytes(changed)
        assert checksums.verify(results).faults
    record.write_bytes(before)
    (results / "readings.csv").unlink()
    assert checksums.verify(results).faults == (("readings.csv", "is missing"),)


def test_a_record_names_nothing_outside_of_its_folder(results: Path) -> None:
    (results.parent / "secret").write_bytes(b"x")
    text = checksums.sealed({"version": "1"}, {"../secret": "0" * 64})
    (results / "run.json").write_bytes(text)
    assert checksums.verify(results).faults == (("../secret", "is not a file of this folder"),)


def test_a_run_with_a_name_that_is_no_text_has_all_its_tables(
    tmp_path: Path, fundoscope: Command, save_eye: Save
) -> None:
    """One such refused file used to lose a whole run, also when the command was given again."""
    save_eye(tmp_path / "eyes" / "a.jpg")
    (tmp_path / "eyes" / os.fsdecode(b"M\xfcller.png")).write_bytes(b"")
    said = fundoscope("read", tmp_path / "eyes", "--out", tmp_path / "out")
    assert said.code == 3
    assert (tmp_path / "out" / "readings.csv").is_file()
    assert fundoscope("verify", tmp_path / "out").code == 0


def test_results_without_checksums(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no results"):
        checksums.verify(tmp_path)
    (tmp_path / "run.json").write_text('{"version": "fundoscope.run/1"}')
    with pytest.raises(UsageError, match="has no checksums: an earlier version wrote it"):
        checksums.verify(tmp_path)


def test_the_command(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    save_eye(tmp_path / "in" / "a_g3.jpg")
    out = tmp_path / "out"
    assert fundoscope("read", tmp_path / "in", "--out", out).code == 0
    said = fundoscope("verify", out)
    assert (said.code, said.out) == (0, f"{out}: all 6 files are as they were written\n")
    picture = next(out.glob("*.png"))
    picture.write_bytes(picture.read_bytes()[:-1])
    said = fundoscope("verify", out)
    assert said.code == 3
    assert said.complaints == [f"{picture}: was changed"]
