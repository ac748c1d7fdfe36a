"""``fundoscope calibrate lesions`` with a detector that sees what the file names say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fundoscope.calibrate import boxes
from fundoscope.calibrate.boxes import Scores
from fundoscope.calibrate.looking import Networks, Unread
from fundoscope.cli.main import run
from fundoscope.models import bundle as bundles


def named_scores(path: Path, image: str, networks: Networks) -> Scores | Unread:
    """On ``12-g3.jpg`` 12 seeds the scores of boxes, of which a higher grade has more."""
    number, _, grade = path.stem.partition("-g")
    if number == "7":
        return Unread(image, "is cut short", "get it again")
    random = np.random.default_rng(int(number))
    count = random.poisson(2 + 5 * int(grade))
    return {"haemorrhage": tuple(random.beta(2 + int(grade), 4, count).tolist())}


@pytest.fixture(autouse=True)
def seen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boxes, "_scores", named_scores)


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(grades: list[int], first: int = 10, split: str = "val") -> Path:
        lines = ["image,grade,split,source"]
        for number, grade in enumerate(grades, start=first):
            name = f"{number}-g{grade}.jpg"
            (tmp_path / name).write_bytes(b"")
            lines.append(f"{name},{grade},{split},{'ab'[number % 2]}")
        path = tmp_path / "clinic.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_a_bundle_is_fitted(
    table: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    labels = table([0] * 40 + [3] * 30)
    assert run(["calibrate", "lesions", str(labels), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "haemorrhages: 70 photographs, 30 with them" in printed
    given = bundles.load_detector(bundles.shipped(bundles.DETECTION)).manifest
    manifest = bundles.load_detector(out).manifest
    assert list(manifest.presence) == ["haemorrhage"]
    assert manifest.thresholds == given.thresholds
    assert manifest.model_sha256 == given.model_sha256
    assert manifest.name == f"{given.name}-calibrated"
    assert "| haemorrhage | 70 | 30 |" in bundles.card(out)


def test_a_fitted_bundle_is_fitted_again(table: Callable[..., Path], tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    labels = str(table([0] * 40 + [3] * 30))
    assert run(["calibrate", "lesions", labels, "--out", str(first)]) == 0
    again = ["calibrate", "lesions", labels, "--out", str(second), "--detector", str(first)]
    assert run(again) == 0
    assert bundles.card(second).count("## Whether a kind is in the eye at all") == 1
    assert bundles.load_detector(second).manifest.name.count("-calibrated") == 1


def test_thresholds_are_raised_until_healthy_eyes_are_spared(
    table: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "bundle"
    labels = table([0] * 60 + [3] * 20)
    options = ["--raise-thresholds", "--healthy-share", "0.05"]
    assert run(["calibrate", "lesions", str(labels), "--out", str(out), *options]) == 0
    threshold = bundles.load_detector(out).manifest.thresholds["haemorrhage"]
    for source in (0, 1):
        healthy = [named_scores(path, path.name, None) for path in labels.parent.glob("*-g0.jpg")
                   if int(path.stem.partition("-")[0]) % 2 == source]  # fmt: skip
        boxed = [max(scores["haemorrhage"], default=0) >= threshold for scores in healthy]
        assert np.mean(boxed) <= 0.05


def test_unread_photographs_are_named(
    table: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = table([0] * 40 + [3] * 30, first=5)
    assert run(["calibrate", "lesions", str(labels), "--out", str(tmp_path / "bundle")]) == 3
    assert "7-g0.jpg: is cut short; get it again" in capsys.readouterr().err


def test_too_few_photographs_leave_nothing_behind(
    table: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle"
    assert run(["calibrate", "lesions", str(table([0] * 40)), "--out", str(out)]) == 2
    assert "10 photographs with it and 10 without it" in capsys.readouterr().err
    assert not out.exists()


def test_without_healthy_eyes_no_bundle_is_written(
    table: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its limit would be 0, so that every eye had the lesion."""
    out = tmp_path / "bundle"
    labels = table([1] * 40 + [3] * 30)
    for options in ([], ["--raise-thresholds"]):
        assert run(["calibrate", "lesions", str(labels), "--out", str(out), *options]) == 2
        assert "0 healthy eyes: are too few" in capsys.readouterr().err
        assert not out.exists()


def test_rows_of_the_test_split_are_named(
    table: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = table([0] * 40 + [3] * 30, split="test")
    assert run(["calibrate", "lesions", str(labels), "--out", str(tmp_path / "b")]) == 0
    assert "can no longer test it" in capsys.readouterr().err


def test_labels_that_allow_no_fit_are_refused_before_a_photograph_is_read(
    table: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(*_: object) -> Scores:
        pytest.fail("a photograph was read")

    monkeypatch.setattr(boxes, "_scores", read)
    out = str(tmp_path / "bundle")
    for grades, complaint in (
        ([0] * 5 + [3] * 30, "no kind of lesion has 10 photographs with it and 10 without it"),
        ([1] * 40 + [3] * 30, "0 healthy eyes: are too few"),
    ):
        assert run(["calibrate", "lesions", str(table(grades)), "--out", out]) == 2
        assert complaint in capsys.readouterr().err
    labels = table([0] * 40 + [3] * 30)
    for photograph in tmp_path.glob("*.jpg"):
        photograph.unlink()
    assert run(["calibrate", "lesions", str(labels), "--out", out]) == 2
    assert "none of its photographs exists (the first: 10-g0.jpg)" in capsys.readouterr().err
