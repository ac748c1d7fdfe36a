"""What a bundle says of how it was made, without the folders of the machine that made it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.grading import packed_crops
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop

PACKAGES: Final = ("torch", "timm", "onnx", "onnxruntime", "numpy")


def of_grader(config: GraderConfig) -> dict[str, Any]:
    """The configuration of a grader, with bare names in place of paths.

    In place of a run's best network, which it started from, stands that run's own configuration.
    """
    settings: dict[str, Any] = msgspec.to_builtins(config)
    data = settings["data"]
    data["manifest"] = Path(config.data.manifest).name
    data["also"] = [Path(table).name for table in config.data.also]
    del data["cache"]
    settings["network"]["init"] = _started_from(config.network.init)
    return settings


def of_detector(config: DetectorConfig) -> dict[str, Any]:
    """The same of a detector."""
    settings: dict[str, Any] = msgspec.to_builtins(config)
    for key in ("annotations", "masks", "images", "train", "val", "manifest"):
        settings["data"][key] = Path(settings["data"][key]).name
    del settings["data"]["cache"]
    settings["backbone"]["init"] = _started_from(config.backbone.init)
    if config.start:
        settings["start"] = _started_from(config.start)
    return settings


def minutes(run: Path) -> float | None:
    """How long a run was trained; ``None`` before the end of its first epoch."""
    lines = runs.metrics(run)
    return round(lines[-1]["training_seconds"] / 60, 1) if lines else None


def minutes_in_all(run: Path, config: DetectorConfig) -> float | None:
    """Of a detector's run and of those that it went on from, as far as they are there."""
    own = minutes(run)
    earlier = _run_of(config.start)
    if own is None or not isinstance(earlier, DetectorConfig):
        return own
    before = minutes_in_all(Path(config.start).parent, earlier)
    return round(own + (before or 0.0), 1)


def versions(run: Path, *further: str) -> dict[str, str]:
    """Of the libraries that trained a run and export it, and of fundoscope.

    Args:
        run: the run folder.
        further: packages that had a part in the export besides :data:`PACKAGES`.
    """
    from importlib.metadata import version

    from fundoscope._version import __version__

    exporting = {name: version(name) for name in (*PACKAGES, *further)}
    return {"fundoscope": __version__, **exporting, **runs.versions(run)}


def _started_from(weights: str) -> str | dict[str, Any]:
    """A word; the configuration of the run whose best network it is; or the name of a file."""
    earlier = _run_of(weights)
    if isinstance(earlier, GraderConfig):
        return of_grader(earlier)
    if isinstance(earlier, DetectorConfig):
        return of_detector(earlier)
    return packed_crops.origin(Path(weights)) or Path(weights).name


def _run_of(weights: str) -> GraderConfig | DetectorConfig | None:
    """The configuration of the run whose ``best.pt`` that is; ``None`` where it is another file."""
    path = Path(weights)
    if path.name != loop.BEST:
        return None
    try:
        read = runs.stored_detector_run if runs.is_detector(path.parent) else runs.stored_run
        return read(path.parent)[0]
    except UsageError:
        return None
