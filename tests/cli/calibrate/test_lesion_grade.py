"""``fundoscope calibrate lesion-grade`` with networks that see what the file names say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fundoscope.calibrate.lesion_grade import photographs
from fundoscope.calibrate.lesion_grade.photographs import Looked, Networks
from fundoscope.cli.main import run
from fundoscope.data import manifest as manifests
from fundoscope.data.reserved import is_reserved
from fundoscope.grading import grader as graders
from fundoscope.grading import lesion_features
from fundoscope.grading.rules.evidence import Evidence, PlacedLesion
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import landmarks
from fundoscope.models import bundle as bundles

ASSESSED = frozenset(lesion_features.KINDS)
looks: list[str] = []


def by_name(path: Path, image: str, _: Networks) -> Looked:
    """On ``12-g3.jpg`` 12 seeds the boxes, of which a higher grade has more."""
    looks.append(image)
    number, _, grade = path.stem.partition("-g")
    if number == "7":
        return Looked(image, problem=("is cut short", "get it again"))
    if number == "8":
        return Looked(image)
    random = np.random.default_rng(int(number))
    boxes = tuple(
        PlacedLesion("haemorrhage", n, score=float(score))
        for n, score in enumerate(random.uniform(0.1, 0.9, random.poisson(1 + 6 * int(grade))))
    )
    return Looked(image, lesion_features.features(Evidence(boxes, ASSESSED), 500.0))


@pytest.fixture(autouse=True)
def seen_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    looks.clear()
    monkeypatch.setattr(photographs, "_look", by_name)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["image,grade,split,source"]
    for number in range(10, 260):
        name = f"{number}-g{number % 5}.jpg"
        (tmp_path / name).write_bytes(b"")
        lines.append(f"{name},{number % 5},val,{'ab'[number % 2]}")
    path = tmp_path / "clinic.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_bundle_is_fitted(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, cache = tmp_path / "bundle", tmp_path / "cache"
    command = ["calibrate", "lesion-grade", str(table), "--out", str(out), "--cache", str(cache)]
    assert run(command) == 0
    assert "all: 250 photographs, quadratic kappa 0." in capsys.readouterr().out
    given = bundles.load_detector(bundles.shipped(bundles.DETECTION)).manifest
    manifest = bundles.load_detector(out).manifest
    assert manifest.lesion_grade is not None
    assert manifest.lesion_grade.fitted_on == {"a": 125, "b": 125}
    assert (manifest.name, manifest.model_sha256) == (given.name, given.model_sha256)
    assert bundles.card(out).count("## The grade by lesions") == 1


def test_photographs_are_read_once_even_after_a_stop(table: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    command = ["calibrate", "lesion-grade", str(table), "--cache", str(cache), "--overwrite"]
    assert run([*command, "--out", str(tmp_path / "first")]) == 0
    (kept,) = cache.glob("*.jsonl")
    lines = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join(lines[:-2]) + lines[-2][:25])
    looks.clear()
    assert run([*command, "--out", str(tmp_path / "second")]) == 0
    assert len(looks) == 2
    first, second = (
        bundles.load_detector(tmp_path / name).manifest.lesion_grade for name in ("first", "second")
    )
    assert first == second


def test_other_networks_have_other_features() -> None:
    loaded = Networks(detectors.load(), landmarks.load(), graders.load())
    other = Networks(detectors.load(), landmarks.load(), graders.load())
    assert photographs.key(loaded) == photographs.key(other)
    manifest = replace(loaded.detector.manifest, model_sha256="0" * 64)
    moved = Networks(replace(loaded.detector, manifest=manifest), loaded.landmarker, loaded.grader)
    assert photographs.key(moved) != photographs.key(loaded)


def test_only_reserved_patients_are_used_when_asked(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "bundle")
    command = ["calibrate", "lesion-grade", str(table), "--out", out, "--cache", str(tmp_path)]
    assert run([*command, "--reserved"]) == 2  # a quarter of 250 is too few
    assert "too few to fit a grade to" in capsys.readouterr().err
    reserved = {row.image for row in manifests.read(table).rows if is_reserved(row)}
    assert set(looks) == reserved


def test_what_was_not_read_and_what_was_too_small_is_named(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with table.open("a") as file:
        file.write("7-g0.jpg,0,val,a\n8-g0.jpg,0,val,a\n")
    for name in ("7-g0.jpg", "8-g0.jpg"):
        (tmp_path / name).write_bytes(b"")
    out = str(tmp_path / "bundle")
    command = ["calibrate", "lesion-grade", str(table), "--out", out, "--cache", str(tmp_path)]
    assert run(command) == 3
    printed = capsys.readouterr()
    assert "7-g0.jpg: is cut short; get it again" in printed.err
    assert "1 photographs were left out" in printed.out


def test_photographs_that_do_not_exist_are_not_too_few(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for photograph in tmp_path.glob("*.jpg"):
        photograph.unlink()
    command = ["calibrate", "lesion-grade", str(table), "--cache", str(tmp_path / "cache")]
    assert run([*command, "--out", str(tmp_path / "bundle")]) == 2
    assert "none of its photographs exists (the first: 10-g0.jpg)" in capsys.readouterr().err


def test_few_patients_cannot_be_left_out_one_after_the_other(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header, *lines = table.read_text().splitlines()
    rows = [f"{line},p{number % 4}" for number, line in enumerate(lines)]
    table.write_text("\n".join([f"{header},patient", *(row.replace(",b,", ",a,") for row in rows)]))
    command = ["calibrate", "lesion-grade", str(table), "--cache", str(tmp_path / "cache")]
    assert run([*command, "--out", str(tmp_path / "bundle")]) == 2
    assert "are of 4 patients, too few to fit a grade to" in capsys.readouterr().err
