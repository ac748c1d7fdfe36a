"""``fundoscope calibrate grading`` with a reader that knows what the file names say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fundoscope import reader
from fundoscope.calibrate.clinic import NAMES
from fundoscope.cli.main import run
from fundoscope.errors import PhotoError
from fundoscope.grading import heads
from fundoscope.grading.grader import Grader
from fundoscope.models import bundle as bundles
from fundoscope.reading import FieldOfView, Grade, PhotoFacts, Quality, Reading, Referable


class LowReader:
    """Says of ``12-g3.jpg`` that grade 3 is likely, but lower ones more than they are."""

    def __init__(self, grader: Grader, *, lesions: bool) -> None:
        assert not lesions
        assert grader.manifest.correction is None

    def read(self, source: Path) -> Reading:
        number, _, grade = source.stem.partition("-g")
        if number == "7":
            raise PhotoError(source.name, "is cut short", "get it again", code="truncated")
        noise = np.random.default_rng(int(number)).normal(0, 0.6)
        logits = 2.0 * (int(grade) - 0.7 + noise - np.array([[0.5, 1.5, 2.5, 3.5]]))
        p = tuple(float(value) for value in heads.probabilities(logits)[0])
        return Reading(
            PhotoFacts(source.name, "0" * 64, 10, 10),
            FieldOfView(True, (5.0, 5.0), 5.0, 1.0),
            Quality(),
            Grade(p.index(max(p)), p, 2.0, Referable(sum(p[2:]), False, 1.0)),
            (), (), (), "fundoscope test",
        )  # fmt: skip


@pytest.fixture(autouse=True)
def low_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "Reader", LowReader)


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    def write(grades: list[int], first: int = 10, extra: str = "") -> Path:
        lines = ["image,grade,patient,split"]
        for number, grade in enumerate(grades, start=first):
            name = f"{number}-g{grade}.jpg"
            (tmp_path / name).write_bytes(b"")
            lines.append(f"{name},{grade},p{number // 2},{'test' if extra else 'val'}")
        path = tmp_path / "clinic.csv"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


@pytest.fixture
def calibrate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def call(labels: Path, *options: object) -> tuple[int, str, str]:
        command = ["calibrate", "grading", str(labels), "--out", str(tmp_path / "new")]
        code = run([*command, *map(str, options)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


GRADES = [0, 0, 1, 2, 2, 3, 4, 0] * 10


def test_intervals_say_what_is_drawn_together(calibrate: Any, table: Any, tmp_path: Path) -> None:
    labels = table(GRADES)
    lines = [line.split(",") for line in labels.read_text().splitlines()]
    text = "\n".join(",".join((image, grade, split)) for image, grade, _, split in lines)
    labels.write_text(text)
    code, out, _ = calibrate(labels)
    assert code == 0
    assert "95 % intervals by photograph" in out.splitlines()[0]
    assert "95 % intervals by photograph" in bundles.card(tmp_path / "new")
    _, out, _ = calibrate(table(GRADES), "--overwrite")
    assert "95 % intervals by patient" in out.splitlines()[0]
    assert "95 % intervals by patient" in bundles.card(tmp_path / "new")


def test_a_new_bundle_and_its_figures(calibrate: Any, table: Any, tmp_path: Path) -> None:
    code, out, err = calibrate(table(GRADES), "--sensitivity", "0.8", "--name", "ours")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("80 photographs, 40 of them referable; after: by cross-validation")
    assert len(lines) == len(NAMES) + 2
    assert " before, " in lines[1]
    assert "new: ours, referable from a probability of 0." in lines[-1]
    new, shipped = (bundles.load_grader(p) for p in (tmp_path / "new", bundles.shipped()))
    assert new.model == shipped.model
    assert new.manifest.name == "ours"
    assert new.manifest.recalibrated is not None
    assert new.manifest.recalibrated.sensitivity == 0.8
    assert new.manifest.correction != shipped.manifest.correction
    assert bundles.card(tmp_path / "new").startswith("# ours\n")

    assert calibrate(table(GRADES))[0] != 0  # it exists
    assert calibrate(table(GRADES), "--overwrite", "--grader", tmp_path / "new")[0] == 0
    assert bundles.load_grader(tmp_path / "new").manifest.name == "ours-calibrated"


def test_a_photograph_that_cannot_be_read_is_named(calibrate: Any, table: Any) -> None:
    code, out, err = calibrate(table(GRADES, first=1))
    assert code == 3
    assert out.startswith("79 photographs, ")
    assert err.startswith("7-g4.jpg: is cut short; get it again")


def test_rows_of_the_test_split_are_pointed_out(calibrate: Any, table: Any) -> None:
    code, _, err = calibrate(table(GRADES, extra="test"))
    assert code == 0
    assert "can no longer test it" in err


@pytest.mark.parametrize(
    ("grades", "sentence"),
    [
        (
            [0, 2] * 10,
            "clinic.csv: has 20 graded photographs, too few to fit to; label at least 50",
        ),
        ([0, 1] * 40, "clinic.csv: has no photograph of grade 2 to 4, too few to fit to"),
        ([3, 2] * 40, "clinic.csv: has no photograph of grade 0 or 1, too few to fit to"),
    ],
)
def test_too_few_or_one_class(
    calibrate: Any, table: Any, tmp_path: Path, grades: list[int], sentence: str
) -> None:
    code, out, err = calibrate(table(grades))
    assert (code, out) == (2, "")
    assert err.startswith(sentence)
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_written_is_refused_before_a_photograph_is_read(
    calibrate: Any, table: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a clinic's photographs takes minutes to hours."""

    def read(*_: object, **__: object) -> None:
        pytest.fail("photographs were read")

    monkeypatch.setattr("fundoscope.cli.calibrate.grading._read", read)
    labels = table(GRADES)
    code, _, err = calibrate(labels, "--name", "two\nlines")
    assert (code, "--name" in err) == (2, True)
    for out in (labels, labels / "below"):
        code, _, err = calibrate(labels, "--out", out)
        assert code == 2
        assert "clinic.csv" in err
    (tmp_path / "new").mkdir()
    monkeypatch.setattr("tempfile.TemporaryFile", _no_space)
    code, _, err = calibrate(labels)
    assert (code, "cannot be written to" in err) == (1, True)


def _no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_the_card_has_the_sensitivity_that_was_asked_for(
    calibrate: Any, table: Any, tmp_path: Path
) -> None:
    assert calibrate(table(GRADES), "--sensitivity", "0.995")[0] == 0
    assert "with a sensitivity of 0.995 on them" in bundles.card(tmp_path / "new")
