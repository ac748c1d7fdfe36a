"""From a detector's run folder to a bundle: compared with torch, its thresholds set, described."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from fundoscope.errors import UsageError
from fundoscope.evaluate.lesions import hits
from fundoscope.evaluate.lesions.hits import Matched
from fundoscope.lesions import detector as detectors
from fundoscope.lesions import heads
from fundoscope.lesions.detector import Detector
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.train.detection import card as detector_card
from fundoscope.train.detection import config as configs
from fundoscope.train.detection import small_photographs
from fundoscope.train.detection import storage as detector_storage
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.boxes import graph as detection_graph
from fundoscope.train.detection.boxes import parity as detection_parity
from fundoscope.train.detection.boxes.anchors import Anchors
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.detection.masks import graph as mask_graph
from fundoscope.train.detection.masks import levels as mask_levels
from fundoscope.train.detection.masks import parity as mask_parity
from fundoscope.train.detection.views import operating
from fundoscope.train.detection.views import view as views
from fundoscope.train.detection.views.operating import Sizes
from fundoscope.train.detection.views.view import AnnotatedView
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks.normalise import Normalisation
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.run import folder as runs
from fundoscope.train.run import provenance
from fundoscope.writing import refuse_existing

if TYPE_CHECKING:
    from torch import nn

READ_TILE: Final = (640, 1120)
"""Height and width of the largest tile in reading, where the view's radius is
:data:`READ_TILE_RADIUS` or less. A photograph of IDRiD's shape is six, three for each of two
processors, and no seam lies at half its height, where the optic disc is. Two tiles of 1792x1248
were no better on validation and took 1.8 GB."""
READ_TILE_RADIUS: Final = 1065.0
"""Larger views are cut into as many tiles, see :func:`read_tile`."""
READ_OVERLAP: Final = 64
"""Of those tiles, in pixels, at least: more than nearly all lesions have; the pieces of larger ones
are joined (:mod:`fundoscope.lesions.merge`)."""
STEP: Final = 32
"""Sides of tiles are multiples of the coarsest stride of the pyramid."""
AT_ONCE: Final = 1
"""Tiles a call. Two in one call need twice the memory and are no faster than two calls on two
threads."""
LEAST_OBJECTNESS: Final = 0.35
"""Of a proposal that the second stage looks at. Average precision on validation is the same as
without it, and a photograph takes a tenth less time."""
READ_SUPPRESS: Final = 0.2
"""Overlap (IoU) from which of two boxes of a kind the better one stays. Of 0.15, 0.2, 0.25 and 0.3
the one with the highest average precision on validation for three of the four kinds of lesion."""
PROPOSALS, DETECTIONS = 1500, 1500
"""Of a tile in reading: an eye with 500 lesions may have them all on one tile."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export found.

    Attributes:
        folder: of the bundle.
        megabytes: of ``model.onnx`` (10^6 bytes).
        epoch: which was exported, from 0.
        compared: boxes that were compared between ONNX Runtime and torch.
        pixel_difference, score_difference: the largest between them.
        tried: how the weights were to be stored, and by how much the average precision of each
            kind falls.
        taken: whether they are stored so; else in full precision.
        validation: figures of each kind; see :func:`figures`.
        sizes: precision and recall of each kind by the field's radius.
    """

    folder: Path
    megabytes: float
    epoch: int
    compared: int
    pixel_difference: float
    score_difference: float
    tried: bundles.Stored
    taken: bool
    validation: Mapping[str, Mapping[str, float | None]]
    sizes: Mapping[str, Sizes]

    @property
    def stored(self) -> bundles.Stored:
        """How the weights are stored."""
        return self.tried if self.taken else bundles.Stored(weights=bundles.FLOAT32)


def export(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    cache: Path | None = None,
    progress: views.Progress | None = None,
    int8: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write the bundle of a run's best epoch so far.

    Args:
        run: the run folder; the run may still be going on.
        folder: of the bundle.
        name: of the detector; made from its backbone by default.
        cache: folder of the cached views; that of the run by default.
        progress: is told how the views are made where they are not cached.
        int8: store weights in eight bits, and calculate with them; else in half precision.
        overwrite: replace a bundle that is there.

    Raises:
        UsageError: the run has no finished epoch, or its data has changed.
        FundoscopeError: ONNX Runtime finds other boxes than torch, or eight bits cost too much.
        OutputError: there is a bundle already, or it cannot be written.
    """
    refuse_existing(folder / bundles.MANIFEST, overwrite=overwrite)
    config, sha256 = configs.of_run(run)
    if cache is not None:
        data = msgspec.structs.replace(config.data, cache=str(cache))
        config = msgspec.structs.replace(config, data=data)
    found = detector.read_set(config, progress)
    if found.sha256 != sha256:
        raise UsageError(
            config.data.annotations, "has changed since the run began", "restore it, or train again"
        )
    network, epoch = best_network(run, config)
    whole = graph_of(network, config, found.val)
    parity = mask_parity if config.head == heads.MASK else detection_parity
    compared, pixels, scores = parity.against_torch(
        network, whole, normalisation(config), found.val, AT_ONCE
    )
    manifest = manifest_of(run, config, found, whole, name)
    weights, small = detector_storage.small(whole, manifest, found.train, AT_ONCE, int8=int8)
    before, after = (_candidates(_loaded(manifest, model), found.val) for model in (whole, small))
    tried = bundles.Stored(weights=weights, cost=detector_storage.cost(before, after))
    taken = detector_storage.affordable(tried)
    model, matched = (small, after) if taken else (whole, before)
    thresholds = {kind: operating.threshold(kind, matched[kind]) for kind in found.kinds}
    sizes = small_photographs.sizes(_loaded(manifest, model), found.val, thresholds)
    validation = figures(matched, thresholds)
    least = {kind: operating.minimum_radius(by_radius) for kind, by_radius in sizes.items()}
    manifest = replace(
        manifest,
        thresholds=thresholds,
        minimum_radius={kind: radius for kind, radius in least.items() if radius is not None},
        model_sha256=hashlib.sha256(model).hexdigest(),
        validation=validation,
    )
    exported = Exported(
        folder,
        len(model) / 1e6,
        epoch,
        compared,
        pixels,
        scores,
        tried,
        taken,
        validation,
        sizes,
    )
    manifest = replace(manifest, stored=exported.stored)
    bundles.write(folder, manifest, model, detector_card.text(manifest, exported))
    return exported


def best_network(run: Path, config: DetectorConfig) -> tuple[nn.Module, int]:
    """The network of a run's best epoch, set up for reading, and which epoch.

    Raises:
        UsageError: no epoch is finished yet, or a file is damaged.
    """
    stored = runs.best(run)
    kinds, anchors = description(run)
    shape = msgspec.structs.replace(
        config.shape, proposals_kept=PROPOSALS, detections=DETECTIONS, suppress=READ_SUPPRESS
    )
    network = detector.network_of(
        msgspec.structs.replace(config, shape=shape), kinds, anchors, init="none"
    )
    network.load_state_dict(stored["network"])
    if config.head == heads.BOXES:
        first: Any = network.rpn
        first.score_thresh = LEAST_OBJECTNESS
    return network.eval(), int(stored["epoch"])


def description(run: Path) -> tuple[tuple[str, ...], Anchors]:
    """Class list and anchors of a run.

    Raises:
        UsageError: the file that says so is missing or damaged.
    """
    path = run / detector.DETECTOR
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


def graph_of(network: nn.Module, config: DetectorConfig, val: Sequence[AnnotatedView]) -> bytes:
    """The float graph of a network that is set up for reading."""
    if config.head == heads.MASK:
        return mask_graph.to_onnx(network, normalisation(config), AT_ONCE)
    example = next(detection_parity.tiles_of(val, detection_parity.COMPARED_SIDES[0], AT_ONCE))
    return detection_graph.to_onnx(network, normalisation(config), example)


def normalisation(config: DetectorConfig) -> Normalisation:
    """What stands between the pixels and the network."""
    return networks.normalisation(config.backbone.name, "imagenet")


def _loaded(manifest: bundles.DetectorManifest, model: bytes) -> Detector:
    """A detector that finds everything, of a graph that is in no bundle yet."""
    import os

    session = runtime.open_graph(model, "the exported graph")
    return Detector(manifest, session, os.cpu_count() or 1)


def _candidates(loaded: Detector, val: Sequence[AnnotatedView]) -> dict[str, list[Matched]]:
    """What is found on the whole validation photographs, against the truth, by kind."""
    matched: dict[str, list[Matched]] = {kind: [] for kind in loaded.manifest.classes}
    for each in val:
        found = detectors.on_view(loaded, each.view)
        for label, kind in enumerate(loaded.manifest.classes, start=1):
            of_kind = found.labels == label
            matched[kind].append(
                hits.match(
                    found.boxes[of_kind], found.scores[of_kind], each.boxes[each.labels == label]
                )
            )
    return matched


def figures(
    matched: Mapping[str, Sequence[Matched]], thresholds: Mapping[str, float]
) -> dict[str, dict[str, float | None]]:
    """Lesions, average precision, and precision and recall at the threshold, of each kind."""
    found: dict[str, dict[str, float | None]] = {}
    for kind, photographs in matched.items():
        together = hits.pooled([operating.counted(kind, one) for one in photographs])
        precision, recall = hits.at_threshold(together, thresholds[kind])
        values = {
            "lesions": float(together.lesions),
            "average_precision": hits.average_precision(together),
            "precision": precision,
            "recall": recall,
        }
        found[kind] = {key: value if np.isfinite(value) else None for key, value in values.items()}
    return found


def read_tile(radius: float) -> tuple[int, int]:
    """Height and width of the largest tile in reading, for a view of this radius in pixels."""
    share = max(1.0, radius / READ_TILE_RADIUS)
    height, width = (STEP * math.ceil(side * share / STEP) for side in READ_TILE)
    return height, width


def manifest_of(
    run: Path, config: DetectorConfig, found: detector.Set, model: bytes, name: str | None
) -> bundles.DetectorManifest:
    """What a bundle says, but for thresholds, smallest radii and validation.

    Args:
        run: the run folder.
        config: of the run.
        found: its data.
        model: the float graph.
        name: of the detector; made from its backbone by default.
    """
    data = config.data
    manifest = bundles.DetectorManifest(
        name=name or f"detector-{re.sub('[_/]', '-', config.backbone.name)}",
        task=bundles.DETECTION,
        input_size=read_tile(data.radius),
        head=config.head,
        classes=found.kinds,
        thresholds=dict.fromkeys(found.kinds, 0.0),
        minimum_radius={},
        radius=data.radius,
        overlap=READ_OVERLAP,
        step=STEP,
        suppress=READ_SUPPRESS,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=bundles.TrainedOn(
            manifest_sha256=found.sha256,
            photographs={Path(data.annotations).name: len(found.train)},
            seed=config.seed,
            configuration=provenance.described(msgspec.to_builtins(config)),
            minutes=provenance.minutes_in_all(run, config.start),
            averaged=runs.averaged(run),
        ),
        licence=data.licence,
        versions=provenance.versions(run, "torchvision"),
    )
    if config.head != heads.MASK:
        return manifest
    return replace(manifest, levels=mask_levels.of_detector(_loaded(manifest, model), found.val))
