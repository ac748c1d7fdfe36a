"""Training a grader: data, loss and evaluation of the loop, and the run folder around it."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.data import manifest as manifests
from fundoscope.errors import UsageError
from fundoscope.evaluate.figures import quadratic_kappa
from fundoscope.grading import heads
from fundoscope.train import augment, calibrate, crops, loop, memory, networks

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

CONFIG, RUN = "config.json", "run.json"
TRAIN, VAL = "train", "val"
EVALUATION_BATCH: Final = 32
PACKAGES: Final = ("torch", "timm", "lightning", "numpy")


class Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which photographs; paths are relative to the working directory.

    ``licence`` says under which terms the weights may be used that come out of them.
    """

    manifest: str
    cache: str = "cache"
    crop_size: int = 320
    licence: str = "not stated; the terms of the training photographs apply"


class NetworkChoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which network of :data:`networks.REGISTRY`, and how it starts."""

    name: str = "efficientnet_lite0"
    dropout: float = 0.2
    pretrained: bool = True


class GraderConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole configuration of a run; the TOML file has the same names."""

    data: Data
    stages: tuple[loop.Stage, ...]
    network: NetworkChoice = NetworkChoice()
    optimiser: loop.Optimiser = loop.Optimiser()
    jitter: augment.Jitter = augment.Jitter()
    label_smoothing: float = 0.03
    seed: int = 1
    threads: int = 0
    precision: str = "auto"
    checkpoint_every: int = 100


def read_config(path: Path) -> GraderConfig:
    """Read a TOML configuration.

    Raises:
        UsageError: it cannot be read, or holds an unknown key or a value of the wrong kind.
    """
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=GraderConfig)
    except OSError as error:
        raise UsageError(
            path.name, f"cannot be read ({error.strerror})", "name a configuration file"
        ) from None
    except msgspec.MsgspecError as error:
        raise UsageError(
            path.name, f"is no configuration of a grader ({error})", "see configs/grader.toml"
        ) from None
    if not config.stages:
        raise UsageError(path.name, "has no stage", "add [[stages]] with size and epochs")
    return config


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who is told how the run goes; each may be ``None``."""

    crop: crops.Progress | None = None
    left_out: Callable[[tuple[crops.LeftOut, ...]], None] | None = None
    step: Callable[[loop.Report], None] | None = None
    epoch: Callable[[dict[str, Any]], None] | None = None


def train(
    config: GraderConfig, folder: Path, *, resume: bool = True, watcher: Watcher | None = None
) -> None:
    """Train a grader; the run folder holds everything that :mod:`fundoscope.train.export` needs.

    Args:
        config: see :class:`GraderConfig`.
        folder: the run folder; made where it does not exist.
        resume: go on where an earlier run in the folder ended. Its configuration must be the same.
        watcher: is told how it goes.

    Raises:
        UsageError: the configuration, the manifest or the run folder does not fit.
    """
    import torch
    from lightning.fabric import Fabric

    watcher = watcher or Watcher()
    memory.keep()
    if config.threads:
        torch.set_num_threads(config.threads)
    table = manifests.read(config.data.manifest)
    table.require_files()
    _open_run(config, table, folder, resume)
    data = crops.load(
        table,
        config.data.crop_size,
        Path(config.data.cache),
        splits=(TRAIN, VAL),
        progress=watcher.crop,
    )
    if watcher.left_out is not None:
        watcher.left_out(data.left_out)
    torch.manual_seed(config.seed)
    network = networks.create(
        config.network.name, dropout=config.network.dropout, pretrained=config.network.pretrained
    )
    fabric = Fabric(devices=1, precision=_precision(config))
    task = GradingTask(data, config, fabric.device, folder, watcher.epoch)
    plan = loop.Plan(
        len(task.train_positions),
        config.stages,
        config.optimiser,
        config.seed,
        config.checkpoint_every,
    )
    loop.train(network, task, plan, fabric, folder, resume=resume, show=watcher.step)


class GradingTask:
    """The loop's :class:`loop.Task` for grading with cumulative logits."""

    def __init__(
        self,
        data: crops.Crops,
        config: GraderConfig,
        device: torch.device,
        folder: Path,
        tell: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        self.data, self.config, self.device = data, config, device
        self.folder, self.tell = folder, tell
        self.train_positions, self.val_positions = data.of_split(TRAIN), data.of_split(VAL)
        for split, positions in ((TRAIN, self.train_positions), (VAL, self.val_positions)):
            if len(positions) == 0:
                raise UsageError(
                    config.data.manifest, f"has no row of split {split}", "fill the column split"
                )
        self.grades = np.array([row.grade for row in data.rows], np.int64)
        self.sources = [row.source for row in data.rows]

    def batch(
        self, positions: NDArray[np.int64], size: int, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Augmented photographs, normalised ``(N, 3, size, size)``, and targets ``(N, 4)``."""
        import torch

        chosen = self.train_positions[positions]
        pixels = torch.from_numpy(self.data.pixels[chosen]).to(self.device)
        inputs = augment.augment(pixels, size, generator, self.config.jitter)
        grades = torch.from_numpy(self.grades[chosen]).to(self.device)
        return networks.normalise(inputs), targets(grades, self.config.label_smoothing)

    def loss(self, network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Binary cross-entropy of the four cumulative answers."""
        from torch.nn import functional

        inputs, wanted = batch
        return functional.binary_cross_entropy_with_logits(network(inputs).float(), wanted)

    def set_training(self, network: nn.Module, frozen: int) -> None:
        """See :func:`networks.set_training`."""
        networks.set_training(network, frozen)

    def evaluate(self, network: nn.Module, size: int, epoch: int) -> dict[str, Any]:
        """Kappa and referable AUC on validation; the logits are kept, a file an epoch."""
        logits = predict(network, self.data.pixels, self.val_positions, size, self.device)
        labels = self.grades[self.val_positions]
        figures = measure(logits, labels, [self.sources[i] for i in self.val_positions])
        np.savez(self.folder / f"validation-{epoch:03d}.npz", logits=logits, labels=labels)
        if self.tell is not None:
            self.tell({"epoch": epoch, "size": size, **figures})
        return figures


def targets(grades: Tensor, smoothing: float) -> Tensor:
    """Float32 ``(N, 4)``: is the grade above 0, 1, 2, 3; ``smoothing`` away from 0 and 1."""
    import torch

    above = grades[:, None] > torch.arange(networks.OUTPUTS, device=grades.device)
    return above.float() * (1 - 2 * smoothing) + smoothing


def predict(
    network: nn.Module,
    pixels: NDArray[np.uint8],
    positions: NDArray[np.int64],
    size: int,
    device: torch.device,
) -> NDArray[np.float32]:
    """Logits ``(N, 4)`` of some crops, without augmentation."""
    import torch

    parts = []
    with torch.inference_mode():
        for start in range(0, len(positions), EVALUATION_BATCH):
            chosen = pixels[positions[start : start + EVALUATION_BATCH]]
            inputs = augment.resize(torch.from_numpy(chosen).to(device), size)
            parts.append(network(networks.normalise(inputs)).float().cpu().numpy())
    return np.concatenate(parts)


def measure(
    logits: NDArray[np.float32], labels: NDArray[np.int64], sources: Sequence[str]
) -> dict[str, Any]:
    """Figures of one epoch, pooled, by source and their mean.

    ``score`` chooses the best epoch: the mean over the sources of quadratic kappa, with one set of
    cut-points fitted for all sources (rounding the expected grade would judge the network's
    calibration, which is fitted later, rather than what it sees).
    """
    everything = np.ones(len(labels), bool)
    fitted = calibrate.calibrate(logits, labels, sources, everything)
    expected = heads.expected(heads.probabilities(logits))
    rounded = calibrate.confusions(
        labels, np.rint(expected).astype(np.int64), np.zeros(len(labels), np.int64)
    )[0]
    return {
        "score": fitted.mean("kappa"),
        "kappa": fitted.pooled.kappa,
        "kappa_rounded": float(quadratic_kappa(rounded)),
        "accuracy": fitted.pooled.accuracy,
        "auc": fitted.pooled.auc,
        "mean_auc": fitted.mean("auc"),
        "by_source": {n: {"kappa": f.kappa, "auc": f.auc} for n, f in fitted.by_source.items()},
        "temperature": fitted.temperature,
        "cut_points": list(fitted.cut_points),
    }


def _precision(config: GraderConfig) -> Any:
    """bf16 on a GPU; float32 on a processor, where bf16 was slower (7.8 against 11.6 a second)."""
    import torch

    if config.precision != "auto":
        return config.precision
    return "bf16-mixed" if torch.cuda.is_available() else "32-true"


def _open_run(config: GraderConfig, table: manifests.Manifest, folder: Path, resume: bool) -> None:
    """Write what the run is made of, or check that the folder's run is made of the same."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = {"config": msgspec.to_builtins(config), "manifest_sha256": table.sha256}
    path = folder / CONFIG
    if path.is_file() and resume:
        if stored_run(folder) != (config, table.sha256):
            raise UsageError(
                str(folder),
                "holds a run with another configuration or manifest",
                "choose another --out, or start it anew with --no-resume",
            )
        return
    for old in (loop.CHECKPOINT, loop.BEST, loop.METRICS):
        (folder / old).unlink(missing_ok=True)
    path.write_text(json.dumps(ours, indent=2) + "\n")
    (folder / RUN).write_text(json.dumps(_surroundings(), indent=2) + "\n")


def stored_run(folder: Path) -> tuple[GraderConfig, str]:
    """Configuration and manifest hash of a run folder.

    Raises:
        UsageError: it is no run folder.
    """
    try:
        stored = json.loads((folder / CONFIG).read_text())
        return msgspec.convert(stored["config"], GraderConfig), str(stored["manifest_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            str(folder), f"is no run of train grader ({type(error).__name__})", "name its folder"
        ) from None


def _surroundings() -> dict[str, Any]:
    """Versions and hardware."""
    from importlib.metadata import version

    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "system": platform.system(),
        "processor": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
    }
