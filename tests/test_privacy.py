"""Nothing is sent, and nothing is left in the home folder: see the fixture ``run_alone``.

``tests/train/test_privacy_of_training.py`` has the commands that need torch or Keras.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from fundoscope import phantom
from fundoscope.models import runtime
from fundoscope.phantom import PhantomSpec

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "healthy-notch.jpg"
ALLOWED_IMPORTERS = {"models/runtime.py"}
IMPORTS = re.compile(r"^( *)(?:import|from) onnxruntime\b", re.MULTILINE)

Alone = Callable[..., None]


def test_reading_sends_and_leaves_nothing(run_alone: Alone, tmp_path: Path) -> None:
    run_alone("read", EXAMPLE, "--out", tmp_path / "out")


def test_annotating_sends_and_leaves_nothing(run_alone: Alone, tmp_path: Path) -> None:
    run_alone("annotate", EXAMPLE, "--out", tmp_path / "out")


@pytest.mark.slow
def test_evaluating_sends_and_leaves_nothing(run_alone: Alone, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    lines = ["image,grade,patient"]
    for seed in range(5):
        spec = PhantomSpec(seed=seed, width=256, height=224, grade=seed)
        Image.fromarray(phantom.draw(spec)[0]).save(tmp_path / f"{seed}.jpg", quality=95)
        lines.append(f"{seed}.jpg,{seed},p{seed}")
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    run_alone("evaluate", "grading", table, "--out", tmp_path / "out")


@pytest.mark.slow
def test_the_check_up_sends_and_leaves_nothing(run_alone: Alone) -> None:
    run_alone("doctor")


def test_one_place_imports_the_runtime() -> None:
    """Elsewhere its name may be imported for types, or once the telemetry is off."""
    package = ROOT / "src" / "fundoscope"
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if not IMPORTS.search(text) or path.relative_to(package).as_posix() in ALLOWED_IMPORTERS:
            continue
        before = text[: IMPORTS.search(text).start()]  # type: ignore[union-attr]
        lines = before.rstrip().splitlines()
        assert "if TYPE_CHECKING:" in before or lines[-1].strip() == "runtime.library()", path


def test_who_sets_the_variable_keeps_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(runtime.TELEMETRY, raising=False)
    runtime.library()
    assert os.environ[runtime.TELEMETRY] == "1"
    monkeypatch.setenv(runtime.TELEMETRY, "0")
    runtime.library()
    assert os.environ[runtime.TELEMETRY] == "0"
