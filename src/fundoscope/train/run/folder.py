"""The folder of a run: its configuration, the table it was trained on, and where it ran."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from fundoscope.errors import OutputError, UsageError
from fundoscope.train.detection import config as detector_config
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.grading import config as configs
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.run import loop, memory

if TYPE_CHECKING:
    from lightning.fabric import Fabric

CONFIG, RUN = "config.json", "run.json"
AVERAGED: Final = "averaged"
"""Key of ``run.json`` under which a run that is an average of others names them."""
RESULTS: Final = (loop.CHECKPOINT, loop.BEST, loop.METRICS)
"""A folder without any of them may be taken by another run: its own never came to a step."""
PACKAGES: Final = ("torch", "torchvision", "timm", "lightning", "numpy")


def open_run(
    config: GraderConfig | DetectorConfig, manifest_sha256: str, folder: Path, *, resume: bool
) -> None:
    """Write what the run is made of, or check that the folder's run is made of the same.

    Args:
        config: of a grader or of a detector.
        manifest_sha256: of what it is trained on.
        folder: the run folder; made where it does not exist.
        resume: go on with the folder's run.

    Raises:
        UsageError: the folder holds a run of another configuration or table.
        OutputError: the folder cannot be written.
    """
    path = folder / CONFIG
    if path.is_file() and resume:
        if _is_average(folder):
            raise UsageError(
                str(folder), "holds an average of runs, which would be lost", "choose another --out"
            )
        if _is_of(folder, config, manifest_sha256):
            return
        if any((folder / result).is_file() for result in RESULTS):
            raise UsageError(
                str(folder),
                "holds a run with another configuration or manifest",
                "choose another --out, or start it anew with --no-resume",
            )
    ours = {"config": msgspec.to_builtins(config), "manifest_sha256": manifest_sha256}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in RESULTS:
            (folder / old).unlink(missing_ok=True)
        # The configuration comes last: a folder without it is not taken for a run.
        for name, content in ((RUN, _here()), (CONFIG, ours)):
            loop.write_whole(folder / name, (json.dumps(content, indent=2) + "\n").encode())
    except OSError as error:
        raise OutputError(
            str(folder), f"cannot be written ({error.strerror})", "choose another --out"
        ) from None


def _is_average(folder: Path) -> bool:
    return (folder / RUN).is_file() and averaged(folder) is not None


def _is_of(folder: Path, config: GraderConfig | DetectorConfig, manifest_sha256: str) -> bool:
    """Whether a folder's run is made of this; settings that it does not state have their defaults.

    Raises:
        UsageError: it is no run folder.
    """
    settings, sha256 = _stored(folder)
    read = detector_config if isinstance(config, DetectorConfig) else configs
    try:
        return sha256 == manifest_sha256 and read.from_builtins(settings) == config
    except UsageError:  # of another task, or with a setting that is there no more
        return False


def is_detector(folder: Path) -> bool:
    """Whether a run folder is a detector's; else it is a grader's.

    Raises:
        UsageError: it is no run folder.
    """
    data = _stored(folder)[0].get("data")
    return isinstance(data, dict) and "annotations" in data


def stored_run(folder: Path) -> tuple[GraderConfig, str]:
    """Configuration and manifest hash of a grader's run folder.

    Raises:
        UsageError: it is no run folder of a grader.
    """
    settings, sha256 = _stored(folder)
    return configs.from_builtins(settings), sha256


def stored_detector_run(folder: Path) -> tuple[DetectorConfig, str]:
    """Configuration and data hash of a detector's run folder.

    Raises:
        UsageError: it is no run folder of a detector.
    """
    settings, sha256 = _stored(folder)
    return detector_config.from_builtins(settings), sha256


def _stored(folder: Path) -> tuple[dict[str, Any], str]:
    try:
        stored = json.loads((folder / CONFIG).read_text())
        return dict(stored["config"]), str(stored["manifest_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            str(folder),
            f"is no run of fundoscope train ({type(error).__name__})",
            "name its folder",
        ) from None


def surroundings(folder: Path) -> dict[str, Any]:
    """Versions and hardware that a run was trained with, and :data:`AVERAGED`.

    Raises:
        UsageError: the file that says so is missing or damaged.
    """
    try:
        stored = json.loads((folder / RUN).read_text())
        return {**stored, "packages": dict(stored["packages"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder / RUN, error) from None


def versions(folder: Path) -> dict[str, str]:
    """Versions of the libraries that a run was trained with.

    Raises: as :func:`surroundings`.
    """
    found: dict[str, str] = surroundings(folder)["packages"]
    return found


def averaged(folder: Path) -> dict[str, float] | None:
    """Of which runs a run is the average, with the share of each; ``None`` where it is none.

    Raises: as :func:`surroundings`.
    """
    found: dict[str, float] | None = surroundings(folder).get(AVERAGED)
    return found


def best(folder: Path) -> dict[str, Any]:
    """What is kept of a run's best epoch so far: ``network``, ``epoch`` and ``size``.

    Raises:
        UsageError: no epoch is finished yet, or the file is damaged.
    """
    path = folder / loop.BEST
    if not path.is_file():
        raise UsageError(str(folder), "has no finished epoch yet", "wait for the first one")
    stored = loop.read_checkpoint(path)
    if not {"network", "epoch", "size"} <= stored.keys():
        raise _damaged(path, KeyError())
    return stored


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The figures of each epoch so far, in order.

    Raises:
        UsageError: the file is damaged.
    """
    return loop.read_metrics(folder / loop.METRICS)


def _damaged(path: Path, error: Exception) -> UsageError:
    return UsageError(
        str(path), f"is damaged ({type(error).__name__})", "restore it, or train the run again"
    )


def _here() -> dict[str, Any]:
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


def set_up(config: GraderConfig | DetectorConfig) -> None:
    """Let this process keep its memory and use as many threads as are asked for."""
    import torch

    memory.keep()
    if config.threads:
        torch.set_num_threads(config.threads)


def fabric(config: GraderConfig | DetectorConfig) -> Fabric:
    """The devices and the precision that a configuration asks for."""
    from lightning.fabric import Fabric

    strategy = "auto" if config.devices == 1 else "ddp"
    made = Fabric(devices=config.devices, strategy=strategy, precision=_precision(config.precision))
    made.launch()
    return made


def _precision(wanted: str) -> Any:
    """bf16 on a GPU; float32 on a processor, where bf16 was slower (7.8 against 11.6 a second)."""
    import torch

    if wanted != "auto":
        return wanted
    return "bf16-mixed" if torch.cuda.is_available() else "32-true"
