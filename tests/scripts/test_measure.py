"""``scripts/measure``: the commands behind the results, each once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from fundoscope.cli.main import app

ROOT = Path(__file__).parents[2]
ROW = "2026-12-01,abc,fundoscope evaluate,test,3,accuracy 1.0"


@pytest.fixture
def measure(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("measure")


def steps(
    measure: ModuleType, monkeypatch: pytest.MonkeyPatch, out: Path, *words: str, code: int = 0
) -> tuple[int, list[list[str]]]:
    """The exit code, and the commands that were run."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> object:
        ran.append(command[1:])
        said = f"figures\nthis was a look at a test split; {measure.LOOKED}\n{ROW}\n"
        return type("Done", (), {"returncode": code, "stdout": said.encode()})

    monkeypatch.setattr(measure.subprocess, "run", run)
    where = ["--data", "data", "--more", "more", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["measure", *words, *where])
    return measure.main(), ran


@pytest.mark.parametrize("words", [("grader", "--pictures", "natural"), ("detector",)])
def test_each_step_is_a_command_with_these_options(
    measure: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, words: tuple[str, ...]
) -> None:
    code, ran = steps(measure, monkeypatch, tmp_path, *words)
    assert code == 0
    shared = (ROOT / "bench" / "arguments.py").read_text() + (
        ROOT / "bench" / "both_opinions.py"
    ).read_text()
    for first, *options in ran:
        if first == "-m":
            _, group, name, *given = options
            command = get_command(app).get_command(None, group).get_command(None, name)
            command.make_context(name, given)
            continue
        known = (ROOT / first).read_text() + shared
        assert [option for option in options if option[:2] == "--" and option not in known] == []


def test_a_test_split_is_looked_at_once(
    measure: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, first = steps(measure, monkeypatch, tmp_path, "detector")
    _, again = steps(measure, monkeypatch, tmp_path, "detector")
    assert (len(first), again) == (4, [])
    assert (tmp_path / "test-looks.csv").read_text().splitlines() == [ROW] * 4


def test_figures_of_two_bundles_do_not_share_a_folder(
    measure: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A grader that was replaced would be given the figures of the one before."""
    steps(measure, monkeypatch, tmp_path, "detector")
    stored = json.loads((tmp_path / measure.MODELS).read_text())
    (tmp_path / measure.MODELS).write_text(json.dumps(stored | {"grading": "0" * 64}))
    code, ran = steps(measure, monkeypatch, tmp_path, "grader")
    assert (code, ran) == (2, [])
    assert "has figures of other bundles; choose another --out" in capsys.readouterr().err


def test_what_failed_is_named_and_repeated(
    measure: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, first = steps(measure, monkeypatch, tmp_path, "detector", code=2)
    assert (code, "failed: lesions, eophtha" in capsys.readouterr().out) == (1, True)
    _, again = steps(measure, monkeypatch, tmp_path, "detector")
    assert again == first
