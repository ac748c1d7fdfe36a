from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from fundoscope.lesions.merge import GRAPH

onnx = pytest.importorskip("onnx")
SCRIPT = Path(__file__).parents[3] / "scripts" / "make_suppression_graph.py"


def test_the_shipped_graph_is_the_one_that_the_script_makes() -> None:
    made = runpy.run_path(str(SCRIPT))["graph"]()
    assert onnx.load(GRAPH) == onnx.load_from_string(made)
