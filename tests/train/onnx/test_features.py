"""The further output of a graph leaves its first one as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fundoscope.errors import BundleError
from fundoscope.models import bundle, runtime
from fundoscope.models.judge import FEATURES
from fundoscope.train.onnx import features

onnx = pytest.importorskip("onnx")


def without_features(model: bytes) -> bytes:
    proto = onnx.load_from_string(model)
    kept = [output for output in proto.graph.output if output.name != FEATURES]
    nodes = [node for node in proto.graph.node if FEATURES not in node.output]
    del proto.graph.output[:], proto.graph.node[:]
    proto.graph.output.extend(kept)
    proto.graph.node.extend(nodes)
    content: bytes = proto.SerializeToString()
    return content


def test_the_logits_stay_the_same_to_the_bit() -> None:
    shipped = bundle.load_grader(bundle.shipped())
    plain = without_features(shipped.model)
    given = features.with_features(plain)
    assert given is not None
    before, after = (runtime.open_graph(model, "test") for model in (plain, given))
    size = shipped.manifest.height_width
    squares = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(np.uint8)
    (logits,) = runtime.outputs(before, squares, None)
    both = runtime.outputs(after, squares, None)
    np.testing.assert_array_equal(logits, both[0])
    assert both[1].shape == (2, 1280)
    assert [node.shape[-1] for node in after.get_outputs()] == [4, 1280]


def test_a_graph_with_features_is_not_changed() -> None:
    model = bundle.load_grader(bundle.shipped()).model
    assert features.with_features(model) == model


def test_a_graph_that_ends_otherwise_has_none() -> None:
    from onnx import TensorProto, helper

    ends = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1])
    begins = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1])
    graph = helper.make_graph(
        [helper.make_node("Relu", ["pixels"], ["logits"])], "test", [begins], [ends]
    )
    assert features.with_features(helper.make_model(graph).SerializeToString()) is None


def test_a_bundle_keeps_its_grades(tmp_path: Path) -> None:
    manifest = features.add_to_bundle(bundle.shipped(), tmp_path)
    assert manifest.model_sha256 == bundle.load_grader(tmp_path).manifest.model_sha256


def test_a_bundle_of_another_task_has_no_features(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a grading bundle"):
        features.add_to_bundle(bundle.shipped(bundle.DETECTION), tmp_path)
