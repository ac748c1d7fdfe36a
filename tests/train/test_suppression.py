from __future__ import annotations

import pytest

from fundoscope.lesions.merge import GRAPH

onnx = pytest.importorskip("onnx")


def test_the_graph_that_ships_is_the_one_that_is_made_here() -> None:
    from fundoscope.train import suppression

    shipped, made = onnx.load(GRAPH), onnx.load_from_string(suppression.graph())
    assert shipped == made
