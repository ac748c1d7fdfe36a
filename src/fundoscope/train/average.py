"""One network from several: the average of the weights of runs that began from one another.

Runs of one beginning lie in one basin of the loss, and the middle of a basin is better on new
photographs than its rim (Wortsman et al., Model soups, 2022, and Robust fine-tuning of zero-shot
models, 2022). Of runs that began apart the average is worthless.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fundoscope.errors import UsageError
from fundoscope.grading import heads
from fundoscope.train.detection import export as detector_export
from fundoscope.train.detection import training as detector
from fundoscope.train.detection.config import DetectorConfig
from fundoscope.train.grading.config import GraderConfig, sides
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop, torch_files
from fundoscope.train.run.plan import Size
from fundoscope.train.run.settings import value_of
from fundoscope.writing import explained

if TYPE_CHECKING:
    from torch import Tensor

SAME = ("network.name", "head", "normalise", "data.input")
"""Settings that runs of graders must share."""
SAME_OF_DETECTORS = ("backbone.name", "head")
REMEDY = "average runs of one network, the later ones started from the earlier ones"


def average(parts: Sequence[tuple[Path, float]], folder: Path, *, size: int | None = None) -> None:
    """Write a run folder whose best network is the average of those of other runs.

    Args:
        parts: folders of runs, all of graders or all of detectors, and the share of each;
            configuration (with a detector's scale), photographs and versions are those of the
            last one.
        folder: of the new run.
        size: at which photographs are shown to a grader; that of the last run by default.

    Raises:
        UsageError: a folder is no run with a finished epoch, two have one name, the runs are of
            different networks, the shares do not sum to one, the network does not take the size,
            or there is a run in the new folder.
        OutputError: it cannot be written.
    """
    folders = [run for run, _ in parts]
    _require_parts(parts)
    if any((folder / name).exists() for name in (runs.CONFIG, loop.BEST)):
        raise UsageError(str(folder), "holds a run", "choose another --out")
    detectors = runs.is_detector(folders[-1])
    if detectors:
        _require_detectors(folders, size)
    else:
        _require_graders(folders, size)
    stored = [runs.best(run) for run in folders]
    last = stored[-1]
    best = {
        "network": _mixed([one["network"] for one in stored], [s for _, s in parts], folders),
        "epoch": last["epoch"],
        "size": size or last["size"],
    }
    line = {
        "epoch": best["epoch"],
        "size": best["size"],
        "training_seconds": sum(_seconds(run) for run in folders),
    }
    shares = {_name(run): share for run, share in parts}
    surroundings = {**runs.surroundings(folders[-1]), runs.AVERAGED: shares}
    files = {
        runs.RUN: _json(surroundings),
        loop.METRICS: msgspec.json.encode(line) + b"\n",
        loop.BEST: torch_files.content(best),
    }
    if detectors:
        files[detector.DETECTOR] = (folders[-1] / detector.DETECTOR).read_bytes()
    # The configuration comes last: a folder without it is not taken for a run.
    files[runs.CONFIG] = (folders[-1] / runs.CONFIG).read_bytes()
    with explained(folder, remedy="choose another --out"):
        folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        loop.write_whole(folder / name, content)


def _name(run: Path) -> str:
    """What a bundle calls a run."""
    return run.resolve().name


def _require_parts(parts: Sequence[tuple[Path, float]]) -> None:
    if len(parts) < 2:
        raise UsageError("the runs", "are too few for an average", "name two or more")
    total = sum(share for _, share in parts)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise UsageError("--share", f"sums to {total:g}", "give shares that sum to 1")
    (name, count), *_ = Counter(_name(run) for run, _ in parts).most_common(1)
    if count > 1:
        raise UsageError(
            f"the runs called {name}",
            "cannot be told apart in what the bundle says of its making",
            "name each once, and rename the folder of one",
        )


def _seconds(run: Path) -> float:
    """How long a run was trained; its best network may be there before its first line is."""
    lines = runs.metrics(run)
    return float(lines[-1]["training_seconds"]) if lines else 0.0


def _require_graders(folders: Sequence[Path], size: Size | None) -> None:
    configs = [runs.stored_run(run)[0] for run in folders]
    _require_same(configs, SAME, folders)
    if size is not None:
        _require_takes(configs[-1], size)


def _require_detectors(folders: Sequence[Path], size: Size | None) -> None:
    if size is not None:
        raise UsageError("--size", "is for graders", f"the scale is that of {folders[-1]}")
    configs = [runs.stored_detector_run(run)[0] for run in folders]
    _require_same(configs, SAME_OF_DETECTORS, folders)
    kinds = [detector_export.description(run)[0] for run in folders]
    for its, folder in zip(kinds, folders, strict=True):
        if its != kinds[-1]:
            raise UsageError(str(folder), f"finds other kinds than {folders[-1]}", REMEDY)


def _require_same(
    configs: Sequence[GraderConfig] | Sequence[DetectorConfig],
    keys: Sequence[str],
    folders: Sequence[Path],
) -> None:
    for key in keys:
        for config, folder in zip(configs, folders, strict=True):
            ours, theirs = value_of(config, key), value_of(configs[-1], key)
            if ours != theirs:
                raise UsageError(
                    str(folder), f"has {key} = {ours}, and {folders[-1]} has {theirs}", REMEDY
                )


def _require_takes(config: GraderConfig, size: Size) -> None:
    """Check that the network takes pictures of the size at which the average is used."""
    name, outputs = config.network.name, heads.OUTPUTS[config.head]
    made_for = networks.InputSize(*sides(config.stages[-1].size))
    networks.require_takes(
        lambda: networks.create(name, outputs, made_for), [networks.InputSize(*sides(size))], name
    )


def _mixed(
    states: Sequence[Mapping[str, Tensor]], shares: Sequence[float], folders: Sequence[Path]
) -> dict[str, Tensor]:
    """The weighted mean of weights and statistics; counters are those of the last one."""
    shapes = [{key: value.shape for key, value in state.items()} for state in states]
    for its, folder in zip(shapes, folders, strict=True):
        if its != shapes[-1]:
            raise UsageError(str(folder), f"has weights of other shapes than {folders[-1]}", REMEDY)
    return {
        key: sum((s * state[key] for s, state in zip(shares, states, strict=True)), start=0 * last)
        if last.is_floating_point()
        else last
        for key, last in states[-1].items()
    }


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
