"""Real processes killed at random moments: the folder holds one whole run, see the bench."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "kill_results.py"


@pytest.mark.slow
@pytest.mark.skipif(not SCRIPT.is_file(), reason="the benches are not part of this copy")
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_killed_run_leaves_one_whole_run() -> None:
    command = [sys.executable, str(SCRIPT), "--kills", "4", "--seed", "3"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "8 runs, one whole run afterwards: 8"
