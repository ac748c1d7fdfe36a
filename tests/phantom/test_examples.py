"""The example photographs are what their README says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fundoscope.cli.main import run
from fundoscope.phantom import Truth

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = re.findall(r"^fundoscope (.+)$", (EXAMPLES / "README.md").read_text("utf-8"), re.M)
LARGEST = 400_000
ALIKE = 1.0
"""Mean difference of a value, 0 to 255: libraries round differently on other machines."""


def test_there_are_three_and_each_has_its_command() -> None:
    pictures = {f"examples/{path.name}" for path in EXAMPLES.glob("*.jpg")}
    assert {shlex.split(command)[1] for command in COMMANDS} == pictures
    assert len(pictures) == 3
    assert all(path.stat().st_size < LARGEST for path in EXAMPLES.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_draws_the_picture_again(command: str, tmp_path: Path) -> None:
    verb, picture, *options = shlex.split(command)
    name = Path(picture).name
    assert run([verb, str(tmp_path / name), *options]) == 0
    with Image.open(EXAMPLES / name) as kept, Image.open(tmp_path / name) as again:
        assert kept.size == again.size
        difference = np.abs(np.asarray(kept, dtype=float) - np.asarray(again, dtype=float))
    assert difference.mean() < ALIKE
    sidecar = f"{Path(name).stem}.truth.json"
    truth, redrawn = (
        Truth.from_json((folder / sidecar).read_bytes()) for folder in (EXAMPLES, tmp_path)
    )
    assert redrawn.field.centre == pytest.approx(truth.field.centre, abs=0.05)
    assert redrawn.fovea == pytest.approx(truth.fovea, abs=0.05)
    assert [lesion.kind for lesion in redrawn.lesions] == [lesion.kind for lesion in truth.lesions]
