"""``read --report``: a report for each patient."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fundoscope.batch import reports
from fundoscope.batch.inputs import gather
from fundoscope.batch.sources.archives import SharedArchives
from fundoscope.reader import Reader

Save = Callable[..., Path]
Command = Callable[..., Any]
has_extra = all(importlib.util.find_spec(name) for name in ("reportlab", "pypdf"))
needs_report = pytest.mark.skipif(not has_extra, reason="needs the extra [report], and pypdf")


@pytest.fixture
def eyes(tmp_path: Path, save_eye: Save) -> Path:
    """Two eyes of a patient apart from each other, one of another, one damaged, one of nobody."""
    names = ("a_g3_lesions.jpg", "b_g0.jpg", "c_g1.jpg", "d.jpg", "e_g2.jpg", "f.jpg")
    for shade, name in enumerate(names):
        save_eye(tmp_path / "eyes" / name, shade=shade)
    (tmp_path / "eyes" / "d.jpg").write_bytes(b"")
    (tmp_path / "eyes" / "f.jpg").write_bytes(b"")
    lines = (
        "image,patient,eye", "a_g3_lesions.jpg,007,left", "b_g0.jpg,../Müller,right",
        "c_g1.jpg,007,right", "d.jpg,../Müller,left", "e_g2.jpg,,", "f.jpg,,",
    )  # fmt: skip
    (tmp_path / "eyes" / "eyes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "eyes" / "eyes.csv"


def text_of(path: Path) -> str:
    import pypdf

    return " ".join(
        " ".join(page.extract_text().split())
        for page in pypdf.PdfReader(io.BytesIO(path.read_bytes())).pages
    )


@needs_report
def test_each_patient_has_a_report_and_so_has_a_photograph_of_nobody(
    eyes: Path, tmp_path: Path, fundoscope: Command
) -> None:
    out = tmp_path / "out"
    assert fundoscope("read", eyes, "--out", out, "--report").code == 3
    found = sorted(path.name for path in out.glob("report-*.pdf"))
    assert [name[:-13] for name in found] == ["report-.._Müller", "report-007", "report-e_g2"]
    assert sorted(path.stem for path in out.glob("report-*.html")) == [
        name.removesuffix(".pdf") for name in found
    ]
    both = text_of(out / found[1])
    for each in ("Patient: 007", "3 severe NPDR", "1 mild NPDR", "haemorrhages: 2"):
        assert each in both
    assert both.index("Right eye (as given)") < both.index("Left eye (as given)")
    gap = text_of(out / found[0])
    assert "Left eye: The photograph could not be read" in gap
    assert "d.jpg: is empty (0 bytes)" in gap
    assert "Patient" not in text_of(out / found[2])
    listed = json.loads((out / "run.json").read_text(encoding="utf-8"))["files_sha256"]
    assert {path.name for path in out.glob("report-*")} <= listed.keys()
    assert fundoscope("verify", out).code == 0


def test_a_report_shows_photographs_of_an_archive(tmp_path: Path, save_eye: Save) -> None:
    """They used to be taken for photographs that somebody had changed."""
    photograph = save_eye(tmp_path / "a_g2.jpg")
    with zipfile.ZipFile(tmp_path / "eyes.zip", "w") as archive:
        archive.write(photograph, "below/a_g2.jpg")
    reading = Reader(lesions=False).read(photograph)
    (given,) = gather([tmp_path / "eyes.zip"]).photographs
    with closing(SharedArchives()) as archives:
        photo = reports._again(given, reading, archives)
    assert photo is not None
    assert photo.facts.sha256 == reading.photo.sha256


@needs_report
def test_the_next_run_removes_the_reports_of_an_earlier_one(
    eyes: Path, tmp_path: Path, fundoscope: Command
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    own = out / "report-of-mine-00000000.pdf"
    own.write_bytes(b"mine")
    fundoscope("read", eyes, "--out", out, "--report", "--language", "zh")
    (page, *_) = out.glob("report-007*.html")
    assert "右眼" in page.read_text(encoding="utf-8")
    fundoscope("read", eyes, "--out", out, "--overwrite")
    assert [path.name for path in out.glob("report-*")] == [own.name]


@needs_report
def test_a_photograph_that_was_changed_since_is_not_shown(
    eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    written = reports._patients

    def meanwhile(*given: Any) -> Any:
        (eyes.parent / "a_g3_lesions.jpg").write_bytes(b"")
        (eyes.parent / "c_g1.jpg").write_bytes((eyes.parent / "b_g0.jpg").read_bytes())
        return written(*given)

    monkeypatch.setattr(reports, "_patients", meanwhile)
    fundoscope("read", eyes, "--out", out, "--report")
    (report,) = out.glob("report-007*.pdf")
    assert text_of(report).count(reports.CHANGED) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--report",), "--report: needs a folder of results; name it with --out DIR"),
        (("--language", "zh"), "--language: works with --report only; add --report"),
    ],
)
def test_options_without_effect_are_refused(
    eyes: Path, fundoscope: Command, options: tuple[str, ...], said: str
) -> None:
    answer = fundoscope("read", eyes, *options)
    assert answer.code == 2
    assert said in answer.err


@needs_report
def test_an_unknown_language_is_refused_before_anything_is_read(
    eyes: Path, tmp_path: Path, fundoscope: Command
) -> None:
    answer = fundoscope("read", eyes, "--out", tmp_path / "out", "--report", "--language", "xx")
    assert answer.code == 2
    assert "'xx': is unknown" in answer.err
    assert not (tmp_path / "out").exists()


def test_without_reportlab_the_command_names_the_extra(
    eyes: Path, tmp_path: Path, fundoscope: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fundoscope.cli.read.REPORT", ("report", ("surely_not_a_module",)))
    answer = fundoscope("read", eyes, "--out", tmp_path / "out", "--report")
    assert answer.code == 2
    assert 'pip install "fundoscope[report]"' in answer.err
