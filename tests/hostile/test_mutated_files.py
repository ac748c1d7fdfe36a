"""Damaged files of every kind end in a result or in one sentence, within 2 s and 1 GB.

Some hundred cases; ``bench/mutated.py`` runs many more.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import mutate
import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "mutated.py"
SLOW = ("keras-keras", "keras-h5", "pack", "parquet")
"""Kinds whose libraries take long to load; the bench has them."""
KINDS = [name for name in mutate.KINDS if name not in SLOW]
CASES = 400


@pytest.mark.skipif(not SCRIPT.is_file() or os.name == "nt", reason="needs the benches, and fork")
def test_damaged_files(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--count", str(CASES), "--kinds", ",".join(KINDS)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("s, 0 failed")


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_file_is_read(name: str, tmp_path: Path) -> None:
    """Else the damage would say nothing."""
    mutate.KINDS[name].make(tmp_path)
    mutate.KINDS[name].use(tmp_path)


def test_a_case_is_always_the_same(tmp_path: Path) -> None:
    made = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        mutate.damage("coco", 3, folder)
        made.append((folder / "coco.json").read_bytes())
    assert made[0] == made[1]
