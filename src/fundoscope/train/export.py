"""From a run folder to a bundle: the graph is compared with torch, calibrated and described."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data import manifest as manifests
from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.grading import heads
from fundoscope.models import bundle as bundles
from fundoscope.models import runtime
from fundoscope.train import calibrate, card, crops, loop, networks, onnx_graph
from fundoscope.train.grader import RUN, TRAIN, VAL, GraderConfig, predict, stored_run

if TYPE_CHECKING:
    from torch import nn

MAX_DIFFERENCE: Final = 1e-3
"""Largest difference of a probability between ONNX Runtime and torch."""
MAX_MOVE: Final = 0.003
"""By how much half-precision weights may move validation kappa and AUC."""
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
PACKAGES: Final = ("torch", "timm", "onnx", "onnxruntime", "numpy")


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export found.

    Attributes:
        folder: of the bundle.
        megabytes: of ``model.onnx`` (10^6 bytes).
        epoch: which was exported, from 0.
        size: side of the square that goes in.
        torch_difference: largest difference of a probability, ONNX Runtime against torch.
        compared: on how many photographs.
        half_difference: the same, half-precision weights against full ones, on all of validation.
        half_kappa, half_auc: how far pooled and mean kappa and AUC moved at most.
        halved: whether the weights are stored in half precision.
        calibration: what was fitted, and the figures on validation.
        left_out: photographs of validation that had no part, because they could not be cropped.
    """

    folder: Path
    megabytes: float
    epoch: int
    size: int
    torch_difference: float
    compared: int
    half_difference: float
    half_kappa: float
    half_auc: float
    halved: bool
    calibration: calibrate.Calibration
    left_out: tuple[crops.LeftOut, ...]


def export(
    run: Path,
    folder: Path,
    *,
    name: str | None = None,
    cache: Path | None = None,
    progress: crops.Progress | None = None,
) -> Exported:
    """Write the bundle of a run's best epoch so far.

    Args:
        run: the run folder; the run may still be going on.
        folder: of the bundle.
        name: of the grader; made from network and size by default.
        cache: folder of the cached crops; that of the run by default.
        progress: is told how the crops of validation are made where they are not cached.

    Raises:
        UsageError: no such run, or it has no finished epoch, or its manifest has changed.
        FundoscopeError: the graph does not say what torch says.
    """
    config, manifest_sha256 = stored_run(run)
    table = manifests.read(config.data.manifest)
    if table.sha256 != manifest_sha256:
        raise UsageError(
            table.path.name, "has changed since the run began", "restore it, or train again"
        )
    network, epoch, size = _best(run, config)
    data = crops.load(
        table, size, cache or Path(config.data.cache), splits=(VAL,), progress=progress
    )
    whole = onnx_graph.to_onnx(network, size)
    half = onnx_graph.halve(whole)
    logits, logits_half = _run_graph(whole, data.pixels), _run_graph(half, data.pixels)
    difference, compared = _against_torch(network, logits, data, size)
    before, after = _calibrated(logits, data), _calibrated(logits_half, data)
    moves = {key: _moved(before, after, key) for key in ("kappa", "auc")}
    halved = max(moves.values()) <= MAX_MOVE
    model, calibration = (half, after) if halved else (whole, before)
    exported = Exported(
        folder,
        len(model) / 1e6,
        epoch,
        size,
        difference,
        compared,
        _difference(logits, logits_half),
        moves["kappa"],
        moves["auc"],
        halved,
        calibration,
        data.left_out,
    )
    manifest = _manifest(run, config, table, model, exported, name)
    bundles.write(folder, manifest, model, card.text(manifest, exported))
    return exported


def _best(run: Path, config: GraderConfig) -> tuple[nn.Module, int, int]:
    """The network of the best epoch, which epoch, and its side length."""
    import torch

    if not (run / loop.BEST).is_file():
        raise UsageError(str(run), "has no finished epoch yet", "wait for the first one")
    stored = torch.load(run / loop.BEST, map_location="cpu", weights_only=True)
    network = networks.create(config.network.name, pretrained=False)
    network.load_state_dict(stored["network"])
    return network.eval(), int(stored["epoch"]), int(stored["size"])


def _run_graph(model: bytes, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    session = runtime.open_graph(model, "the exported graph")
    parts = [
        runtime.run(session, np.ascontiguousarray(pixels[start : start + BATCH]))
        for start in range(0, len(pixels), BATCH)
    ]
    return np.concatenate(parts)


def _against_torch(
    network: nn.Module, logits: NDArray[np.float32], data: crops.Crops, size: int
) -> tuple[float, int]:
    import torch

    count = min(COMPARED, len(logits))
    chosen = np.linspace(0, len(logits) - 1, count).astype(np.int64)
    theirs = predict(network, data.pixels, chosen, size, torch.device("cpu"))
    difference = _difference(logits[chosen], theirs)
    if difference >= MAX_DIFFERENCE:
        raise FundoscopeError(
            "the exported graph",
            f"differs from torch by {difference:.1e} in a probability",
            "report it with the versions of torch, onnx and onnxruntime",
        )
    return difference, count


def _difference(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The largest difference of a probability of a grade."""
    return float(np.abs(heads.probabilities(ours) - heads.probabilities(theirs)).max())


def _calibrated(logits: NDArray[np.float32], data: crops.Crops) -> calibrate.Calibration:
    return calibrate.calibrate(
        logits,
        np.array([row.grade for row in data.rows], np.int64),
        [row.source for row in data.rows],
        np.array([row.gradable is not False for row in data.rows]),
    )


def _moved(before: calibrate.Calibration, after: calibrate.Calibration, figure: str) -> float:
    """By how much a figure fell, pooled or in the mean over the sources (0 if it did not)."""
    pooled = getattr(before.pooled, figure) - getattr(after.pooled, figure)
    mean = before.mean(figure) - after.mean(figure)
    return float(np.nanmax([0.0, abs(pooled), abs(mean)]))


def _manifest(
    run: Path,
    config: GraderConfig,
    table: manifests.Manifest,
    model: bytes,
    exported: Exported,
    name: str | None,
) -> bundles.BundleManifest:
    fitted = exported.calibration
    return bundles.BundleManifest(
        name=name or f"{config.network.name.replace('_', '-')}-{exported.size}",
        task=bundles.GRADING,
        input_size=exported.size,
        head="cumulative",
        classes=CLASSES,
        cut_points=fitted.cut_points,
        temperature=fitted.temperature,
        referable_threshold=fitted.threshold,
        minimum_radius=MINIMUM_RADIUS,
        opset=onnx_graph.OPSET,
        model_sha256=hashlib.sha256(model).hexdigest(),
        trained_on=bundles.TrainedOn(
            manifest_sha256=table.sha256,
            photographs=dict(sorted(Counter(r.source for r in table.of_split(TRAIN)).items())),
            seed=config.seed,
            configuration=_shareable(config),
            minutes=_minutes(run),
        ),
        licence=config.data.licence,
        versions=_versions(run),
    )


def _shareable(config: GraderConfig) -> dict[str, Any]:
    """The configuration without the folders of the machine that it ran on."""
    settings: dict[str, Any] = msgspec.to_builtins(config)
    settings["data"] = {
        "manifest": Path(config.data.manifest).name,
        "crop_size": config.data.crop_size,
    }
    return settings


def _minutes(run: Path) -> float | None:
    lines = (run / loop.METRICS).read_text().splitlines()
    return round(json.loads(lines[-1])["training_seconds"] / 60, 1) if lines else None


def _versions(run: Path) -> dict[str, str]:
    """Of the libraries that trained and exported it, and of fundoscope."""
    from importlib.metadata import version

    from fundoscope import __version__

    trained: dict[str, str] = json.loads((run / RUN).read_text())["packages"]
    return {"fundoscope": __version__, **{name: version(name) for name in PACKAGES}, **trained}
