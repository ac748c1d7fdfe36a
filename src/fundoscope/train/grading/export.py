"""From a grader's run folder to a bundle: compared with torch, calibrated, with a card."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import Row
from fundoscope.errors import FundoscopeError
from fundoscope.grading import heads, inputs
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.train.grading import calibrate, card, photographs, pictures
from fundoscope.train.grading import config as configs
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.grading.exported import Exported
from fundoscope.train.grading.photographs import TRAIN, VAL
from fundoscope.train.grading.pictures import Pictures
from fundoscope.train.grading.training import predict
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.onnx import features as onnx_features
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise, storing
from fundoscope.train.run import folder as runs
from fundoscope.train.run import provenance
from fundoscope.train.run.plan import PictureSize
from fundoscope.train.run.settings import sides
from fundoscope.writing import refuse_existing

if TYPE_CHECKING:
    from torch import nn

MAX_DIFFERENCE: Final = 1e-3
"""Largest difference of a probability between ONNX Runtime and torch."""
MAX_MOVE: Final = 0.003
"""Largest change of validation kappa and AUC, up or down, that half precision may cost."""
MAX_FALL: Final = 0.005
"""Largest fall of validation kappa, together or in the mean of the sources, that weights of eight
bits may cost."""
FALLING: Final = ("kappa", "auc")
COMPARED: Final = 128
"""Validation photographs that torch reads again for the comparison, evenly spread."""
BATCH: Final = 16
MINIMUM_RADIUS: Final = 80.0
"""Smallest radius of a field in the photograph's pixels that is graded. APTOS's photographs, which
are 224 pixels wide, have discs of 85 to 112 and were trained and validated on; nothing smaller."""
APART: Final = ("largest difference of a probability", "mean difference of a probability")
BYTES_OF_MEGABYTE: Final = 1e6


@dataclass(frozen=True, slots=True)
class _Run:
    """A run, its tables, and how its pictures are read at the size of its best epoch.

    Attributes:
        folder: the run folder.
        config: of the run.
        sha256: of its tables.
        rows: of training and validation in the first table.
        further: of the further tables, which are all trained on.
        epoch: the best one, from 0.
        size: at which it was evaluated.
        load: reads the pictures of some rows.
    """

    folder: Path
    config: GraderConfig
    sha256: str
    rows: Sequence[Row]
    further: Sequence[Row]
    epoch: int
    size: PictureSize
    load: Callable[..., Pictures]

    @property
    def wanted(self) -> inputs.Input:
        """What the graph takes."""
        return inputs.Input(self.config.data.input, *sides(self.size))

    @property
    def trained_on(self) -> tuple[Row, ...]:
        """All rows that the run was trained on."""
        return (*(row for row in self.rows if row.split == TRAIN), *self.further)


@dataclass(frozen=True, slots=True)
class _Graph:
    """A graph with its weights as they are stored.

    Attributes:
        model: the bytes of the graph, as it ships.
        calibration: its fitted values, and the figures on validation.
        tried: how the weights were to be stored, and what that costs.
        taken: whether they are stored so.
    """

    model: bytes
    calibration: calibrate.Calibration
    tried: bundles.Stored
    taken: bool


def export(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    cache: Path | None = None,
    progress: pictures.Progress | None = None,
    int8: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write the bundle of a run's best epoch so far.

    Args:
        run: the run folder; the run may still be in progress.
        folder: of the bundle.
        name: of the grader; made from network and size by default.
        cache: folder of the cached pictures; that of the run by default.
        progress: a callback for pictures of validation that are not cached: how many are done, and
            their number.
        int8: store weights in eight bits, and calculate with them; else in half precision.
        overwrite: replace an existing bundle.

    Raises:
        UsageError: the folder is not a run folder, has no finished epoch, or its tables have
            changed.
        FundoscopeError: the graph differs from torch, or eight bits cost too much.
        OutputError: the folder already holds a bundle, or it cannot be written.
    """
    refuse_existing(folder / bundles.MANIFEST, overwrite=overwrite)
    network, opened = _opened(run, cache)
    config = opened.config
    data = opened.load([row for row in opened.rows if row.split == VAL], progress=progress)
    whole = onnx_graph.to_onnx(
        network,
        networks.normalisation(config.network.name, config.normalise),
        *sides(opened.size),
        free=config.data.input == inputs.NATIVE,
    )
    outputs = outputs_of(onnx_features.shipping(whole), data, config.head)
    difference, compared = _against_torch(network, outputs, data, config, opened.size)
    graph = _stored(whole, outputs, data, opened, int8=int8)
    exported = Exported(
        folder,
        len(graph.model) / BYTES_OF_MEGABYTE,
        opened.epoch,
        opened.wanted,
        difference,
        compared,
        graph.tried,
        graph.taken,
        graph.calibration,
        data.left_out,
    )
    manifest = _manifest(opened, graph.model, exported, name)
    bundles.write(folder, manifest, graph.model, card.text(manifest, exported))
    return exported


def _opened(folder: Path, cache: Path | None) -> tuple[nn.Module, _Run]:
    """The network of a run's best epoch, and the run.

    Raises:
        UsageError: as :func:`export`.
    """
    config, sha256 = configs.of_run(folder)
    table = photographs.read(config.data.manifest)
    also = photographs.read_also(config.data, table)
    names = [each.path.name for each in (table, *also)]
    runs.require_unchanged(sha256, photographs.sha256(table, also), *names)
    network, epoch, size = best_network(folder, config)
    wanted = inputs.Input(config.data.input, *sides(size))
    load = partial(pictures.load, table, wanted=wanted, cache=cache or Path(config.data.cache))
    rows = photographs.choose(table, config.data, config.seed)
    further = [row for each in also for row in each.rows]
    return network, _Run(folder, config, sha256, rows, further, epoch, size, load)


def _stored(
    whole: bytes, outputs: NDArray[np.float32], data: Pictures, run: _Run, *, int8: bool
) -> _Graph:
    """The graph with smaller weights, or the float graph where they cost too much.

    Args:
        whole: the float graph, without further outputs.
        outputs: its outputs on validation, as it would ship.
        data: the pictures of validation.
        run: whose training pictures eight bits are calibrated on.
        int8: eight bits; else half precision.

    Raises:
        FundoscopeError: eight bits cost too much.
    """
    head = run.config.head
    weights, small = storing.smaller(
        whole, lambda: one_by_one(run.load(calibration_rows(run.rows))), int8=int8, carry=True
    )
    small = onnx_features.shipping(small)
    smaller_outputs = outputs_of(small, data, head)
    before, after = (calibrated(each, data, head) for each in (outputs, smaller_outputs))
    cost = cost_of(before, after, differences(outputs, smaller_outputs, head))
    tried = bundles.Stored(weights=weights, cost=cost)
    if _affordable(tried):
        return _Graph(small, after, tried, True)
    return _Graph(onnx_features.shipping(whole), before, tried, False)


def best_network(run: Path, config: GraderConfig) -> tuple[nn.Module, int, PictureSize]:
    """The network of a run's best epoch, which epoch, and the size at which it was evaluated.

    Args:
        run: the run folder.
        config: the run's configuration.

    Raises:
        UsageError: no epoch is finished yet, or the file is damaged.
    """
    stored = runs.best(run)
    size = stored["size"] if isinstance(stored["size"], int) else tuple(stored["size"])
    network = networks.create(
        config.network.name, heads.OUTPUTS[config.head], networks.InputSize(*sides(size))
    )
    network.load_state_dict(stored["network"])
    return network.eval(), int(stored["epoch"]), size


def outputs_of(model: bytes, data: Pictures, head: str) -> NDArray[np.float32]:
    """The outputs of a graph for all pictures, ``(N, outputs)``.

    Args:
        model: the bytes of ``model.onnx``.
        data: the pictures.
        head: of the grader.
    """
    session = runtime.open_graph(model, "the exported graph")
    everything = np.arange(len(data.rows))
    outputs = np.empty((len(everything), heads.OUTPUTS[head]), np.float32)
    for places in data.batches(everything, BATCH):
        outputs[places] = runtime.run(session, data.take(places))
    return outputs


def _against_torch(
    network: nn.Module,
    outputs: NDArray[np.float32],
    data: Pictures,
    config: GraderConfig,
    size: PictureSize,
) -> tuple[float, int]:
    count = min(COMPARED, len(outputs))
    chosen = np.linspace(0, len(outputs) - 1, count).astype(np.int64)
    normalisation = networks.normalisation(config.network.name, config.normalise)
    theirs = predict(network, data, chosen, config, size, normalisation)
    difference = _difference(outputs[chosen], theirs, config.head)
    if not difference < MAX_DIFFERENCE:
        raise FundoscopeError(
            "the exported graph",
            f"differs from torch by {difference:.1e} in a probability",
            "report it with the versions of torch, onnx and onnxruntime",
        )
    return difference, count


def _difference(ours: NDArray[np.float32], theirs: NDArray[np.float32], head: str) -> float:
    """The largest difference of a probability of a grade."""
    return float(differences(ours, theirs, head).max())


def differences(
    ours: NDArray[np.float32], theirs: NDArray[np.float32], head: str
) -> NDArray[np.float64]:
    """Absolute differences of the probabilities of the grades, ``(N, 5)``.

    Args:
        ours: outputs of a network, ``(N, outputs)``.
        theirs: outputs of another network.
        head: of both.
    """
    p, q = (heads.probabilities(outputs, head=head) for outputs in (ours, theirs))
    return np.asarray(np.abs(p - q), np.float64)


def calibrated(outputs: NDArray[np.float32], data: Pictures, head: str) -> calibrate.Calibration:
    """What is fitted to the outputs for some pictures, ``(N, outputs)``, and the figures."""
    return calibrate.calibrate(
        outputs,
        np.array([row.grade for row in data.rows], np.int64),
        [row.source for row in data.rows],
        np.array([row.gradable is not False for row in data.rows]),
        head,
    )


def cost_of(
    before: calibrate.Calibration,
    after: calibrate.Calibration,
    apart: NDArray[np.float64],
) -> dict[str, float | None]:
    """The fall of kappa and AUC, of all photographs together and in the mean of the sources.

    Args:
        before: of the float graph.
        after: of the graph with smaller weights. Each is calibrated separately, as it would ship.
        apart: the differences of their probabilities, ``(N, 5)``; their largest and mean value is
            part of the result, under the names :data:`APART`.

    Returns:
        The fall of each figure by its name; ``None`` where it is undefined.
    """
    largest, mean = float(apart.max()), float(apart.mean())
    cost: dict[str, float | None] = dict(zip(APART, (largest, mean), strict=True))
    for figure in FALLING:
        falls = {
            calibrate.POOLED: getattr(before.pooled, figure) - getattr(after.pooled, figure),
            calibrate.MEAN: before.mean(figure) - after.mean(figure),
        }
        for of, fall in falls.items():
            cost[f"{figure}, {of}"] = float(fall) if np.isfinite(fall) else None
    return cost


def _affordable(tried: bundles.Stored) -> bool:
    """Whether weights may be stored as tried.

    Raises:
        FundoscopeError: eight bits, which the user asked for, cost too much.
    """
    figures = [key for key in tried.cost if key not in APART]
    if tried.weights != bundles.INT8:
        return storing.affordable(tried, dict.fromkeys(figures, MAX_MOVE), both_ways=True)
    limited = [key for key in figures if key.startswith(FALLING[0])]
    return storing.affordable(tried, dict.fromkeys(limited, MAX_FALL))


def calibration_rows(rows: Sequence[Row]) -> list[Row]:
    """The training photographs that eight bits are calibrated on."""
    training = [row for row in rows if row.split == TRAIN]
    return quantise.sample(training, [row.source for row in training])


def one_by_one(data: Pictures) -> Iterator[NDArray[np.uint8]]:
    """One picture after the other, uint8 ``(1, H, W, 3)`` RGB."""
    for place in range(len(data.rows)):
        yield data.take(np.array([place]))


def _manifest(
    run: _Run, model: bytes, exported: Exported, name: str | None
) -> bundles.GraderManifest:
    config, calibration = run.config, exported.calibration
    plain: dict[str, Any] = msgspec.to_builtins(config)
    return bundles.GraderManifest(
        name=name or f"{re.sub('[_/]', '-', config.network.name)}-{_size_text(exported.input)}",
        task=bundles.GRADING,
        input=exported.input.kind,
        input_size=_input_size(exported.input),
        head=config.head,
        classes=heads.CLASSES,
        temperature=calibration.fitted.temperature,
        correction=calibration.fitted.correction,
        referable_threshold=calibration.fitted.threshold,
        conformal=calibration.fitted.sets,
        minimum_radius=MINIMUM_RADIUS,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=provenance.trained_on(run.folder, plain, run.sha256, _by_source(run.trained_on)),
        licence=config.data.licence,
        versions=provenance.versions(run.folder),
        validation=calibration.table(),
        stored=exported.stored,
    )


def _by_source(rows: Sequence[Row]) -> dict[str, int]:
    """How many photographs there are of each source."""
    return dict(sorted(Counter(row.source for row in rows).items()))


def _input_size(wanted: inputs.Input) -> PictureSize:
    return wanted.height if wanted.height == wanted.width else (wanted.height, wanted.width)


def _size_text(wanted: inputs.Input) -> str:
    size = _input_size(wanted)
    return str(size) if isinstance(size, int) else f"{size[0]}x{size[1]}"
