"""Training a lesion detector: data, loss and evaluation of the loop."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.evaluate import hits
from fundoscope.kinds import ANATOMY
from fundoscope.lesions import merge, tiles
from fundoscope.lesions.heads import Boxes
from fundoscope.train import anchors as anchoring
from fundoscope.train import (
    augment,
    backbones,
    detection_data,
    detection_network,
    detection_pictures,
    loop,
    memory,
    networks,
    operating,
    processes,
    runs,
    views,
)
from fundoscope.train import detector_config as configs
from fundoscope.train.augment import Jitter
from fundoscope.train.config import sides
from fundoscope.train.detection_network import Target
from fundoscope.train.detector_config import DetectorConfig
from fundoscope.train.plan import Plan, Size, Stage
from fundoscope.train.progress import Report
from fundoscope.train.tile_draw import Drawer
from fundoscope.train.views import AnnotatedView

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

TILES_AT_ONCE: Final = 4
"""In validation."""
MICRO: Final = 1_000_000
"""Losses are added up as whole millionths."""
DETECTOR: Final = "detector.json"
LOSSES: Final = ("loss_objectness", "loss_rpn_box_reg", "loss_classifier", "loss_box_reg")
NO_MEMORY: Final = ("can't allocate memory", "out of memory", "not enough memory")
"""Parts of torch's messages about it on processors, which have no exception of their own."""


@dataclass(frozen=True, slots=True)
class Set:
    """What a detector is trained on.

    Attributes:
        kinds: the class list; label 1 is its first.
        anchors: of the first stage, fitted to the training boxes.
        train, val: annotated photographs at the working scale.
        sha256: of all annotations and photographs.
        unseen: kinds without a box in validation, by which no epoch is judged.
        carved: whether ``val`` was carved out, for nothing named it.
    """

    kinds: tuple[str, ...]
    anchors: anchoring.Anchors
    train: tuple[AnnotatedView, ...]
    val: tuple[AnnotatedView, ...]
    sha256: str
    unseen: tuple[str, ...] = ()
    carved: bool = False


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told how the run goes; each may be ``None``."""

    picture: views.Progress | None = None
    data: Callable[[Set], None] | None = None
    network: Callable[[str, int], None] | None = None
    """The backbone's name and how many weights the detector has."""
    step: Callable[[Report], None] | None = None
    epoch: Callable[[dict[str, Any]], None] | None = None


def read_set(config: DetectorConfig, progress: views.Progress | None = None) -> Set:
    """Read the annotations, split them, and bring the photographs to the working scale.

    Raises:
        TableError, PhotoError, UsageError: as :func:`detection_data.choose` and
            :func:`views.load`.
        OutputError: the cache cannot be written.
    """
    data = config.data
    chosen = detection_data.choose(data, config.seed)
    photos = (*chosen.train, *chosen.val)
    made = views.load(photos, chosen.images, chosen.kinds, data.radius, Path(data.cache), progress)
    train, val = tuple(made[: len(chosen.train)]), tuple(made[len(chosen.train) :])
    sides_of = np.concatenate([each.boxes[:, 2:] - each.boxes[:, :2] for each in train])
    labels = np.concatenate([each.labels for each in train])
    digest = hashlib.sha256()
    for each in photos:
        digest.update((chosen.images / each.image).read_bytes())
        digest.update(repr([(a.kind, a.box) for a in each.annotations]).encode())
    return Set(
        chosen.kinds,
        _anchors(config, sides_of, labels),
        train,
        val,
        digest.hexdigest(),
        chosen.unseen,
        chosen.carved,
    )


def _anchors(
    config: DetectorConfig, sides_of: NDArray[np.float64], labels: NDArray[np.int64]
) -> anchoring.Anchors:
    """Those that the configuration names, or else fitted to the boxes."""
    levels = backbones.levels(config.backbone.name)
    if isinstance(config.anchors, int):
        return anchoring.choose(sides_of, labels, levels, config.anchors, config.seed)
    if len(config.anchors) != levels:
        raise UsageError(
            "anchors",
            f"are of {len(config.anchors)} maps, and {config.backbone.name} gives {levels}",
            "write a list of [width, height] for each map, or how many shall be chosen",
        )
    return config.anchors


def train(
    config: DetectorConfig, folder: Path, *, resume: bool = True, watcher: Watcher | None = None
) -> None:
    """Train a detector; the run folder holds everything that its export needs.

    Args:
        config: see :class:`DetectorConfig`.
        folder: the run folder; made where it does not exist.
        resume: go on where an earlier run in the folder ended. Its configuration must be the same.
        watcher: is told how it goes.

    Raises:
        UsageError: the configuration, the annotations or the run folder does not fit.
        FundoscopeError, OutputError: as :func:`loop.train`; or the memory does not suffice.
    """
    import torch

    watcher = watcher if watcher is not None and processes.is_first() else Watcher()
    configs.check(config, "the configuration")
    memory.keep()
    if config.threads:
        torch.set_num_threads(config.threads)
    count = _require_network(config)
    if watcher.network is not None:
        watcher.network(config.backbone.name, count)
    data = read_set(config, watcher.picture)
    if watcher.data is not None:
        watcher.data(data)
    runs.open_run(config, data.sha256, folder, resume=resume)
    if processes.is_first():
        described = {"kinds": data.kinds, "anchors": data.anchors}
        loop.write_whole(folder / DETECTOR, msgspec.json.encode(described))
    torch.manual_seed(config.seed)
    network = _started(config, data)
    fabric = runs.fabric(config)
    task = DetectionTask(data.train, data.val, data.kinds, config, fabric.device, folder)
    plan = Plan(
        np.zeros(config.draw.tiles, np.int64),
        (Stage(config.data.tile, config.epochs),),
        config.optimiser,
        config.seed,
        config.checkpoint_every,
        config.patience,
    )
    listeners = loop.Listeners(watcher.step, watcher.epoch)
    with memory_told():
        loop.train(network, task, plan, fabric, folder, resume=resume, listeners=listeners)


def preview_task(config: DetectorConfig, watcher: Watcher) -> DetectionTask:
    """What draws the tiles of a run, without a network.

    Raises: as :func:`read_set`.
    """
    import torch

    data = read_set(config, watcher.picture)
    if watcher.data is not None:
        watcher.data(data)
    return DetectionTask(data.train, data.val, data.kinds, config, torch.device("cpu"))


def _require_network(config: DetectorConfig) -> int:
    """Check that there is such a network, with its starting weights, and room for it.

    Returns:
        How many weights it has, with one kind.

    Raises:
        UsageError: there is not.
    """
    name = config.backbone.name
    square = (1.0, 1.0)
    count = config.anchors if isinstance(config.anchors, int) else len(config.anchors[0])
    anchors = ((square,) * count,) * backbones.levels(name)
    weights = memory.require(lambda: network_of(config, ("",), anchors, init="none"), name)
    backbones.create(name, config.shape.channels, init=config.backbone.init)
    return weights


def network_of(
    config: DetectorConfig, kinds: Sequence[str], anchors: anchoring.Anchors, *, init: str
) -> nn.Module:
    """The detector that a configuration asks for."""
    backbone = backbones.create(config.backbone.name, config.shape.channels, init=init)
    return detection_network.create(backbone, len(kinds), anchors, config.shape)


def _started(config: DetectorConfig, data: Set) -> nn.Module:
    """The detector with its starting weights.

    Raises:
        UsageError: the run to go on from has none, or is of another network.
    """
    if not config.start:
        return network_of(config, data.kinds, data.anchors, init=config.backbone.init)
    network = network_of(config, data.kinds, data.anchors, init="none")
    try:
        network.load_state_dict(loop.read_checkpoint(Path(config.start))["network"])
    except (KeyError, RuntimeError, TypeError):
        raise UsageError(
            f"start = {config.start}",
            "holds no weights of this network and class list",
            "name best.pt of a run with the same backbone, shape, anchors and kinds",
        ) from None
    return network


@contextmanager
def memory_told() -> Iterator[None]:
    """Tell of memory that does not suffice in our own words.

    Raises:
        FundoscopeError: it does not.
    """
    import torch

    try:
        yield
    except (MemoryError, RuntimeError) as error:
        known = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not known and not any(part in str(error) for part in NO_MEMORY):
            raise
        raise FundoscopeError(
            "training",
            "needs more memory than there is; the last check-point is kept",
            "free some, or lower optimiser.batch or data.tile and start anew with --no-resume",
        ) from None


class DetectionTask:
    """The loop's :class:`loop.Task` for detection."""

    def __init__(
        self,
        train: Sequence[AnnotatedView],
        val: Sequence[AnnotatedView],
        kinds: Sequence[str],
        config: DetectorConfig,
        device: torch.device,
        folder: Path | None = None,
    ) -> None:
        self.val, self.kinds, self.config, self.device = val, kinds, config, device
        self.folder = folder
        self.drawer = Drawer(train, kinds, sides(config.data.tile), config.draw)
        self.normalisation = networks.normalisation(config.backbone.name, "imagenet")
        self.jitter = Jitter(**msgspec.to_builtins(config.recolour))

    def batch(
        self,
        positions: NDArray[np.int64],
        size: Size,  # noqa: ARG002 (a detector's tiles have one size)
        generator: torch.Generator,
    ) -> tuple[Tensor, list[Target]]:
        """Tiles drawn at random, normalised ``(N, 3, H, W)``, and their targets."""
        import torch

        changed, drawn = self.tiles(len(positions), generator)
        targets = [
            Target(
                torch.from_numpy(boxes.astype(np.float32)).to(self.device),
                torch.from_numpy(labels).to(self.device),
            )
            for boxes, labels in drawn
        ]
        return self.normalisation(changed), targets

    def tiles(
        self, count: int, generator: torch.Generator
    ) -> tuple[Tensor, list[tuple[NDArray[np.float64], NDArray[np.int64]]]]:
        """Tiles as training shows them, float ``(N, 3, H, W)`` of 0 to 255, boxes and labels.

        Which tiles come follows from ``generator`` alone.
        """
        import torch

        seed = int(torch.randint(2**62, (), generator=generator))
        random = np.random.default_rng(seed)
        drawn = [self.drawer.draw(random) for _ in range(count)]
        pixels = torch.from_numpy(np.stack([each[0] for each in drawn])).to(self.device)
        changed = augment.recolour(pixels, generator, self.jitter)
        return changed, [(boxes, labels) for _, boxes, labels in drawn]

    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, NDArray[np.int64]]:
        """The sum of the four losses; tiles, boxes and each loss in millionths."""
        pixels, targets = batch
        losses = network(pixels, targets)
        parts = [losses[name] for name in LOSSES]
        boxes = sum(len(target.labels) for target in targets)
        values = [int(MICRO * min(1e6, float(part.detach().nan_to_num()))) for part in parts]
        return sum(parts[1:], parts[0]), np.array([1, len(targets), boxes, *values], np.int64)

    def set_training(
        self,
        network: nn.Module,
        frozen: int,  # noqa: ARG002 (nothing rests but what the backbone itself holds still)
    ) -> None:
        """The whole network learns."""
        network.train()

    def summarise(self, counts: NDArray[np.int64]) -> dict[str, Any]:
        """Boxes a tile, and the mean of each loss."""
        steps, tiles_seen, boxes, *values = (int(count) for count in counts)
        means = {
            name: value / MICRO / max(1, steps) for name, value in zip(LOSSES, values, strict=True)
        }
        return {"boxes_a_tile": boxes / max(1, tiles_seen), **means}

    def evaluate(
        self,
        network: nn.Module,
        size: Size,  # noqa: ARG002 (as in batch)
        epoch: int,
    ) -> dict[str, Any]:
        """Figures of each kind on the whole validation photographs, by our hit rule.

        ``score`` is the mean average precision of the lesions; of the landmarks where no lesion is
        among the classes. Precision and recall are those at the threshold that an export would
        choose. A sheet of tiles with truth and findings is drawn into the run folder.
        """
        found = [self.detect(network, each) for each in self.val]
        matched = {
            kind: [
                hits.match(
                    boxes[labels == label],
                    scores[labels == label],
                    each.boxes[each.labels == label],
                )
                for (boxes, labels, scores), each in zip(found, self.val, strict=True)
            ]
            for label, kind in enumerate(self.kinds, start=1)
        }
        precision = {
            kind: hits.average_precision(hits.pooled(photographs))
            for kind, photographs in matched.items()
        }
        thresholds = {
            kind: operating.threshold(kind, photographs) for kind, photographs in matched.items()
        }
        at_threshold = {
            kind: _at(kind, photographs, thresholds[kind]) for kind, photographs in matched.items()
        }
        if self.folder is not None:
            self._draw(found, thresholds, epoch)
        return {
            "score": _score(precision),
            "average_precision": precision,
            "at_threshold": at_threshold,
        }

    def _draw(
        self, found: Sequence[detection_pictures.Found], thresholds: dict[str, float], epoch: int
    ) -> None:
        """Truth and findings on a tile of some validation photographs."""
        height, width = sides(self.config.data.tile)
        limits = np.array([thresholds[kind] for kind in self.kinds])
        shown = [
            (boxes[scores >= limits[labels - 1]], labels[scores >= limits[labels - 1]])
            for boxes, labels, scores in found
        ]
        sheet = detection_pictures.sheet(self.val, shown, self.kinds, (height, width))
        if self.folder is not None:
            loop.write_whole(self.folder / f"validation-{epoch:03d}.jpg", sheet)

    def detect(
        self, network: nn.Module, each: AnnotatedView
    ) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]:
        """Boxes ``(N, 4)`` in a view's pixels, labels and scores, tile by tile, merged."""
        import torch

        height, width = sides(self.config.data.tile)
        shown, parts = each.view, []
        corners = tiles.lay(shown, height, width, self.config.data.overlap)
        for start in range(0, len(corners), TILES_AT_ONCE):
            some = corners[start : start + TILES_AT_ONCE]
            cut = np.stack([tiles.cut(shown, corner, height, width) for corner in some])
            pixels = torch.from_numpy(cut).permute(0, 3, 1, 2).float().to(self.device)
            for tile, out in enumerate(network(self.normalisation(pixels)), start=start):
                boxes, labels, scores = (out[key].cpu() for key in ("boxes", "labels", "scores"))
                parts.append(
                    Boxes(
                        np.full(len(labels), tile, np.int64),
                        boxes.double().numpy(),
                        labels.numpy(),
                        scores.double().numpy(),
                    )
                )
        together = Boxes(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("tile", "boxes", "labels", "scores")
            )
        )
        rows, columns = shown.pixels.shape[:2]
        merged = merge.merge(
            together,
            np.array(corners, np.int64),
            (height, width),
            (rows, columns),
            self.config.shape.suppress,
        )
        return merged.boxes, merged.labels, merged.scores


def _score(precision: dict[str, float]) -> float:
    """The mean over the lesions that validation shows; over the landmarks where there are none."""
    lesions = [value for kind, value in precision.items() if kind not in ANATOMY]
    judged = [value for value in lesions or precision.values() if np.isfinite(value)]
    return float(np.mean(judged)) if judged else float("nan")


def _at(kind: str, photographs: Sequence[hits.Matched], threshold: float) -> dict[str, float]:
    counted = hits.pooled([operating.counted(kind, one) for one in photographs])
    precision, recall = hits.at_threshold(counted, threshold)
    return {"threshold": threshold, "precision": precision, "recall": recall}
