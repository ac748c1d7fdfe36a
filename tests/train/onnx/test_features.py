"""The further output of a graph leaves its first one as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fundoscope.errors import BundleError
from fundoscope.models import bundle, runtime
from fundoscope.models.judge import FEATURES, HEAT, STAGES
from fundoscope.train.onnx import features

onnx = pytest.importorskip("onnx")


FURTHER = {FEATURES, STAGES, HEAT}


def without_features(model: bytes) -> bytes:
    proto = onnx.load_from_string(model)
    kept = [output for output in proto.graph.output if output.name not in FURTHER]
    nodes = [
        node
        for node in proto.graph.node
        if not any(name.split("_")[0] in FURTHER for name in node.output)
    ]
    del proto.graph.output[:], proto.graph.node[:]
    proto.graph.output.extend(kept)
    proto.graph.node.extend(nodes)
    content: bytes = proto.SerializeToString()
    return content


ROUNDING = 0.05


def squares_of(count: int) -> np.ndarray:
    size = bundle.load_grader(bundle.shipped()).manifest.height_width
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3)).astype(np.uint8)


def test_the_logits_stay_the_same_but_for_rounding() -> None:
    """ONNX Runtime adds the sums that are outputs, too, in floats instead of in eight bits."""
    plain = without_features(bundle.load_grader(bundle.shipped()).model)
    given = features.with_features(plain)
    assert given is not None
    before, after = (runtime.open_graph(model, "test") for model in (plain, given))
    (logits,) = runtime.outputs(before, squares_of(2), None)
    outputs = runtime.outputs(after, squares_of(2), None)
    np.testing.assert_allclose(logits, outputs[0], atol=ROUNDING)
    assert [output.shape[:2] for output in outputs] == [(2, 4), (2, 1280), (2, 736), (2, 4)]
    assert [node.name for node in after.get_outputs()] == ["logits", FEATURES, STAGES, HEAT]


def test_the_heat_of_all_places_adds_up_to_the_logits_less_the_bias() -> None:
    session = runtime.open_graph(bundle.load_grader(bundle.shipped()).model, "test")
    logits, heat = runtime.outputs(session, squares_of(3), ["logits", HEAT])
    bias = logits - heat.mean(axis=(2, 3))
    np.testing.assert_allclose(bias, np.broadcast_to(bias[0], bias.shape), atol=1e-3)


def test_stages_hold_means_and_standard_deviations() -> None:
    """A later standard deviation is never below zero, and a flat picture has hardly any."""
    session = runtime.open_graph(bundle.load_grader(bundle.shipped()).model, "test")
    (stages,) = runtime.outputs(session, squares_of(2), [STAGES])
    first = 24  # channels of the first stage
    assert (stages[:, first : 2 * first] > 0).all()
    (flat,) = runtime.outputs(session, np.full_like(squares_of(1), 90), [STAGES])
    assert flat[0, first : 2 * first].mean() < stages[0, first : 2 * first].mean() / 2


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
