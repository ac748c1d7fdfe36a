"""``fundoscope phantom``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.cli.main import run
from fundoscope.phantom import PhantomSpec, Truth, draw

SMALL = ["--size", "240x240"]


def test_it_writes_what_draw_returns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "eye.png"
    arguments = ["--seed", "3", "--grade", "2", "--eye", "left", "--size", "300x240"]
    shape = ["--shape", "clipped", "--shape", "notch", "--stretch", "1.3"]
    assert run(["phantom", str(out), *arguments, *shape]) == 0
    pixels, truth = draw(PhantomSpec(3, 300, 240, 2, "left", ("clipped", "notch"), 1.3))
    with Image.open(out) as image:
        assert np.array_equal(np.asarray(image), pixels)
    assert Truth.from_json((tmp_path / "eye.truth.json").read_bytes()) == truth
    line = capsys.readouterr().out
    for part in (str(out), "300x240", "clipped notch", "stretch 1.3", "left", "grade 2", "seed 3"):
        assert part in line


def test_several_go_into_a_folder(tmp_path: Path) -> None:
    assert run(["phantom", str(tmp_path / "new"), "--seed", "8", "--count", "2", *SMALL]) == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "phantom-0008.jpg",
        "phantom-0008.truth.json",
        "phantom-0009.jpg",
        "phantom-0009.truth.json",
    ]


def test_a_varied_set_is_numbered_from_nought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fundoscope.phantom.variety.LONG_SIDE", (224, 240))
    monkeypatch.setattr("fundoscope.phantom.variety.LARGE", 0.0)
    assert run(["phantom", str(tmp_path), "--varied", "--count", "2", "--seed", "5"]) == 0
    assert (tmp_path / "phantom-0000.jpg").exists()
    shapes = [
        Truth.from_json((tmp_path / f"phantom-000{n}.truth.json").read_bytes()).field.shape
        for n in range(2)
    ]
    assert shapes == [("full",), ("clipped",)]


def test_nothing_is_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "eye.jpg"
    out.write_bytes(b"mine")
    assert run(["phantom", str(out), *SMALL]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"
    assert run(["phantom", str(out), "--overwrite", *SMALL]) == 0
    assert out.read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--size", "big"], "WxH"),
        (["--size", "100x100"], "224"),
        (["--grade", "7"], "0 to 4"),
        (["--eye", "middle"], "left or right"),
        (["--shape", "round"], "clipped"),
        (["--count", "2"], "folder"),
    ],
)
def test_misuse_is_one_line_and_exit_2(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["phantom", str(tmp_path / "eye.jpg"), *arguments]) == 2
    message = capsys.readouterr().err
    assert complaint in message
    assert message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_picture_in_another_format_is_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["phantom", str(tmp_path / "eye.bmp")]) == 2
    assert "take one of .jpg" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_created_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert run(["phantom", str(tmp_path / "file" / "deeper"), *SMALL]) == 1
    assert "cannot be created as a folder" in capsys.readouterr().err


def test_a_missing_folder_of_a_picture_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["phantom", str(tmp_path / "nowhere" / "eye.jpg"), *SMALL]) == 1
    assert "cannot be written" in capsys.readouterr().err
