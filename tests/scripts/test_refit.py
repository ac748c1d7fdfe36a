"""``scripts/refit``: its steps are commands of this version."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from fundoscope.cli.main import app

SCRIPT = Path(__file__).parents[2] / "scripts" / "refit"
LABELS = ["--labels", "labels.csv", "--out", "out"]


@pytest.fixture(scope="module")
def refit(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("refit")


def steps(
    refit: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments: list[str]
) -> tuple[int, list[list[str]]]:
    """The exit code, and the commands that it ran: the words behind ``-m fundoscope``."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> object:
        ran.append(command[3:])
        return type("Done", (), {"returncode": 3 if "lesions" in command else 0})

    monkeypatch.setattr(refit.subprocess, "run", run)
    cache = ["--cache", str(tmp_path / "cache")]
    monkeypatch.setattr(sys, "argv", ["refit", *arguments, *LABELS, *cache])
    return refit.main(), ran


@pytest.mark.parametrize(
    ("arguments", "ends_with", "expected"),
    [
        (["grader", "b", "--natural", "n"], 0, ["bundle features", "calibrate judge"]),
        (  # Photographs that could not be read end no step, and are not forgotten.
            ["detector", "b", "--raise-thresholds"],
            3,
            ["calibrate lesions", "calibrate lesion-grade"],
        ),
    ],
)
def test_each_step_is_a_command_with_these_options(
    refit: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    ends_with: int,
    expected: list[str],
) -> None:
    code, ran = steps(refit, monkeypatch, tmp_path, arguments)
    assert code == ends_with
    assert [" ".join(command[:2]) for command in ran] == expected
    for group, name, *options in ran:
        command = get_command(app).get_command(None, group).get_command(None, name)
        command.make_context(name, options)


def test_each_step_takes_what_the_one_before_wrote(
    refit: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, (first, second) = steps(refit, monkeypatch, tmp_path, ["detector", "b"])
    written = first[first.index("--out") + 1]
    assert second[second.index("--detector") + 1] == written
    assert second[second.index("--out") + 1] == "out"


def test_a_step_that_fails_ends_it(
    refit: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(refit, "INCOMPLETE", 0)
    code, ran = steps(refit, monkeypatch, tmp_path, ["detector", "b"])
    assert (code, len(ran)) == (3, 1)
