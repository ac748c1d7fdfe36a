"""Bad folders, tables and bundles: one line that names the file and the remedy, before any work."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.batch.inputs import Input, gather
from fundoscope.data import manifest
from fundoscope.errors import TableError, UsageError
from fundoscope.models import bundle

Save = Callable[..., Path]
Command = Callable[..., Any]


def misuse(fundoscope: Command, *arguments: object) -> str:
    """The one line of a command that was misused."""
    said = fundoscope(*arguments)
    assert said.code == 2
    assert said.out == ""
    (line,) = said.complaints
    assert "; " in line
    return str(line)


def test_a_folder_without_photographs(tmp_path: Path, fundoscope: Command) -> None:
    (tmp_path / "letters.txt").write_text("…")
    line = misuse(fundoscope, "read", tmp_path)
    assert line.startswith(f"{tmp_path}: holds no photograph")
    assert line.endswith("name a folder with photographs")


def test_no_such_path(tmp_path: Path, save_eye: Save, fundoscope: Command) -> None:
    there, out = save_eye(tmp_path / "a.jpg"), tmp_path / "out"
    line = misuse(fundoscope, "read", there, tmp_path / "nowhere", "--out", out)
    assert line == f"{tmp_path / 'nowhere'}: does not exist; check the path"
    assert not out.exists()


def test_a_row_without_its_file_is_refused_and_the_rest_is_read(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    save_eye(tmp_path / "a_g1.jpg")
    save_eye(tmp_path / "c_g2.jpg")
    table = tmp_path / "eyes.csv"
    table.write_text("image,id\na_g1.jpg,1\nb.jpg,2\nc_g2.jpg,3\n")
    said = fundoscope("read", table, "--out", tmp_path / "out")
    assert said.code == 3
    assert said.complaints == ["b.jpg: does not exist; check the path"]
    with (tmp_path / "out" / "readings.csv").open(newline="") as stream:
        read = [(row["id"], row["status"], row["code"]) for row in csv.DictReader(stream)]
    assert read == [("1", "read", ""), ("2", "refused", "not_found"), ("3", "read", "")]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (b"", "eyes.csv: is empty"),
        (b"\n\n", "eyes.csv: is empty"),
        (b"image\n", "eyes.csv: has no rows"),
        (b"picture\na.jpg\n", "eyes.csv, line 1: has no column image"),
        (b"picture;eye\na.jpg;left\n", "eyes.csv, line 1: has no column image"),
        (b"image,id,id\na.jpg,1,2\n", "eyes.csv, line 1, column id: appears 2 times"),
        (b"image,eye\na.jpg,left,1\n", "eyes.csv, line 2: has 3 cells"),
        (b"image,eye\n\n\n,left\n", "eyes.csv, line 4, column image: does not name a photograph"),
        (b'image\n"a.jpg\n', "eyes.csv, line "),
        (b"\xff\xfei\0m\0a\0g\0e\0", "eyes.csv: has no rows"),
        (b"image\na\0.jpg\n", "eyes.csv, line 2"),
    ],
)
def test_a_bad_table(tmp_path: Path, text: bytes, what: str, fundoscope: Command) -> None:
    table = tmp_path / "eyes.csv"
    table.write_bytes(text)
    assert misuse(fundoscope, "read", table, "--out", tmp_path / "out").startswith(what)
    assert not (tmp_path / "out").exists()


def test_a_grade_of_7_is_named_with_its_line(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("image,grade\na.jpg,0\nb.jpg,7\n")
    with pytest.raises(TableError, match=r"labels.csv, line 3, column grade: .*7.* write 0, 1, 2"):
        manifest.read(table)


def test_a_grade_that_is_not_asked_for_does_not_matter(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    save_eye(tmp_path / "a_g1.jpg")
    (tmp_path / "labels.csv").write_text("image,grade\na_g1.jpg,7\n")
    assert fundoscope("read", tmp_path / "labels.csv").code == 0


@settings(max_examples=200, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_table_gives_rows_or_one_line(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    table = tmp_path_factory.mktemp("t") / "eyes.csv"
    table.write_bytes(b"image,eye\n" + content)
    came = gathered(table)
    if isinstance(came, UsageError):
        assert came.what.startswith("eyes.csv")
    else:
        assert all(one.image for one in came)


def gathered(table: Path) -> tuple[Input, ...] | UsageError:
    try:
        return gather([table]).photographs
    except UsageError as error:
        return error


@pytest.fixture
def real_fundoscope(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command line with the real reader."""
    from fundoscope.cli.main import run

    def command(*arguments: object) -> tuple[int, str, str]:
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (None, "is not a bundle"),
        ({}, "has no bundle.json"),
        ({"bundle.json": b"{}"}, "has a wrong bundle.json"),
        ({"bundle.json": b"\xff\0"}, "has a wrong bundle.json"),
        ({"bundle.json": b"[" * 100_000}, "has a wrong bundle.json"),
    ],
)
def test_a_bundle_that_is_none(
    tmp_path: Path,
    save_eye: Save,
    contents: dict[str, bytes] | None,
    sentence: str,
    real_fundoscope: Callable[..., tuple[int, str, str]],
) -> None:
    photo, grader = save_eye(tmp_path / "a.jpg"), tmp_path / "grader"
    if contents is not None:
        grader.mkdir()
        for name, content in contents.items():
            (grader / name).write_bytes(content)
    code, out, err = real_fundoscope("read", photo, "--grader", grader, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("grader: ")
    assert sentence in err
    assert not (tmp_path / "out").exists()


def test_a_bundle_with_a_wrong_hash(
    tmp_path: Path,
    save_eye: Save,
    real_fundoscope: Callable[..., tuple[int, str, str]],
    grader_manifest: Callable[..., bundle.GraderManifest],
) -> None:
    photo, grader = save_eye(tmp_path / "a.jpg"), tmp_path / "grader"
    bundle.write(grader, grader_manifest(b"model"), b"model", "card")
    (grader / "model.onnx").write_bytes(b"other")
    code, _, err = real_fundoscope("read", photo, "--grader", grader)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "grader: is damaged or was edited: model.onnx has the sha256" in err
    (grader / "model.onnx").write_bytes(b"model")
    code, _, err = real_fundoscope("read", photo, "--grader", grader)
    assert code == 2
    assert len(err.splitlines()) == 1
    assert "cannot be loaded by ONNX Runtime" in err
