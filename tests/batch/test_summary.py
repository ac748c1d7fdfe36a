"""The table for people, and what results say about where a photograph lay."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fundoscope.batch import shown, summary
from fundoscope.batch.inputs import Input
from fundoscope.batch.outcome import Outcome
from fundoscope.batch.results import picture_name
from fundoscope.reading import FieldOfView, Grade, PhotoFacts, Quality, Reading, Referable

Save = Callable[..., Path]
Command = Callable[..., Any]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_excel_recognises_the_encoding_and_a_person_the_headings(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    save_eye(tmp_path / "in" / "Müller_g3_lesions.jpg")
    save_eye(tmp_path / "in" / "b_g0.jpg")
    (tmp_path / "in" / "c.jpg").write_bytes(b"")
    out = tmp_path / "out"
    fundoscope("read", tmp_path / "in", "--out", out)
    data = (out / "summary.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfNo.,Photograph,")
    assert data.count(b"\r\n") == data.count(b"\n") == 4
    table = rows(out / "summary.csv")
    assert tuple(table[0]) == summary.COLUMNS
    assert 10 <= len(summary.COLUMNS) <= 15
    assert [row["No."] for row in table] == ["1", "2", "3"]
    by_name = {row["Photograph"]: row for row in table}
    eye = by_name["Müller_g3_lesions.jpg"]
    assert (eye["Refer"], eye["Grade"], eye["Certainty (%)"]) == ("yes", "3 severe NPDR", "80")
    assert eye["Lesions"].startswith("2 haemorrhages")
    assert eye["Picture"].startswith("Müller_g3_lesions-")
    assert by_name["b_g0.jpg"]["Refer"] == "no"
    assert by_name["c.jpg"]["Refer"] == "not graded: a person should look"
    assert by_name["c.jpg"]["Remarks"].startswith("is empty (0 bytes); ")


@pytest.mark.parametrize(
    ("share", "written"), [(0.0, "1"), (0.004, "1"), (0.5, "50"), (0.996, "99"), (1.0, "99")]
)
def test_no_probability_is_0_or_100(share: float, written: str) -> None:
    """No network is certain; a spreadsheet needs a number, so it is 1 to 99."""
    probabilities = (1.0 - share, 0.0, share, 0.0, 0.0)
    reading = Reading(
        PhotoFacts("a.jpg", "0" * 64, 10, 10),
        FieldOfView(True),
        Quality(),
        Grade(2, probabilities, 1.0, Referable(share, True, 0.0)),
        lesions=(), models=(), warnings=(), software="",
    )  # fmt: skip
    cells = summary.row(Outcome(Input("a.jpg", Path("a.jpg")), reading), 1, "a.jpg", "")
    row = dict(zip(summary.COLUMNS, cells, strict=True))
    assert row["Certainty (%)"] == row["Probability of being referable (%)"] == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30", "'+49 30"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1+1", "' =1+1"),
        ("\t=1+1", "\\t=1+1"),
        ("\r\n=1", "\\r\\n=1"),
        ("＝1+1", "'＝1+1"),
        ("a=1", "a=1"),
        ("", ""),
        ("x" * 5000, "x" * 999 + "…"),
    ],
)
def test_no_cell_is_a_formula(text: str, written: str) -> None:
    assert summary.cell(text) == written


def test_formulas_in_a_table_of_patients(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    save_eye(tmp_path / "=cmd_g1.jpg")
    (tmp_path / "eyes.csv").write_text('image,patient,eye\n=cmd_g1.jpg,"=HYPERLINK(1)",@left\n')
    out = tmp_path / "out"
    fundoscope("read", tmp_path / "eyes.csv", "--out", out)
    (row,) = rows(out / "summary.csv")
    assert not [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@"))]
    assert (row["Patient"], row["Eye"]) == ("'=HYPERLINK(1)", "'@left")


def test_no_folder_is_named_unless_asked(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    folder = tmp_path / "in" / "Doe_Jane"
    save_eye(folder / "a_g1.jpg")
    save_eye(tmp_path / "in" / "other" / "a_g1.jpg", shade=9)
    (folder / "b.jpg").write_bytes(b"")
    (tmp_path / "eyes.csv").write_text("image,patient\nin/Doe_Jane/a_g1.jpg,7\n")
    sources = (tmp_path / "in", folder, tmp_path / "eyes.csv")
    out = tmp_path / "out"
    said = fundoscope("read", *sources, "--out", out, "--json")
    for path in out.iterdir():
        assert b"Doe_Jane" not in path.read_bytes(), path
        assert str(tmp_path).encode() not in path.read_bytes(), path
    assert "Doe_Jane" not in said.out
    table = rows(out / "readings.csv")
    assert sorted(row["image"] for row in table) == ["a_g1.jpg"] * 3 + ["b.jpg"]
    assert [row["number"] for row in table] == ["1", "2", "3", "4"]
    run = json.loads((out / "run.json").read_text())
    (refused,) = run["refused"]
    assert (refused["image"], table[refused["number"] - 1]["image"]) == ("b.jpg", "b.jpg")
    assert run["arguments"]["paths"] == ["(folder)", "(folder)", "eyes.csv"]
    fundoscope("read", *sources, "--out", out, "--overwrite", "--paths")
    assert str(folder / "a_g1.jpg") in {row["image"] for row in rows(out / "readings.csv")}
    run = json.loads((out / "run.json").read_text())
    assert run["arguments"]["paths"] == list(map(str, sources))


def test_an_earlier_run_leaves_no_picture(
    tmp_path: Path, save_eye: Save, fundoscope: Command
) -> None:
    first, second = save_eye(tmp_path / "a_g1.jpg"), save_eye(tmp_path / "b_g2.jpg", shade=9)
    out = tmp_path / "out"
    assert fundoscope("read", first, "--out", out).code == 0
    (out / "mine-01234567.png").write_bytes(b"mine")
    assert fundoscope("read", second, "--out", out, "--overwrite").code == 0
    pictures = sorted(path.name[:5] for path in out.glob("*.png"))
    assert pictures == ["b_g2-", "mine-"]


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.jpg", "b.jpg"), ("a\\b.jpg", "b.jpg"), ("b.jpg", "b.jpg"), (".", "."), ("a/", "a")],
)
def test_bare_names(path: str, name: str) -> None:
    assert shown.bare(path) == name


def test_a_sentence_about_a_photograph_names_no_folder() -> None:
    photograph = Input("/home/doe/a.jpg", Path("/home/doe/a.jpg"))
    text = "internal error (OSError: [Errno 5] Input/output error: '/home/doe/a.jpg')"
    assert "doe" not in shown.without_paths(text, photograph)


@pytest.mark.parametrize(
    ("stem", "start"),
    [
        ("NUL", "_NUL-"),
        ("con.left", "_con.left-"),
        ("COM1 .x", "_COM1 .x-"),
        ("a:b?c*", "a_b_c_-"),
        ("left. ", "left. -"),
        ("control", "control-"),
    ],
)
def test_names_that_windows_does_not_allow(stem: str, start: str) -> None:
    assert picture_name(Path(f"{stem}.jpg"), "0" * 64) == f"{start}00000000.png"
