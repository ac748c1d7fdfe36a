"""Files that cost far more than they look are refused in little time and memory.

They are used in a process of their own (``bench/bombs.py``), which is ended if one goes off.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from made import everything, photographs
from made.measuring import Cost

from fundoscope.errors import PhotoError

SCRIPT = Path(__file__).parents[2] / "bench" / "bombs.py"
PATIENCE = 3.0
"""Times the bounds of time: the machines of continuous integration are slow, and share their caches
with other work. The bench holds the bounds themselves."""
BOMBS = {bomb.name: bomb for bomb in everything.bombs() if not bomb.slow_to_make}
HEADERS = {bomb.name: bomb for bomb in photographs.bombs() if bomb.lies and bomb.quick}


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cost]:
    """What each bomb cost."""
    if not SCRIPT.is_file() or os.name == "nt":
        pytest.skip("needs the benches, and a system with fork")
    out = tmp_path_factory.mktemp("bombs") / "costs.json"
    command = [sys.executable, str(SCRIPT), "--quick", "--json", str(out)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
    measured: dict[str, dict[str, Any]] = json.loads(out.read_text())
    return {name: Cost(**each) for name, each in measured.items()}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_one_refusal(name: str, costs: dict[str, Cost]) -> None:
    assert everything.within(BOMBS[name], costs[name], patience=PATIENCE), costs[name]
    assert "\n" not in costs[name].detail
    assert "internal error" not in costs[name].detail


def test_there_are_enough_of_them() -> None:
    assert len(everything.bombs()) >= 60


@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_lies_is_refused(name: str, tmp_path: Path) -> None:
    """The same in this process, where coverage is measured."""
    HEADERS[name].make(tmp_path / name)
    with pytest.raises(PhotoError):
        HEADERS[name].use(tmp_path / name)
