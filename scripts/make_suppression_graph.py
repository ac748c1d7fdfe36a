"""Make the graph that :mod:`fundoscope.lesions.merge` runs: one NonMaxSuppression.

    .venv-train/bin/python scripts/make_suppression_graph.py

writes it again into the package, which itself does without ``onnx``.
"""

from __future__ import annotations

from typing import Any

from fundoscope.lesions.merge import GRAPH
from fundoscope.train.onnx.graph import OPSET

IR_VERSION = 8
"""Of the file format; ONNX Runtime has read it since 1.10."""


def graph() -> bytes:
    """The graph as bytes.

    It takes ``boxes (1, N, 4)``, ``scores (1, kinds, N)`` and limits, and gives ``kept (M, 3)``:
    rows of 0, kind and box.
    """
    from onnx import TensorProto, checker, helper

    def value(name: str, kind: int, shape: tuple[int | str, ...]) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    takes = (
        value("boxes", TensorProto.FLOAT, (1, "count", 4)),
        value("scores", TensorProto.FLOAT, (1, "kinds", "count")),
        value("most", TensorProto.INT64, (1,)),
        value("overlap", TensorProto.FLOAT, (1,)),
        value("least_score", TensorProto.FLOAT, (1,)),
    )
    node = helper.make_node(
        "NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least_score"], ["kept"]
    )
    gives = (value("kept", TensorProto.INT64, ("boxes_kept", 3)),)
    model = helper.make_model(
        helper.make_graph([node], "suppress", takes, gives),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


if __name__ == "__main__":
    GRAPH.write_bytes(graph())
