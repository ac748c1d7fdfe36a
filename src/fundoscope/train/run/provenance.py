"""What a bundle says of how it was made, without the folders of the machine that made it.

Works on plain settings of any task, because a run may start from the weights of a run of another
task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import msgspec

from fundoscope.errors import UsageError
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import TrainedOn
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop
from fundoscope.train.run.folder import Settings

PACKAGES: Final = ("torch", "timm", "onnx", "onnxruntime", "numpy")
ORIGIN: Final = ".packed-from"
"""Suffix of a file that records the origin of the packed file beside it: for a table, the SHA-256
of the original table; for weights, the ``init`` that they replace."""
FILES: Final = (
    *(f"data.{key}" for key in ("manifest", "also", "annotations", "masks")),
    *(f"{part}.{key}" for part in ("data", "partial") for key in ("images", "train", "val")),
    "partial.annotations",
    "healthy.tables",
    "healthy.mined",
    "maps.boxes",
)
"""Settings that hold a path or a list of paths, of any task."""
WEIGHTS: Final = ("network.init", "backbone.init", "start")
"""Settings that say which weights a run started from, of any task."""
OMITTED: Final = ("data.cache",)
"""Settings that say nothing of how a run was made."""


def described(settings: Settings) -> Settings:
    """Settings with bare names in place of paths.

    The ``best.pt``, check-point or bundle that it started from is replaced by the settings behind
    it.

    Args:
        settings: of a run of any task; they are not changed.
    """
    result = deepcopy(settings)
    for key in FILES:
        _change(result, key, _bare)
    for key in WEIGHTS:
        _change(result, key, _started_from)
    for key in OMITTED:
        part, _, name = key.rpartition(".")
        result.get(part, {}).pop(name, None)
    return result


def _change(settings: Settings, key: str, change: Callable[[Any], Any]) -> None:
    """Change the value at a dotted key, in each table of a list; nothing where there is none."""
    name, _, inner = key.partition(".")
    value = settings.get(name)
    if not inner:
        if value:
            settings[name] = change(value)
        return
    for table in value if isinstance(value, list | tuple) else (value or {},):
        _change(table, inner, change)


def _bare(paths: Any) -> Any:
    return Path(paths).name if isinstance(paths, str) else [Path(path).name for path in paths]


def _started_from(weights: str) -> str | Settings:
    """A word; the settings of the run or bundle that it belongs to; or the name of a file."""
    earlier = _run_of(weights)
    if earlier is not None:
        return described(earlier.settings)
    if bundles.is_bundle(Path(weights)):
        known = bundles.load(Path(weights)).manifest.trained_on.configuration
        if known:
            return dict(msgspec.to_builtins(known))
    return origin(Path(weights)) or Path(weights).name


def _run_of(weights: str) -> runs.Stored | None:
    """What the run is made of whose ``best.pt`` or ``checkpoint.pt`` this is; else ``None``."""
    path = Path(weights)
    if path.name not in (loop.BEST, loop.CHECKPOINT):
        return None
    try:
        return runs.stored(path.parent)
    except UsageError:
        return None


def origin(path: Path) -> str:
    """What a file of a pack was made of, see :data:`ORIGIN`; ``""`` where nothing says so."""
    said = path.with_name(path.name + ORIGIN)
    return said.read_text(encoding="utf-8").strip() if said.is_file() else ""


def minutes(run: Path) -> float | None:
    """How long a run was trained; ``None`` before the end of its first epoch."""
    lines = runs.metrics(run)
    return round(lines[-1]["training_seconds"] / 60, 1) if lines else None


def minutes_in_all(run: Path, settings: Settings) -> float | None:
    """How long a run was trained, together with the runs before it that still exist.

    A run before it may also be there as its bundle, which says the same. The minutes of an average
    are those of its parts, so a run before it that is a part of it is not counted again.

    Args:
        run: the run folder.
        settings: of the run.
    """
    own = minutes(run)
    before = _minutes_before(_start(settings), _parts(run))
    return None if own is None else round(own + before, 1)


def _minutes_before(start: str, counted: frozenset[str]) -> float:
    """The minutes of the run or bundle that some weights belong to, and of those before it.

    Args:
        start: a check-point, a bundle, or anything else that a run can start from.
        counted: names of runs and bundles whose minutes are counted already.
    """
    earlier = _run_of(start)
    if earlier is not None:
        run = Path(start).parent
        own = 0.0 if run.resolve().name in counted else minutes(run) or 0.0
        return own + _minutes_before(_start(earlier.settings), counted | _parts(run))
    if start and bundles.is_bundle(Path(start)):
        manifest = bundles.load(Path(start)).manifest
        return 0.0 if manifest.name in counted else manifest.trained_on.minutes or 0.0
    return 0.0


def _start(settings: Settings) -> str:
    """The weights that a run started from; a backbone's count only where nothing else is given."""
    network, backbone = (settings.get(part) or {} for part in ("network", "backbone"))
    return str(settings.get("start") or network.get("init") or backbone.get("init") or "")


def _parts(run: Path) -> frozenset[str]:
    """The names of the runs that a run is the average of; a pack holds no ``run.json``."""
    return frozenset(runs.averaged(run) or () if (run / runs.RUN).is_file() else ())


def trained_on(
    run: Path,
    settings: Settings,
    sha256: str,
    photographs: Mapping[str, int],
) -> TrainedOn:
    """What a bundle says of the training of a run.

    Args:
        run: the run folder.
        settings: of the run.
        sha256: of its data.
        photographs: the number of training photographs of each source.
    """
    return TrainedOn(
        manifest_sha256=sha256,
        photographs=dict(photographs),
        seed=settings["seed"],
        configuration=described(settings),
        minutes=minutes_in_all(run, settings),
        averaged=runs.averaged(run),
    )


def versions(run: Path, *further: str) -> dict[str, str]:
    """Versions of fundoscope and of the libraries that trained a run and export it.

    Args:
        run: the run folder.
        further: packages that the export needs besides :data:`PACKAGES`.
    """
    from importlib.metadata import version

    from fundoscope._version import __version__

    exporting = {name: version(name) for name in (*PACKAGES, *further)}
    return {"fundoscope": __version__, **exporting, **runs.versions(run)}
