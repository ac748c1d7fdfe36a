"""What 8-bit weights bring and cost, measured on validation; as Markdown tables.

    python bench/quantise.py RUN [--cache DIR] [--sizes 320 384 448] [--burst 3] [--pause 1]

RUN is the folder of a grader's or a detector's run. Its best network becomes a float graph and
several quantised ones, calibrated on training photographs. All run in turn on every validation
photograph, on one thread in one process, so that other load on the machine slows each of them: the
*ratios* of the times count. It works in bursts of some seconds, with pauses. For a grader it also
measures other arithmetic: ONNX Runtime's float16 and, where it is installed, OpenVINO. No test
photograph is read.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from unittest import mock

import msgspec
import numpy as np
from PIL import Image

from fundoscope.evaluate.lesions import hits
from fundoscope.grading import inputs
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.models import runtime
from fundoscope.train.detection import config as detector_configs
from fundoscope.train.detection import export as detector_export
from fundoscope.train.detection import registry
from fundoscope.train.detection import storage as detector_storage
from fundoscope.train.detection import training as detector
from fundoscope.train.grading import calibrate, export, photographs, pictures
from fundoscope.train.grading import config as grader_configs
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise
from fundoscope.train.run import folder as runs
from fundoscope.train.run.settings import sides

FLOAT: Final = "float32"
VARIANTS: Final[Mapping[str, dict[str, Any]]] = {
    "int8, as `--int8` does it": {},
    "int8, weights of eight bits": {"REDUCED": False},
    "int8, only the first convolution in float": {"FIRST_IN_FLOAT": 1},
}
"""Constants of :mod:`fundoscope.train.onnx.quantise`, changed one at a time."""
OTHERS: Final = 60
"""Number of photographs on which other arithmetic is timed."""
TIMES: Final = 40
"""Rounds in which the sizes are timed."""
OPENVINO: Final = {
    "OpenVINO float32": (FLOAT, "f32"),
    "OpenVINO bfloat16": (FLOAT, "bf16"),
    "OpenVINO int8": ("int8", "f32"),
    "OpenVINO int8, the rest bfloat16": ("int8", "bf16"),
}


@dataclass
class Pace:
    """Works in bursts, with pauses in which others can work; both in seconds."""

    burst: float
    pause: float
    begun: float = field(default_factory=time.perf_counter)

    def breathe(self) -> None:
        if time.perf_counter() - self.begun > self.burst:
            time.sleep(self.pause)
            self.begun = time.perf_counter()

    def over(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            yield item
            self.breathe()


def in_turn(
    run: Mapping[str, Callable[[Any], Any]], items: Iterable[Any], pace: Pace
) -> tuple[dict[str, list[float]], dict[str, list[Any]]]:
    """Run each function on each item; gives seconds and results, by name."""
    seconds: dict[str, list[float]] = {name: [] for name in run}
    results: dict[str, list[Any]] = {name: [] for name in run}
    for item in items:
        for name, function in run.items():
            start = time.perf_counter()
            results[name].append(function(item))
            seconds[name].append(time.perf_counter() - start)
            pace.breathe()
    return seconds, results


def ratio(seconds: Mapping[str, list[float]], name: str, to: str = FLOAT) -> str:
    """Write the median over items of the ratio of two times (and its middle half)."""
    each = np.array(seconds[name]) / np.array(seconds[to])
    low, middle, high = np.quantile(each, (0.25, 0.5, 0.75))
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def variants(
    whole: bytes, shown: Callable[[], Iterator[Any]], **options: Any
) -> Iterator[tuple[str, bytes]]:
    """Make the float graph and the quantised ones."""
    yield FLOAT, whole
    for name, constants in VARIANTS.items():
        with mock.patch.multiple(quantise, **(constants or {"SEED": quantise.SEED})):
            yield name, quantise.quantise(whole, shown(), **options)


def caller(model: bytes) -> Callable[[Any], Any]:
    return partial(runtime.run, runtime.open_graph(model, "a graph"))


def grader(run: Path, cache: Path | None, sizes: list[int], pace: Pace) -> None:
    config, _ = grader_configs.of_run(run)
    table = photographs.read(config.data.manifest)
    rows = photographs.choose(table, config.data, config.seed)
    network, _, size = export.best_network(run, config)
    wanted = inputs.Input(config.data.input, *sides(size))
    load = partial(pictures.load, table, wanted=wanted, cache=cache or Path(config.data.cache))
    val, train = (
        load([row for row in rows if row.split == "val"]),
        load(export.calibration_rows(rows)),
    )
    normal = networks.normalisation(config.network.name, config.normalise)
    whole = onnx_graph.to_onnx(network, normal, *sides(size))
    models = dict(variants(whole, lambda: pace.over(export.one_by_one(train))))
    print(f"{len(val.rows)} validation photographs, calibrated on {len(train.rows)}\n")
    seconds, results = in_turn(
        {name: caller(model) for name, model in models.items()}, export.one_by_one(val), pace
    )
    outputs = {name: np.concatenate(each) for name, each in results.items()}
    evaluated(models, outputs, seconds, val, config.head)
    some = list(export.one_by_one(val))[:: max(1, len(val.rows) // OTHERS)]
    others(models, some, config.head, pace)
    of_sizes(network, normal, sizes, some[:2], pace)


def evaluated(
    models: Mapping[str, bytes],
    outputs: Mapping[str, Any],
    seconds: Mapping[str, list[float]],
    val: pictures.Pictures,
    head: str,
) -> None:
    """Print the table of a grader's variants."""
    whole = export.calibrated(outputs[FLOAT], val, head)
    labels = np.array([row.grade for row in val.rows])
    sources = [row.source for row in val.rows]
    gradable = np.array([row.gradable is not False for row in val.rows])
    titles = (
        "weights", "time", "MB", "kappa pooled / mean", "the same, fitted values of float32",
        "AUC pooled / mean", "difference of a probability, mean / maximum",
    )  # fmt: skip
    print(f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for name, model in models.items():
        own = export.calibrated(outputs[name], val, head)
        theirs = calibrate.evaluate(outputs[name], labels, sources, gradable, head, whole.fitted)
        apart = export.differences(outputs[FLOAT], outputs[name], head)
        moves = [
            f"{getattr(variant.pooled, key) - getattr(whole.pooled, key):+.4f} /"
            f" {variant.mean(key) - whole.mean(key):+.4f}"
            for variant, key in ((own, "kappa"), (theirs, "kappa"), (own, "auc"))
        ]
        cells = (name, ratio(seconds, name), f"{len(model) / 1e6:.1f}", *moves)
        print(f"| {' | '.join(cells)} | {apart.mean():.4f} / {apart.max():.3f} |")


def others(models: Mapping[str, bytes], shown: list[Any], head: str, pace: Pace) -> None:
    """Time other arithmetic, and measure what it does to probabilities."""
    named = {FLOAT: models[FLOAT], "int8": models[next(iter(VARIANTS))]}
    run = {name: caller(model) for name, model in named.items()}
    run["ONNX Runtime float16"] = caller(float16(models[FLOAT]))
    if importlib.util.find_spec("openvino"):
        for name, (model, precision) in OPENVINO.items():
            run[name] = openvino(named[model], shown[0].shape, precision)
    for function in run.values():
        function(shown[0])
    seconds, results = in_turn(run, shown, pace)
    whole = np.concatenate(results[FLOAT])
    print("\n| arithmetic | time | difference of a probability, mean / maximum |\n|---|---|---|")
    for name in run:
        apart = export.differences(whole, np.concatenate(results[name]), head)
        print(f"| {name} | {ratio(seconds, name)} | {apart.mean():.4f} / {apart.max():.3f} |")


def float16(model: bytes) -> bytes:
    """Convert a graph to float16 arithmetic wherever ONNX Runtime has it."""
    import onnx
    from onnxruntime.transformers import float16 as conversion

    converted = conversion.convert_float_to_float16(
        onnx.load_from_string(model), keep_io_types=True
    )
    content: bytes = converted.SerializeToString()
    return content


def openvino(model: bytes, shape: tuple[int, ...], precision: str) -> Callable[[Any], Any]:
    """Load the same graph in OpenVINO, on one thread."""
    core = importlib.import_module("openvino").Core()
    read = core.read_model(model)
    read.reshape(list(shape))
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    request = core.compile_model(read, "CPU", settings).create_infer_request()
    return lambda pixels: request.infer({0: pixels})[0].copy()


def of_sizes(network: Any, normal: Any, sizes: list[int], shown: list[Any], pace: Pace) -> None:
    """Time the network at several sizes, float and int8, relative to float at the first size."""
    run: dict[str, Callable[[Any], Any]] = {}
    pixels: dict[str, Any] = {}
    for size in sizes:
        resized = [
            np.array(Image.fromarray(batch[0]).resize((size, size)))[None] for batch in shown
        ]
        whole = onnx_graph.to_onnx(network, normal, size, size)
        for name, model in ((FLOAT, whole), ("int8", quantise.quantise(whole, resized))):
            key = f"{name} at {size}"
            run[key], pixels[key] = caller(model), resized[0]
            run[key](pixels[key])
    timed = {key: lambda _, key=key: run[key](pixels[key]) for key in run}
    seconds, _ = in_turn(timed, range(TIMES), pace)
    first = f"{FLOAT} at {sizes[0]}"
    print("\n| pixels | float32 | int8 |\n|---|---|---|")
    for size in sizes:
        cells = (ratio(seconds, f"{name} at {size}", first) for name in (FLOAT, "int8"))
        print(f"| {size} | {' | '.join(cells)} |")


def of_detector(run: Path, cache: Path | None, pace: Pace) -> None:
    config, _ = detector_configs.of_run(run)
    if cache is not None:
        data = msgspec.structs.replace(config.data, cache=str(cache))
        config = msgspec.structs.replace(config, data=data)
    result = detector.read_data(config)
    network, _ = detector_export.best_network(run, config)
    whole = registry.of(config).to_onnx(network, config, result.val, detector_export.AT_ONCE)
    manifest = detector_export.manifest_of(run, config, result, whole, None)
    at_once = detector_export.AT_ONCE

    def shown() -> Iterator[Any]:
        return pace.over(detector_storage.training_tiles(result.train, manifest, at_once))

    models = dict(variants(whole, shown, left=registry.of(config).float_layers(), products=True))
    loaded = {
        name: Detector(manifest, runtime.open_graph(model, name)) for name, model in models.items()
    }
    print(f"{len(result.val)} validation photographs, calibrated on {len(result.train)} tiles\n")
    looks = {name: partial(detectors.on_view, one) for name, one in loaded.items()}
    seconds, boxes = in_turn(looks, [each.view for each in result.val], pace)
    print(
        f"| weights | time | MB | {' | '.join(result.kinds)} |\n|{'---|' * (3 + len(result.kinds))}"
    )
    precisions: dict[str, list[float]] = {}
    for name, model in models.items():
        precisions[name] = [
            precision(boxes[name], result.val, label) for label in range(1, len(result.kinds) + 1)
        ]
        moves = [
            f"{own:.4f} ({own - theirs:+.4f})"
            for own, theirs in zip(precisions[name], precisions[FLOAT], strict=True)
        ]
        cells = (name, ratio(seconds, name), f"{len(model) / 1e6:.1f}", *moves)
        print(f"| {' | '.join(cells)} |")


def precision(boxes: list[Any], val: Any, label: int) -> float:
    """Compute the average precision of a kind by the hit rule."""
    matched = [
        hits.match(
            result.boxes[result.labels == label],
            result.scores[result.labels == label],
            each.boxes[each.labels == label],
        )
        for result, each in zip(boxes, val, strict=True)
    ]
    return hits.average_precision(hits.pooled(matched))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("run", type=Path)
    parser.add_argument(
        "--cache", type=Path, help="folder of the pictures; the run's own by default"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[320, 384, 448])
    parser.add_argument("--burst", type=float, default=3.0, help="seconds of work")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds of pause after it")
    args = parser.parse_args()
    pace = Pace(args.burst, args.pause)
    if runs.stored(args.run).task == runs.DETECTION:
        of_detector(args.run, args.cache, pace)
    else:
        grader(args.run, args.cache, args.sizes, pace)


if __name__ == "__main__":
    main()
