"""From a landmark network's run folder to a bundle: compared with torch, with limits and a card."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError
from fundoscope.lesions import landmarks
from fundoscope.lesions.landmarks import Peak
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.models.bundle import LandmarksManifest
from fundoscope.models.manifest import LANDMARK_NAMES
from fundoscope.train.landmarks import card, figures, marks, training
from fundoscope.train.landmarks import config as configs
from fundoscope.train.landmarks import network as networks
from fundoscope.train.landmarks.config import LandmarksConfig
from fundoscope.train.landmarks.exported import ALIKE, Exported
from fundoscope.train.landmarks.figures import Errors
from fundoscope.train.landmarks.marks import TRAIN, VAL, Crops
from fundoscope.train.networks import augment, catalogue, normalise, weights
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import storing
from fundoscope.train.run import folder as runs
from fundoscope.train.run import provenance
from fundoscope.writing import refuse_existing

if TYPE_CHECKING:
    from torch import nn

MAX_DIFFERENCE: Final = 5e-3
"""Largest distance between a landmark of ONNX Runtime and torch's, in radii of the field, and
largest difference of the logarithm of a disc's diameter."""
MAX_MOVE: Final = 0.01
"""Largest change of a share of validation that half precision may cost."""
MINIMUM_RADIUS: Final = 40.0
"""Smallest radius of a field, in the photograph's pixels, on which landmarks are looked for: half
of APTOS's, the smallest that they were marked on; a disc then still has a dozen pixels."""
FALSE_FOUND, FALSE_ESTIMATED = 0.01, 0.1
"""Largest share of false ones among the landmarks that are found, and among those that are at least
estimated, on validation."""
LEAST_FOUND, LEAST_ESTIMATED = 0.5, 0.2
"""The lowest limits: photographs without a disc are rare, so that validation alone would allow any
score."""
POOLED: Final = "all"
BYTES_OF_MEGABYTE: Final = 1e6


@dataclass(frozen=True, slots=True)
class _Run:
    """A run, its pictures, and its best network.

    Attributes:
        folder: the run folder.
        config: of the run.
        sha256: of its table.
        crops: the pictures.
        network: of the best epoch.
        epoch: the best one, from 0.
        size: at which it was evaluated.
    """

    folder: Path
    config: LandmarksConfig
    sha256: str
    crops: Crops
    network: nn.Module
    epoch: int
    size: int


def export(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    cache: Path | None = None,
    progress: marks.Progress | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write the bundle of a run's best epoch so far.

    Args:
        run: the run folder; the run may still be in progress.
        folder: of the bundle.
        name: of the bundle; made from network and size by default.
        cache: folder of the cached pictures; that of the run by default.
        progress: a callback for pictures that are not cached.
        overwrite: replace an existing bundle.

    Raises:
        UsageError: the folder is not a run folder, has no finished epoch, or its table has changed.
        FundoscopeError: the graph differs from torch.
        OutputError: the folder already holds a bundle, or it cannot be written.
    """
    refuse_existing(folder / bundles.MANIFEST, overwrite=overwrite)
    opened = _opened(run, cache, progress)
    positions = opened.crops.of_split(VAL)
    normalisation = catalogue.normalisation(opened.config.network.name, normalise.IMAGENET)
    whole = onnx_graph.to_onnx(opened.network, normalisation, opened.size, opened.size)
    shown = _shown(opened.crops, positions, opened.size)
    found = _read(whole, shown)
    theirs = training.predict(opened.network, opened.crops, positions, opened.size, normalisation)
    difference = _difference(found, theirs)
    small = onnx_graph.halve(whole)
    tried, taken = _tried(found, _read(small, shown), opened.crops.truth[positions])
    model = small if taken else whole
    kept = _read(small, shown) if taken else found
    errors = figures.errors(kept, opened.crops.truth[positions])
    exported = Exported(
        folder,
        len(model) / BYTES_OF_MEGABYTE,
        opened.epoch,
        difference,
        len(positions),
        tried,
        taken,
        _by_source(kept, opened.crops, positions),
        opened.crops.left_out,
    )
    manifest = _manifest(opened, model, errors, exported, name)
    bundles.write(folder, manifest, model, card.text(manifest, exported))
    return exported


def _opened(run: Path, cache: Path | None, progress: marks.Progress | None) -> _Run:
    """The run with its pictures and the network of its best epoch.

    Raises:
        UsageError: as :func:`export`.
    """
    config, sha256 = configs.of_run(run)
    table = marks.read(config.data.manifest)
    runs.require_unchanged(sha256, table.sha256, table.path.name)
    stored = runs.best(run)
    network = networks.create(config.network, init=weights.NONE)
    network.load_state_dict(stored["network"])
    crops = marks.load(table, config.data.crop_size, cache or Path(config.data.cache), progress)
    marks.require_usable(crops, table.path.name)
    return _Run(
        run, config, sha256, crops, network.eval(), int(stored["epoch"]), int(stored["size"])
    )


def _shown(crops: Crops, positions: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
    """The pictures of validation at the size of the graph, ``uint8 (N, S, S, 3)``."""
    import torch

    resized = augment.resize(torch.from_numpy(crops.pixels[positions]), size)
    pixels: NDArray[np.uint8] = resized.round().byte().permute(0, 2, 3, 1).numpy()
    return pixels


def _read(model: bytes, shown: NDArray[np.uint8]) -> list[tuple[Peak, Peak]]:
    """The landmarks that a graph finds on each picture."""
    session = runtime.open_graph(model, "the exported graph")
    return [landmarks.peaks(runtime.run(session, each[np.newaxis])[0]) for each in shown]


def _difference(ours: list[tuple[Peak, Peak]], theirs: list[tuple[Peak, Peak]]) -> float:
    """How far two readings are apart at most on :data:`ALIKE` of the photographs.

    It is the largest of the distances of disc and fovea, in radii of the field, and of the
    difference of the logarithm of the disc's diameter.

    Raises:
        FundoscopeError: it is too large, or not a number.
    """
    pairs = list(zip(ours, theirs, strict=True))
    moved = [[np.hypot(a.x - b.x, a.y - b.y) for a, b in zip(*pair, strict=True)] for pair in pairs]
    diameters = [(a.diameter, b.diameter) for (a, _), (b, _) in pairs]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.abs(np.diff(np.log(diameters)))
        apart = np.quantile(np.hstack((moved, scaled)), ALIKE, axis=0)
    difference = float(apart.max())
    if not difference < MAX_DIFFERENCE:
        raise FundoscopeError(
            "the exported graph",
            f"differs from torch by {difference:.1e} in the place or the size of a landmark",
            "report it with the versions of torch, onnx and onnxruntime",
        )
    return difference


def _tried(
    before: list[tuple[Peak, Peak]], after: list[tuple[Peak, Peak]], truth: NDArray[np.float32]
) -> tuple[bundles.Stored, bool]:
    """What half precision costs on validation, and whether it is affordable."""
    first, second = (figures.summary(figures.errors(each, truth)) for each in (before, after))
    cost = {key: first[key] - second[key] for key in first if "within" in key}
    lost = any(np.isnan(second[key]) and not np.isnan(first[key]) for key in first)
    cost = {key: value for key, value in cost.items() if np.isfinite(value)}
    tried = bundles.Stored(weights=bundles.FLOAT16, cost=cost)
    limits = dict.fromkeys(cost, MAX_MOVE)
    return tried, not lost and storing.affordable(tried, limits, both_ways=True)


def limit(scores: NDArray[np.float64], right: NDArray[np.bool_], false: float) -> float:
    """The lowest score from which at most a share of the landmarks is false.

    Args:
        scores: of the likeliest place on each photograph.
        right: whether it lies where the landmark is marked.
        false: the largest share.
    """
    order = np.argsort(-scores, kind="stable")
    shares = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    valid = np.flatnonzero(shares <= false)
    return float(scores[order][valid[-1]]) if len(valid) else 1.0


def _limits(errors: Errors, false: float, least: float) -> dict[str, float]:
    """The limit of each landmark's score, which is at least ``least``."""
    pairs = zip(LANDMARK_NAMES, (errors.disc, errors.fovea), strict=True)
    return {
        name: max(least, limit(errors.scores[:, place], distances <= figures.HALF, false))
        for place, (name, distances) in enumerate(pairs)
    }


def _by_source(
    found: list[tuple[Peak, Peak]], crops: Crops, positions: NDArray[np.int64]
) -> dict[str, dict[str, float | None]]:
    measured = training.measure(found, crops, positions)
    pooled = figures.summary(figures.errors(found, crops.truth[positions]))
    table: Mapping[str, Mapping[str, float]] = {**measured["by_source"], POOLED: pooled}
    return {
        name: {key: None if np.isnan(value) else value for key, value in row.items()}
        for name, row in table.items()
    }


def _manifest(
    run: _Run, model: bytes, errors: Errors, exported: Exported, name: str | None
) -> LandmarksManifest:
    plain = msgspec.to_builtins(run.config)
    count = Counter(mark.source for mark in run.crops.marks if mark.split == TRAIN)
    return LandmarksManifest(
        name=name or f"landmarks-{run.size}",
        task=bundles.LANDMARKS,
        input_size=run.size,
        found=_limits(errors, FALSE_FOUND, LEAST_FOUND),
        estimated=_limits(errors, FALSE_ESTIMATED, LEAST_ESTIMATED),
        minimum_radius=MINIMUM_RADIUS,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=provenance.trained_on(
            run.folder, plain, run.sha256, dict(sorted(count.items()))
        ),
        licence=run.config.data.licence,
        versions=provenance.versions(run.folder),
        validation=exported.validation,
        stored=exported.stored,
    )
