"""The folder of a run: its configuration, the hash of its data, and where it ran.

A run folder stores the configuration as plain settings. :mod:`fundoscope.train.grading.config`,
:mod:`fundoscope.train.detection.config` and :mod:`fundoscope.train.landmarks.config` turn them into
their own types.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fundoscope.errors import OutputError, UsageError
from fundoscope.train.run import loop, processes
from fundoscope.train.run.settings import HARDWARE

CONFIG, RUN = "config.json", "run.json"
GRADING, DETECTION, LANDMARKS = "grading", "detection", "landmarks"
TASKS: Final = {GRADING: "grader", DETECTION: "detector", LANDMARKS: "landmark network"}
"""The tasks of runs, and what each trains."""
AVERAGED: Final = "averaged"
"""Key of ``run.json`` under which a run that is an average of others names them."""
RESUMED: Final = "resumed"
"""Key of ``run.json``: a list with the hardware settings, versions and hardware of each later start
whose settings :data:`HARDWARE` differ from those of the start before."""
RESULTS: Final = (loop.CHECKPOINT, loop.BEST, loop.METRICS)
"""A folder without any of these may be taken by another run: its own never finished a step."""
PACKAGES: Final = ("torch", "torchvision", "timm", "lightning", "numpy")

Settings = dict[str, Any]
"""A configuration as plain values by name, as JSON holds it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What ``config.json`` says of a run.

    Attributes:
        task: a key of :data:`TASKS`.
        settings: the configuration.
        manifest_sha256: of the data that the run is trained on.
    """

    task: str
    settings: Settings
    manifest_sha256: str


def open_run(
    run: Stored, folder: Path, *, resume: bool, complete: Callable[[Settings], Settings]
) -> None:
    """Store a run's configuration and data hash, or check that the folder has the same ones.

    A run may be resumed with other hardware settings (:data:`HARDWARE`): they are not compared.
    ``run.json`` then records them.

    Args:
        run: what is to be trained.
        folder: the run folder; made where it does not exist.
        resume: continue the folder's run.
        complete: gives stored settings of the task the defaults of keys that they lack. It raises
            :class:`UsageError` where they are not valid.

    Raises:
        UsageError: the folder holds a run of another configuration or table.
        OutputError: the folder cannot be written.
    """
    if (folder / CONFIG).is_file() and resume:
        if _is_average(folder):
            raise UsageError(
                str(folder), "holds an average of runs, which would be lost", "choose another --out"
            )
        if _is_of(folder, run, complete):
            _record(folder, run.settings)
            return
        if any((folder / result).is_file() for result in RESULTS):
            raise UsageError(
                str(folder),
                "holds a run with another configuration or manifest",
                "choose another --out, or start it again with --no-resume",
            )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for earlier in RESULTS:
            (folder / earlier).unlink(missing_ok=True)
        # The configuration comes last: a folder without it is not taken for a run.
        for name, content in ((RUN, _here()), (CONFIG, content_of(run))):
            _write(folder / name, content)
    except OSError as error:
        raise OutputError(
            str(folder), f"cannot be written ({error.strerror})", "choose another --out"
        ) from None


def content_of(run: Stored) -> dict[str, Any]:
    """The content of ``config.json``."""
    return {
        "task": run.task,
        "config": run.settings,
        "manifest_sha256": run.manifest_sha256,
    }


def identity(settings: Settings) -> Settings:
    """The settings that decide what a run is: all but :data:`HARDWARE`."""
    return {key: value for key, value in settings.items() if key not in HARDWARE}


def _is_average(folder: Path) -> bool:
    return (folder / RUN).is_file() and averaged(folder) is not None


def _is_of(folder: Path, run: Stored, complete: Callable[[Settings], Settings]) -> bool:
    """Whether a folder's run is made of this; missing settings have their defaults."""
    earlier = stored(folder)
    if (earlier.task, earlier.manifest_sha256) != (run.task, run.manifest_sha256):
        return False
    try:
        return identity(complete(earlier.settings)) == identity(complete(run.settings))
    except UsageError:  # a setting that this version does not have
        return False


def _record(folder: Path, settings: Settings) -> None:
    """Add the hardware settings to ``run.json`` where they differ from those of the last start."""
    if not (folder / RUN).is_file() or not processes.is_first():
        return
    content = surroundings(folder)
    starts = [stored(folder).settings, *content.get(RESUMED, ())]
    ours = {key: settings[key] for key in HARDWARE}
    if all(starts[-1].get(key, ours[key]) == ours[key] for key in HARDWARE):
        return
    # A setting overrides what _here() found under the same name: 0 threads stands for all.
    content[RESUMED] = [*starts[1:], {**_here(), **ours}]
    _write(folder / RUN, content)


def _write(path: Path, content: dict[str, Any]) -> None:
    loop.write_whole(path, (json.dumps(content, indent=2) + "\n").encode())


def stored(folder: Path) -> Stored:
    """What a run folder says that the run is made of.

    Raises:
        UsageError: the folder is not a run folder.
    """
    try:
        content = json.loads((folder / CONFIG).read_text())
        settings = dict(content["config"])
        task = str(content.get("task", _task(settings)))
        return Stored(task, settings, str(content["manifest_sha256"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            str(folder),
            f"is not a run of fundoscope train ({type(error).__name__})",
            "name its folder",
        ) from None


def _task(settings: Settings) -> str:
    """The task of a run whose ``config.json`` does not say it, as in version 0.1."""
    data = settings.get("data")
    return DETECTION if isinstance(data, dict) and "annotations" in data else GRADING


def stored_of(task: str, folder: Path) -> Stored:
    """What a run folder of a task says that the run is made of.

    Raises:
        UsageError: the folder is not a run folder, or is one of another task.
    """
    run = stored(folder)
    if run.task != task:
        kind = TASKS[task]
        raise UsageError(
            str(folder), f"is not a run of a {kind}", f"name the run folder of a {kind}"
        )
    return run


def require_unchanged(run_sha256: str, sha256: str, *names: str) -> None:
    """Check that a run's data is still what the run was trained on.

    Args:
        run_sha256: SHA-256 of the data when the run began.
        sha256: SHA-256 of the data now.
        names: of its files or folders.

    Raises:
        UsageError: the data has changed.
    """
    if sha256 != run_sha256:
        raise UsageError(
            " and ".join(names), "has changed since the run began", "restore it, or train again"
        )


def surroundings(folder: Path) -> dict[str, Any]:
    """The content of ``run.json``: versions and hardware, :data:`AVERAGED`, :data:`RESUMED`.

    Raises:
        UsageError: the file is missing or damaged.
    """
    try:
        content = json.loads((folder / RUN).read_text())
        return {**content, "packages": dict(content["packages"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder / RUN, error) from None


def versions(folder: Path) -> dict[str, str]:
    """Versions of the libraries that a run was trained with.

    Raises: as :func:`surroundings`.
    """
    packages: dict[str, str] = surroundings(folder)["packages"]
    return packages


def averaged(folder: Path) -> dict[str, float] | None:
    """The share of each run that a run is the average of; ``None`` where it is not an average.

    Raises: as :func:`surroundings`.
    """
    shares: dict[str, float] | None = surroundings(folder).get(AVERAGED)
    return shares


def best(folder: Path) -> dict[str, Any]:
    """The content of ``best.pt``, the best epoch so far: ``network``, ``epoch`` and ``size``.

    Raises:
        UsageError: no epoch is finished yet, or the file is damaged.
    """
    path = folder / loop.BEST
    if not path.is_file():
        raise UsageError(str(folder), "has no finished epoch yet", "wait for the first one")
    content: object = loop.read_checkpoint(path)
    if not isinstance(content, dict) or not {"network", "epoch", "size"} <= content.keys():
        raise _damaged(path, KeyError())
    return content


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
    """Versions and hardware of this process."""
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
