"""From a run folder to a bundle: the graph is compared with torch, calibrated and described."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from fundoscope.data.manifest import Row
from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.grading import heads, inputs
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.train.grading import calibrate, card, photographs, pictures
from fundoscope.train.grading.config import GraderConfig, sides
from fundoscope.train.grading.photographs import TRAIN, VAL
from fundoscope.train.grading.pictures import Pictures
from fundoscope.train.grading.training import predict
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.onnx import graph as onnx_graph
from fundoscope.train.onnx import quantise
from fundoscope.train.run import folder as runs
from fundoscope.train.run import provenance
from fundoscope.train.run.plan import Size
from fundoscope.writing import refuse_existing

if TYPE_CHECKING:
    from torch import nn

MAX_DIFFERENCE: Final = 1e-3
"""Largest difference of a probability between ONNX Runtime and torch."""
MAX_MOVE: Final = 0.003
"""By how much half-precision weights may move validation kappa and AUC."""
MAX_FALL: Final = 0.005
"""By how much weights of eight bits may lower validation kappa, together or in the mean of the
sources."""
FALLING: Final = ("kappa", "auc")
COMPARED: Final = 128
"""Validation photographs that torch reads again for the comparison, evenly spread."""
BATCH: Final = 16
MINIMUM_RADIUS: Final = 80.0
"""Smallest radius of a field in the photograph's pixels that is graded. APTOS's photographs, which
are 224 pixels wide, have discs of 85 to 112 and were trained and validated on; nothing smaller."""
CLASSES: Final = (
    "no apparent retinopathy",
    "mild non-proliferative",
    "moderate non-proliferative",
    "severe non-proliferative",
    "proliferative",
)
APART: Final = ("largest difference of a probability", "mean difference of a probability")

Cost = Mapping[str, float | None]
"""See :class:`fundoscope.models.bundle.Stored`."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export found.

    Attributes:
        folder: of the bundle.
        megabytes: of ``model.onnx`` (10^6 bytes).
        epoch: which was exported, from 0.
        input: what goes in.
        torch_difference: largest difference of a probability, ONNX Runtime against torch.
        compared: on how many photographs.
        tried: how the weights were to be stored, and what that costs; see :func:`_cost`.
        taken: whether they are stored so; else in full precision.
        calibration: what was fitted, and the figures on validation.
        left_out: photographs of validation that had no part, because they could not be cropped.
    """

    folder: Path
    megabytes: float
    epoch: int
    input: inputs.Input
    torch_difference: float
    compared: int
    tried: bundles.Stored
    taken: bool
    calibration: calibrate.Calibration
    left_out: tuple[pictures.LeftOut, ...]

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
    progress: pictures.Progress | None = None,
    int8: bool = False,
    overwrite: bool = False,
) -> Exported:
    """Write the bundle of a run's best epoch so far.

    Args:
        run: the run folder; the run may still be going on.
        folder: of the bundle.
        name: of the grader; made from network and size by default.
        cache: folder of the cached pictures; that of the run by default.
        progress: is told how the pictures of validation are made where they are not cached.
        int8: store weights in eight bits, and calculate with them; else in half precision.
        overwrite: replace a bundle that is there.

    Raises:
        UsageError: no such run, or it has no finished epoch, or its tables have changed.
        FundoscopeError: the graph does not say what torch says, or eight bits cost too much.
        OutputError: there is a bundle already, or it cannot be written.
    """
    refuse_existing(folder / bundles.MANIFEST, overwrite=overwrite)
    config, manifest_sha256 = runs.stored_run(run)
    table = photographs.read(config.data.manifest)
    also = photographs.read_also(config.data)
    if photographs.sha256(table, also) != manifest_sha256:
        raise UsageError(
            " and ".join(each.path.name for each in (table, *also)),
            "has changed since the run began",
            "restore it, or train again",
        )
    rows = photographs.choose(table, config.data, config.seed)
    network, epoch, size = best_network(run, config)
    wanted = inputs.Input(config.data.input, *sides(size))
    make = partial(pictures.load, table, wanted=wanted, cache=cache or Path(config.data.cache))
    data = make([row for row in rows if row.split == VAL], progress=progress)
    normalisation = networks.normalisation(config.network.name, config.normalise)
    whole = onnx_graph.to_onnx(
        network, normalisation, *sides(size), free=config.data.input == inputs.NATIVE
    )
    outputs = outputs_of(whole, data, config.head)
    difference, compared = _against_torch(network, outputs, data, config, size)
    if int8:
        shown = one_by_one(make(calibration_rows(rows)))
        weights, small = bundles.INT8, quantise.quantise(whole, shown)
    else:
        weights, small = bundles.FLOAT16, onnx_graph.halve(whole)
    outputs_small = outputs_of(small, data, config.head)
    before, after = (calibrated(o, data, config.head) for o in (outputs, outputs_small))
    cost = _cost(before, after, differences(outputs, outputs_small, config.head))
    taken = _affordable(weights, cost)
    model, calibration = (small, after) if taken else (whole, before)
    exported = Exported(
        folder,
        len(model) / 1e6,
        epoch,
        wanted,
        difference,
        compared,
        bundles.Stored(weights=weights, cost=cost),
        taken,
        calibration,
        data.left_out,
    )
    trained_on = (
        *(row for row in rows if row.split == TRAIN),
        *(r for each in also for r in each.rows),
    )
    manifest = _manifest(run, config, manifest_sha256, trained_on, model, exported, name)
    bundles.write(folder, manifest, model, card.text(manifest, exported))
    return exported


def best_network(run: Path, config: GraderConfig) -> tuple[nn.Module, int, Size]:
    """The network of a run's best epoch, which epoch, and the size at which it was judged.

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
    """What a graph, the bytes of ``model.onnx``, says of all pictures, ``(N, outputs)``."""
    session = runtime.open_graph(model, "the exported graph")
    everything = np.arange(len(data.rows))
    found = np.empty((len(everything), heads.OUTPUTS[head]), np.float32)
    for places in data.batches(everything, BATCH):
        found[places] = runtime.run(session, data.take(places))
    return found


def _against_torch(
    network: nn.Module,
    outputs: NDArray[np.float32],
    data: Pictures,
    config: GraderConfig,
    size: Size,
) -> tuple[float, int]:
    count = min(COMPARED, len(outputs))
    chosen = np.linspace(0, len(outputs) - 1, count).astype(np.int64)
    normalisation = networks.normalisation(config.network.name, config.normalise)
    theirs = predict(network, data, chosen, config, size, normalisation)
    difference = _difference(outputs[chosen], theirs, config.head)
    if difference >= MAX_DIFFERENCE:
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
    """Of the probabilities of the grades, ``(N, 5)``."""
    p, q = (heads.probabilities(outputs, head=head) for outputs in (ours, theirs))
    return np.asarray(np.abs(p - q), np.float64)


def calibrated(outputs: NDArray[np.float32], data: Pictures, head: str) -> calibrate.Calibration:
    return calibrate.calibrate(
        outputs,
        np.array([row.grade for row in data.rows], np.int64),
        [row.source for row in data.rows],
        np.array([row.gradable is not False for row in data.rows]),
        head,
    )


def _cost(
    before: calibrate.Calibration,
    after: calibrate.Calibration,
    apart: NDArray[np.float64],
) -> Cost:
    """By how much kappa and AUC fall, of all photographs together and in the mean of the sources.

    Each is calibrated by itself, as it would be shipped. And how far probabilities are apart.
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


def _affordable(weights: str, cost: Cost) -> bool:
    """Whether weights may be stored so.

    Raises:
        FundoscopeError: eight bits, which somebody asked for, cost too much.
    """
    falls = {key: fall for key, fall in cost.items() if fall is not None and key not in APART}
    if weights != bundles.INT8:
        return all(abs(fall) <= MAX_MOVE for fall in falls.values())
    for key, fall in falls.items():
        if key.startswith(FALLING[0]) and fall > MAX_FALL:
            raise FundoscopeError(
                "the graph with weights of eight bits",
                f"lowers validation's {key}, by {fall:.4f}, more than {MAX_FALL}",
                "export it without --int8",
            )
    return True


def calibration_rows(rows: Sequence[Row]) -> list[Row]:
    """Training photographs that eight bits are calibrated on."""
    training = [row for row in rows if row.split == TRAIN]
    return quantise.sample(training, [row.source for row in training])


def one_by_one(data: Pictures) -> Iterator[NDArray[np.uint8]]:
    """One picture after the other, ``(1, H, W, 3)``."""
    for place in range(len(data.rows)):
        yield data.take(np.array([place]))


def _manifest(
    run: Path,
    config: GraderConfig,
    sha256: str,
    trained_on: Sequence[Row],
    model: bytes,
    exported: Exported,
    name: str | None,
) -> bundles.GraderManifest:
    fitted = exported.calibration
    return bundles.GraderManifest(
        name=name or f"{re.sub('[_/]', '-', config.network.name)}-{_size_text(exported.input)}",
        task=bundles.GRADING,
        input=exported.input.kind,
        input_size=_input_size(exported.input),
        head=config.head,
        classes=CLASSES,
        cut_points=fitted.cut_points,
        temperature=fitted.temperature,
        referable_threshold=fitted.threshold,
        minimum_radius=MINIMUM_RADIUS,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=bundles.TrainedOn(
            manifest_sha256=sha256,
            photographs=_by_source(trained_on),
            seed=config.seed,
            configuration=provenance.of_grader(config),
            minutes=provenance.minutes(run),
            averaged=runs.averaged(run),
        ),
        licence=config.data.licence,
        versions=provenance.versions(run),
        validation=fitted.table(),
        stored=exported.stored,
    )


def _by_source(rows: Sequence[Row]) -> dict[str, int]:
    """How many photographs there are of each source."""
    return dict(sorted(Counter(row.source for row in rows).items()))


def _input_size(wanted: inputs.Input) -> Size:
    return wanted.height if wanted.height == wanted.width else (wanted.height, wanted.width)


def _size_text(wanted: inputs.Input) -> str:
    size = _input_size(wanted)
    return str(size) if isinstance(size, int) else f"{size[0]}x{size[1]}"
