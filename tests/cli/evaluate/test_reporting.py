"""The row that records a look at a test split belongs to this project alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from fundoscope.cli.evaluate import reporting


def test_only_a_repository_that_keeps_looks_is_reminded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "ours" / "theirs"
    (ours / "docs").mkdir(parents=True)
    (ours / "docs" / "test-looks.csv").write_text("date\n")
    (theirs / ".git").mkdir(parents=True)
    (ours / "runs").mkdir()
    for folder, reminded in ((ours, True), (ours / "runs", True), (theirs, False)):
        monkeypatch.chdir(folder)
        reporting.remind("abc", "fundoscope evaluate", "test", 3, "kappa 0.9")
        printed = capsys.readouterr()
        assert ("test-looks.csv" in printed.err) is reminded
        assert printed.out == ""
