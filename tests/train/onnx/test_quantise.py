"""A graph of eight bits predicts as the float graph, on every processor."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx
from onnx import TensorProto, helper, numpy_helper

from fundoscope.errors import UsageError
from fundoscope.models import runtime
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise

SIDE, CHANNELS, OUTPUTS = 12, 96, 4
LAYERS = quantise.FIRST_IN_FLOAT + 4


def draw(count: int, seed: int) -> np.ndarray:
    """Smooth noise, ``uint8 (count, SIDE, SIDE, 3)``."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (count, SIDE // 4, SIDE // 4, 3))
    return np.repeat(np.repeat(coarse, 4, axis=1), 4, axis=2).astype(np.uint8)


def network(layers: int = LAYERS) -> bytes:
    """Convolutions with normalisation, every other one added to what it came from; then logits."""
    rng = np.random.default_rng(3)
    weights = {"network.last.weight": rng.normal(0, 0.1, (CHANNELS, OUTPUTS)).astype(np.float32)}
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["planes"], perm=(0, 3, 1, 2)),
        helper.make_node("Mul", ["planes", "shade"], ["x0"]),
    ]
    weights["shade"] = np.float32(1 / 255)
    for i in range(layers):
        before = 3 if i == 0 else CHANNELS
        spread = (2 / before) ** 0.5 / 3
        kernel = rng.normal(0, spread, (CHANNELS, before, 3, 3)).astype(np.float32)
        weights[f"network.{i}.weight"] = kernel
        for part, value in (("scale", 1.1), ("bias", 0.1), ("mean", 0.05), ("var", 0.9)):
            weights[f"network.{i}.{part}"] = np.full(CHANNELS, value, np.float32)
        normal = [f"network.{i}.{part}" for part in ("scale", "bias", "mean", "var")]
        nodes += [
            helper.make_node("Conv", [f"x{i}", f"network.{i}.weight"], [f"c{i}"], pads=[1] * 4),
            helper.make_node("BatchNormalization", [f"c{i}", *normal], [f"b{i}"]),
            helper.make_node("Relu", [f"b{i}"], [f"r{i}"]),
            helper.make_node("Add", [f"x{i}", f"r{i}"], [f"x{i + 1}"])
            if i % 2
            else helper.make_node("Identity", [f"r{i}"], [f"x{i + 1}"]),
        ]
    nodes += [
        helper.make_node("GlobalAveragePool", [f"x{layers}"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "network.last.weight"], ["logits"], name="/last/Gemm"),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", OUTPUTS])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    opset = [helper.make_opsetid("", onnx_graph.OPSET)]
    model: bytes = helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString()
    return model


@pytest.fixture(scope="module")
def whole() -> bytes:
    return network()


@pytest.fixture(scope="module")
def small(whole: bytes) -> bytes:
    return quantise.quantise(whole, np.split(draw(12, 1), 12))


def run(model: bytes, pixels: np.ndarray, threads: int = 1) -> np.ndarray:
    return runtime.run(runtime.open_graph(model, "a graph", threads=threads), pixels)


def weights_of(model: bytes, kind: int) -> list[np.ndarray]:
    tensors = onnx.load_from_string(model).graph.initializer
    return [numpy_helper.to_array(t) for t in tensors if t.data_type == kind and len(t.dims) == 4]


def test_it_says_what_the_float_graph_says(whole: bytes, small: bytes) -> None:
    shown = draw(20, 2)
    ours, theirs = run(small, shown), run(whole, shown)
    assert np.abs(ours - theirs).max() < 0.1 * np.ptp(theirs)
    assert len(small) < 0.6 * len(whole)


def test_the_first_convolutions_and_the_last_layer_stay_in_float(small: bytes) -> None:
    weights = weights_of(small, TensorProto.INT8)
    assert len(weights) == LAYERS - quantise.FIRST_IN_FLOAT
    graph = onnx.load_from_string(small).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["BatchNormalization"] == 0
    assert kinds["Conv"] == LAYERS
    made_by = {name: node.op_type for node in graph.node for name in node.output}
    last = next(node for node in graph.node if node.op_type == "Gemm")
    assert {made_by.get(name, "Cast") for name in last.input} <= {"Flatten", "Cast"}


def test_two_products_fit_into_sixteen_bits(small: bytes) -> None:
    # 255 times the largest weight, twice: where it does not, old processors give something else.
    largest = max(
        np.abs(kernel.astype(int)).max() for kernel in weights_of(small, TensorProto.INT8)
    )
    assert 2 * 255 * largest < 2**15


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_and_batches_change_no_bit(small: bytes, threads: int) -> None:
    shown = draw(6, 4)
    together = run(small, shown, threads)
    alone = np.concatenate([run(small, one) for one in np.split(shown, 6)])
    assert together.tobytes() == alone.tobytes()


def test_the_same_pictures_make_the_same_file(whole: bytes, small: bytes) -> None:
    assert quantise.quantise(whole, np.split(draw(12, 1), 12)) == small


def test_it_says_nothing_and_names_no_machine(
    whole: bytes, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    made = quantise.quantise(whole, [draw(1, 5)])
    assert capfd.readouterr() == ("", "")
    assert not caplog.records
    assert b"/tmp" not in made
    domains = {one.domain for one in onnx.load_from_string(made).opset_import}
    assert domains == {""}


def test_its_weights_are_not_taken_for_the_network_s_own(whole: bytes, small: bytes) -> None:
    assert onnx_graph.weights(whole)
    assert not onnx_graph.weights(small)


def test_products_and_what_is_left(whole: bytes) -> None:
    def kinds(**options: object) -> Counter[str]:
        made = quantise.quantise(whole, [draw(1, 5)], **options)  # type: ignore[arg-type]
        return Counter(node.op_type for node in onnx.load_from_string(made).graph.node)

    plain = kinds()["QuantizeLinear"]
    assert kinds(products=True)["QuantizeLinear"] > plain
    assert kinds(products=True, left=("last",))["QuantizeLinear"] == plain


def test_a_network_of_few_convolutions_is_refused() -> None:
    with pytest.raises(UsageError, match="no convolution after the first 6"):
        quantise.quantise(network(quantise.FIRST_IN_FLOAT), [draw(1, 5)])


def test_a_sample_is_even_over_the_sources_and_always_the_same() -> None:
    sources = ["large"] * 90 + ["small"] * 4 + ["middle"] * 20
    chosen = quantise.sample(range(len(sources)), sources, 24)
    assert Counter(sources[i] for i in chosen) == {"large": 10, "middle": 10, "small": 4}
    assert chosen == sorted(chosen)
    assert chosen == quantise.sample(range(len(sources)), sources, 24)
    assert quantise.sample("ab", ["", ""], 24) == ["a", "b"]
    assert quantise.sample([], [], 24) == []
