"""``fundoscope calibrate quality`` and ``calibrate judge``, on drawn eyes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.calibrate.judging import bundle as judged
from fundoscope.calibrate.judging.features import Lacking
from fundoscope.cli import main
from fundoscope.cli.calibrate.judge import _name_lacking
from fundoscope.data.manifest import Row
from fundoscope.models import bundle
from fundoscope.models import judge as stored
from fundoscope.models.judge import Familiar, Head, Judge
from fundoscope.phantom import PhantomSpec
from fundoscope.quality import QUALITY_REASONS

Command = Callable[..., Any]
FEATURES, STAGES = 1280, 736


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command line with the real reader: its exit code and what it printed."""

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def bundled(tmp_path: Path) -> Path:
    """The grader that ships, with a judge that finds everything ungradable."""
    head = Head(weights=stored.stored(np.zeros(STAGES), stored.SINGLE), bias=1.0, limit=0.0)
    given = Judge(
        features=FEATURES,
        stages=STAGES,
        other=replace(
            head,
            bias=-1.0,
            weights=stored.stored(np.zeros(FEATURES + STAGES), stored.SINGLE),
        ),
        ungradable=head,
        reasons=dict.fromkeys(QUALITY_REASONS, head),
        familiar=Familiar(
            centre=stored.stored(np.zeros(FEATURES), stored.HALF),
            axes=stored.stored(np.eye(1, FEATURES), stored.HALF),
            spreads=(1.0,),
            rest=1.0,
            limit=1e4,
        ),
        fitted_on={"test": 1},
    )
    judged.with_judge(bundle.shipped(), tmp_path / "judged", given)
    return tmp_path / "judged"


@pytest.fixture
def eyes(tmp_path: Path) -> Path:
    folder = tmp_path / "eyes"
    folder.mkdir()
    for seed in range(3):
        pixels, _ = phantom.draw(PhantomSpec(seed=seed, width=300, height=240))
        Image.fromarray(pixels).save(folder / f"{seed}.png")
    return folder


def test_limits_are_fitted_to_a_folder(
    command: Command,
    bundled: Path,
    eyes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judged, "MIN_PHOTOGRAPHS", 3)
    code, out, err = command(
        "calibrate", "quality", eyes, "--grader", bundled, "--out", tmp_path / "new"
    )
    assert code == 0, err
    assert "3 before, 0 now" in out
    fitted = bundle.load_grader(tmp_path / "new").manifest.judge
    assert fitted is not None
    assert fitted.ungradable.limit == pytest.approx(1.0)
    assert fitted.clinic == 3


def test_photographs_without_a_quality_are_named(
    command: Command,
    bundled: Path,
    eyes: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judged, "MIN_PHOTOGRAPHS", 3)
    (eyes / "cut.png").write_bytes((eyes / "0.png").read_bytes()[:200])
    (eyes / "left").mkdir()
    Image.new("RGB", (300, 240)).save(eyes / "left" / "black.png")
    code, out, err = command(
        "calibrate", "quality", eyes, "--grader", bundled, "--out", tmp_path / "new"
    )
    assert code == 3
    assert "fitted to 3 photographs" in out
    named = {line.partition(":")[0] for line in err.splitlines()}
    assert named == {"cut.png", "left/black.png"}


def test_too_few_photographs_are_refused(
    command: Command, bundled: Path, eyes: Path, tmp_path: Path
) -> None:
    code, _, err = command(
        "calibrate", "quality", eyes, "--grader", bundled, "--out", tmp_path / "new"
    )
    assert code == 2
    assert "too few" in err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("rows", "pictures", "complaint"),
    [
        (("a,0", "b,"), 0, "holds no pictures"),
        (("a,1", "b,"), 1, "has no photograph with gradable = 0"),
        (("a,0", "b,0"), 1, "has ungradable photographs in every source"),
        (("a,0", "c,"), 1, "has ungradable photographs in every source"),
        (("c,0", "b,"), 1, "has no photograph with gradable = 0"),
    ],
)
def test_a_judge_is_not_begun_with_what_it_cannot_learn_from(
    command: Command,
    eyes: Path,
    tmp_path: Path,
    rows: tuple[str, str],
    pictures: int,
    complaint: str,
) -> None:
    """It used to read all photographs first, and then to end in an internal error."""
    pytest.importorskip("sklearn")
    lines = ["image,grade,split,source,gradable", *(f"0.png,0,train,{row}" for row in rows)]
    (eyes / "labels.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "natural").mkdir()
    for number in range(pictures):
        Image.new("RGB", (64, 64)).save(tmp_path / "natural" / f"{number}.png")
    words = ["calibrate", "judge", eyes / "labels.csv", "--natural", tmp_path / "natural"]
    words += ["--unlabelled", "c", "--out", tmp_path / "new", "--cache", tmp_path / "cache"]
    code, _, err = command(*words)
    assert code == 2
    assert complaint in err
    assert not (tmp_path / "new").exists()


def test_what_a_judge_was_not_fitted_to_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """An ungradable photograph without a field of view is nothing to look after."""
    dark = Lacking(Row("dark.png", 0, gradable=False), "is too dark", "retake it", True)
    cut = Lacking(Row("cut.png", 0, gradable=False), "is cut short", "get it again", False)
    blank = Lacking(Row("blank.png", 0), "shows no field of view", "give another", True)
    assert not _name_lacking([dark])
    said = capsys.readouterr()
    assert said.out.startswith("1 ungradable photographs show no field of view")
    assert said.err == ""
    assert _name_lacking([dark, cut, blank])
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "cut.png",
        "blank.png",
    ]


def test_an_archive_is_not_a_folder(
    command: Command, bundled: Path, eyes: Path, tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "eyes"), "zip", eyes)
    options = ("--grader", bundled, "--out", tmp_path / "new")
    code, _, err = command("calibrate", "quality", archive, *options)
    assert code == 2
    assert "is an archive; unpack it" in err


def test_a_damaged_photograph_of_a_list_is_named(
    command: Command, bundled: Path, eyes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judged, "MIN_PHOTOGRAPHS", 3)
    (eyes / "cut.png").write_bytes((eyes / "0.png").read_bytes()[:200])
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"eyes/{file.name}\n" for file in sorted(eyes.iterdir())))
    options = ("--grader", bundled, "--out", tmp_path / "new")
    code, _, err = command("calibrate", "quality", listed, *options)
    assert code == 3, err
    assert "cut.png: " in err
