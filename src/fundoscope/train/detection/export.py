"""From a detector's run folder to a bundle: compared with torch, with thresholds and a card."""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from fundoscope.errors import UsageError
from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.lesions import detector as detectors
from fundoscope.lesions.detector import Detector
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import DetectorManifest
from fundoscope.photo.decode import Pixels
from fundoscope.train.detection import (
    card,
    registry,
    set_thresholds,
    small_photographs,
    storage,
    training,
)
from fundoscope.train.detection import config as configs
from fundoscope.train.detection.config import Anchors, DetectorConfig
from fundoscope.train.detection.data import DetectionData
from fundoscope.train.detection.exported import Exported
from fundoscope.train.detection.set_thresholds import OfSet
from fundoscope.train.detection.views import operating
from fundoscope.train.detection.views.operating import READ_SUPPRESS, Sizes
from fundoscope.train.detection.views.view import AnnotatedView, Progress
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise, storing
from fundoscope.train.run import folder as runs
from fundoscope.train.run import provenance
from fundoscope.writing import refuse_existing

if TYPE_CHECKING:
    from torch import nn

READ_TILE: Final = (640, 1120)
"""Height and width of the largest tile in reading, in pixels, where the view's radius is
:data:`READ_TILE_RADIUS` or less. A photograph of IDRiD's shape is read in six tiles, three for each
of two processors, and no seam lies at half its height, where the optic disc is. Two tiles of
1792x1248 were no better on validation and took 1.8 GB."""
READ_TILE_RADIUS: Final = 1065.0
"""Larger views are read in larger tiles, not in more of them; see :func:`read_tile`."""
READ_OVERLAP: Final = 64
"""Smallest overlap of these tiles in pixels: larger than nearly all lesions. The pieces of larger
lesions are joined (:mod:`fundoscope.lesions.merge`)."""
STEP: Final = 32
"""Sides of tiles are multiples of the coarsest stride of the network, in pixels."""
AT_ONCE: Final = 1
"""Tiles per call. Two tiles in one call need twice the memory and are no faster than two calls on
two threads."""
BYTES_OF_MEGABYTE: Final = 1e6


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph with its weights as they are stored.

    Attributes:
        model: the bytes of the graph.
        matched: its boxes on the validation photographs, by kind.
        tried: how the weights were to be stored, and what that costs.
        taken: whether they are stored so.
    """

    model: bytes
    matched: Mapping[str, Sequence[Matched]]
    tried: bundles.Stored
    taken: bool


def export(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
    int8: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write the bundle of a run's best epoch so far.

    Args:
        run: the run folder; the run may still be in progress.
        folder: of the bundle.
        name: of the detector; by default its backbone's.
        cache: folder of the cached views; by default the run's.
        progress: a callback for views that are not cached: how many are done, and their number.
        int8: store weights in eight bits, and calculate with them; else in half precision.
        overwrite: replace an existing bundle.

    Raises:
        UsageError: the run has no finished epoch, or its data has changed.
        FundoscopeError: ONNX Runtime finds other boxes than torch, or eight bits cost too much.
        OutputError: the folder already holds a bundle, or it cannot be written.
    """
    refuse_existing(folder / bundles.MANIFEST, overwrite=overwrite)
    config, data = _data_of(run, cache, progress)
    head = registry.of(config)
    network, epoch = best_network(run, config)
    whole = head.to_onnx(network, config, data.val, AT_ONCE)
    difference = head.parity(network, whole, config, data.val, AT_ONCE)
    manifest = manifest_of(run, config, data, whole, name)
    graph = _stored(whole, manifest, config, data, int8=int8)
    further = training.read_further(config, data.kinds, progress)
    manifest, sizes, of_sets = _evaluated(manifest, graph, data, further)
    exported = Exported(
        folder,
        len(graph.model) / BYTES_OF_MEGABYTE,
        epoch,
        difference,
        graph.tried,
        graph.taken,
        manifest.validation,
        sizes,
        data.annotated,
        of_sets,
    )
    manifest = replace(manifest, stored=exported.stored)
    bundles.write(folder, manifest, graph.model, card.text(manifest, exported))
    return exported


def _data_of(
    run: Path, cache: Path | None, progress: Progress | None
) -> tuple[DetectorConfig, DetectionData]:
    """The configuration and the data of a run.

    Raises:
        UsageError: the data has changed since the run began.
    """
    config, sha256 = configs.of_run(run)
    config = configs.replaced(config, data={"cache": None if cache is None else str(cache)})
    data = training.read_data(config, progress)
    runs.require_unchanged(sha256, data.sha256, config.data.annotations)
    return config, data


def _stored(
    whole: bytes,
    manifest: DetectorManifest,
    config: DetectorConfig,
    data: DetectionData,
    *,
    int8: bool,
) -> _Graph:
    """The graph with smaller weights, or the float graph where they cost too much.

    Raises:
        FundoscopeError: eight bits cost too much.
    """

    def shown() -> Iterator[Pixels]:
        some = quantise.sample(data.train, [""] * len(data.train))
        return storage.training_tiles(some, manifest, AT_ONCE)

    left = registry.of(config).float_layers()
    weights, small = storing.smaller(whole, shown, int8=int8, left=left, products=True)
    before, after = (_candidates(_loaded(manifest, model), data.val) for model in (whole, small))
    tried = bundles.Stored(weights=weights, cost=storage.cost(before, after))
    if storage.affordable(tried):
        return _Graph(small, after, tried, True)
    return _Graph(whole, before, tried, False)


def _evaluated(
    manifest: DetectorManifest,
    graph: _Graph,
    data: DetectionData,
    further: Mapping[str, Sequence[AnnotatedView]],
) -> tuple[DetectorManifest, dict[str, Sizes], tuple[OfSet, ...]]:
    """The manifest with all that is chosen on validation, the figures by size, and by set."""
    alone = {kind: operating.threshold(kind, graph.matched[kind]) for kind in data.kinds}
    copies = small_photographs.read(_loaded(manifest, graph.model), data.val)
    correction = small_photographs.corrections(copies, alone)
    manifest = replace(manifest, size_correction=correction, size_exponent=operating.SIZE_EXPONENT)
    corrects = _loaded(manifest, graph.model)
    by_set = {name: _annotated(corrects, views) for name, views in further.items()}
    thresholds, of_sets = set_thresholds.fit(alone, by_set)
    sizes = small_photographs.sizes(copies, thresholds, correction)
    radii = {kind: operating.minimum_radius(by_radius) for kind, by_radius in sizes.items()}
    evaluated = replace(
        manifest,
        thresholds=thresholds,
        minimum_radius={kind: radius for kind, radius in radii.items() if radius is not None},
        model_sha256=hashlib.sha256(graph.model).hexdigest(),
        validation=figures(graph.matched, thresholds),
    )
    return evaluated, sizes, of_sets


def best_network(run: Path, config: DetectorConfig) -> tuple[nn.Module, int]:
    """The network of a run's best epoch with the limits of reading, and the epoch.

    Raises:
        UsageError: no epoch is finished yet, or a file is damaged.
    """
    stored = runs.best(run)
    kinds, anchors = description(run)
    head = registry.of(config)
    network = head.create(config, kinds, anchors, init="none", reading=True)
    network.load_state_dict(stored["network"])
    return network.eval(), int(stored["epoch"])


def description(run: Path) -> tuple[tuple[str, ...], Anchors]:
    """Class list and anchors of a run.

    Raises:
        UsageError: their file is missing or damaged.
    """
    path = run / training.DETECTOR
    try:
        content = msgspec.json.decode(path.read_bytes(), type=_Description)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(
            str(path), f"is damaged ({type(error).__name__})", "restore it, or train the run again"
        ) from None
    return content.kinds, content.anchors


class _Description(msgspec.Struct):
    kinds: tuple[str, ...]
    anchors: Anchors


def _loaded(manifest: DetectorManifest, model: bytes) -> Detector:
    """A detector without thresholds, of a graph that is not in a bundle yet."""
    session = runtime.open_graph(model, "the exported graph")
    return Detector(manifest, session, os.cpu_count() or 1)


def _candidates(detector: Detector, val: Sequence[AnnotatedView]) -> dict[str, list[Matched]]:
    """The boxes found on each validation photograph, matched with its lesions, by kind."""
    matched: dict[str, list[Matched]] = {kind: [] for kind in detector.manifest.classes}
    for photograph in val:
        found = detectors.on_view(detector, photograph.view)
        for label, kind in enumerate(detector.manifest.classes, start=1):
            boxes, scores = found.boxes[found.labels == label], found.scores[found.labels == label]
            truth = photograph.boxes[photograph.labels == label]
            matched[kind].append(hits.match(boxes, scores, truth))
    return matched


def _annotated(detector: Detector, views: Sequence[AnnotatedView]) -> dict[str, list[Matched]]:
    """As :func:`_candidates`, of the kinds that are annotated on these photographs."""
    matched = _candidates(detector, views)
    left = {label for each in views for label in each.unassessed}
    kinds = enumerate(detector.manifest.classes, start=1)
    return {kind: matched[kind] for label, kind in kinds if label not in left}


def figures(
    matched: Mapping[str, Sequence[Matched]], thresholds: Mapping[str, float]
) -> dict[str, dict[str, float | None]]:
    """The figures of each kind on validation.

    Args:
        matched: its boxes on each validation photograph.
        thresholds: the score from which a box counts.

    Returns:
        For each kind ``lesions``, ``average_precision``, ``precision`` and ``recall``, the last two
        at the threshold; ``None`` for an undefined one.
    """
    by_kind: dict[str, dict[str, float | None]] = {}
    for kind, photographs in matched.items():
        together = hits.pooled([operating.counted(kind, each) for each in photographs])
        precision, recall = hits.at_threshold(together, thresholds[kind])
        values = {
            "lesions": float(together.lesions),
            "average_precision": hits.average_precision(together),
            "precision": precision,
            "recall": recall,
        }
        by_kind[kind] = {
            key: value if np.isfinite(value) else None for key, value in values.items()
        }
    return by_kind


def read_tile(radius: float) -> tuple[int, int]:
    """Height and width in pixels of the largest tile in reading, for a view of this radius."""
    share = max(1.0, radius / READ_TILE_RADIUS)
    height, width = (STEP * math.ceil(side * share / STEP) for side in READ_TILE)
    return height, width


def manifest_of(
    run: Path, config: DetectorConfig, data: DetectionData, model: bytes, name: str | None
) -> DetectorManifest:
    """The manifest of a bundle without thresholds, smallest radii and validation.

    Args:
        run: the run folder.
        config: of the run.
        data: its photographs.
        model: the float graph.
        name: of the detector; by default its backbone's.
    """
    settings = config.data
    manifest = DetectorManifest(
        name=name or f"detector-{re.sub('[_/]', '-', config.backbone.name)}",
        task=bundles.DETECTION,
        input_size=read_tile(settings.radius),
        head=config.head,
        classes=data.kinds,
        thresholds=dict.fromkeys(data.kinds, 0.0),
        minimum_radius={},
        radius=settings.radius,
        overlap=READ_OVERLAP,
        step=STEP,
        suppress=READ_SUPPRESS,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=provenance.trained_on(
            run,
            msgspec.to_builtins(config),
            data.sha256,
            data.photographs(config),
        ),
        licence=settings.licence,
        versions=provenance.versions(run, "torchvision"),
    )
    fields = registry.of(config).manifest_fields(_loaded(manifest, model), data.val)
    return replace(manifest, **fields)
