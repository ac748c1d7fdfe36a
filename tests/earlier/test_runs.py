"""Runs of 0.1: their configurations load, their check-points resume, their folders export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
for package in ("timm", "lightning", "onnx", "onnxscript"):
    pytest.importorskip(package)

from fundoscope.cli import main
from fundoscope.models import bundle as bundles

CONFIGS = Path(__file__).parent / "0.1"
COMMANDS = {"grader": "grader", "boxes": "detector", "masks": "detector"}
"""By kind of run: the command of ``fundoscope train``."""
STEPS = {"grader": 7, "boxes": 159, "masks": 159}
"""The step of the check-point."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def train(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Run ``fundoscope train`` in this process; what it prints."""

    def run(*arguments: object) -> str:
        code = main.run(["train", *map(str, arguments)])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return run


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_stored_configuration_has_no_task_key(kind: str, earlier: Path) -> None:
    stored = json.loads((earlier / kind / "config.json").read_text())
    assert set(stored) == {"config", "manifest_sha256"}
    assert "task" not in stored["config"]


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_check_point_resumes(
    kind: str, earlier: Path, expected: dict[str, Any], train: Callable[..., str]
) -> None:
    """The TOML file still means the folder's run, and its last step gives what it gave in 0.1."""
    stored = torch.load(earlier / kind / "checkpoint.pt", weights_only=True)
    assert stored["step"] == STEPS[kind]
    train(COMMANDS[kind], CONFIGS / f"{kind}.toml", "--out", earlier / kind)
    lines = (earlier / kind / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2
    line, before = json.loads(lines[-1]), expected[kind]["metrics"]
    assert line["step"] == before["step"] == STEPS[kind] + 1
    assert line["loss"] == pytest.approx(before["loss"], rel=1e-3)
    assert line["score"] == pytest.approx(before["score"], abs=0.05)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_run_folder_exports(kind: str, earlier: Path, train: Callable[..., str]) -> None:
    train("export", earlier / kind, earlier / "exported", "--name", f"{kind} again")
    now, before = bundles.load(earlier / "exported"), bundles.load(earlier / f"{kind}-bundle")
    assert now.manifest.name == f"{kind} again"
    assert now.manifest.task == before.manifest.task
    assert now.manifest.trained_on.manifest_sha256 == before.manifest.trained_on.manifest_sha256
    assert now.manifest.trained_on.configuration == before.manifest.trained_on.configuration
