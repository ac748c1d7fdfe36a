"""bench/detect.py times functions by their names, so a change of the source can break it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_part_of_a_reading_is_timed() -> None:
    photograph = ROOT / "examples" / "moderate-clipped.jpg"
    command = [sys.executable, str(ROOT / "bench" / "detect.py"), str(photograph)]
    done = subprocess.run(
        [*command, "--data", str(ROOT), "--rounds", "1", "--threads", "1"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    table = done.stdout.split("| peak memory")[0]
    medians = dict(re.findall(r"^\| (.+?) \| (\d+)", table, re.MULTILINE))
    assert len(medians) == 10
    assert all(int(medians[part]) > 0 for part in ("detector", "optic disc and fovea"))
    assert int(medians["grader, with its input"]) > 0
