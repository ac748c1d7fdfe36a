"""One network from several: the average of the weights of runs that started from one another.

Runs with a common start lie in one basin of the loss, and the middle of a basin is better on new
photographs than its rim (Wortsman et al., Model soups, 2022, and Robust fine-tuning of zero-shot
models, 2022). The average of runs without a common start is worthless.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fundoscope.errors import UsageError
from fundoscope.grading import heads
from fundoscope.models import bundle as bundles
from fundoscope.models.bundle import DetectorManifest, GraderManifest
from fundoscope.train.detection import config as detector_config
from fundoscope.train.detection import export as detector_export
from fundoscope.train.detection import starting
from fundoscope.train.detection import training as detector
from fundoscope.train.grading import config as grader_config
from fundoscope.train.grading.config import GraderConfig
from fundoscope.train.networks import catalogue as networks
from fundoscope.train.networks import weights
from fundoscope.train.run import folder as runs
from fundoscope.train.run import loop, torch_files
from fundoscope.train.run.plan import PictureSize
from fundoscope.train.run.settings import sides, value_of
from fundoscope.writing import explained

if TYPE_CHECKING:
    from torch import Tensor

SAME = ("network.name", "head", "normalise", "data.input")
"""Settings that runs and bundles of graders must share."""
SAME_OF_DETECTORS = ("backbone.name", "head")
SECONDS = 60
REMEDY = "average runs of one network, the later ones started from the earlier ones"


def average(parts: Sequence[tuple[Path, float]], folder: Path, *, size: int | None = None) -> None:
    """Write a run folder whose best network is the average of those of other runs.

    Args:
        parts: folders of runs, all of graders or all of detectors, and the share of each. The
            configuration (with a detector's scale), the photographs and the versions are those of
            the last one. The others may be bundles with float weights. Kinds of lesion that these
            do not know have the weights of the last run alone. A detector's bundle may have weights
            of eight bits if the run that started from it is among the parts, if need be with a
            share of 0: its weights are taken as that run took them.
        folder: of the new run.
        size: side in pixels at which photographs are shown to a grader; by default that of the last
            run.

    Raises:
        UsageError: a folder is not a run with a finished epoch, two have the same name, the runs
            are of different networks, the shares do not sum to one, the network does not take the
            size, or the new folder already holds a run.
        OutputError: the new run cannot be written.
    """
    folders = [run for run, _ in parts]
    _require_parts(parts)
    if any((folder / name).exists() for name in (runs.CONFIG, loop.BEST)):
        raise UsageError(str(folder), "holds a run", "choose another --out")
    if bundles.is_bundle(folders[-1]):
        raise UsageError(str(folders[-1]), "is a bundle", "name a run last: it has the settings")
    detectors = runs.stored(folders[-1]).task == runs.DETECTION
    if detectors:
        _require_detectors(folders, size)
    else:
        _require_graders(folders, size)
    last = runs.best(folders[-1])
    states = [_state(part, folders, last["network"], detectors=detectors) for part in folders]
    best = {
        "network": _mixed(states, [s for _, s in parts], folders),
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


def on_other_photographs(parts: Sequence[Path]) -> list[str]:
    """The names of the parts that were not trained on the data of the last one.

    The average is evaluated, and its limits are fitted, on the validation photographs of the last
    run. A part that learnt from other data may have learnt from these.

    Args:
        parts: runs and bundles, a run last.
    """
    own = runs.stored(parts[-1]).manifest_sha256
    return [_name(part) for part in parts[:-1] if _data_of(part) != own]


def _data_of(part: Path) -> str:
    """The SHA-256 of the data that a part was trained on."""
    if bundles.is_bundle(part):
        return bundles.load(part).manifest.trained_on.manifest_sha256
    return runs.stored(part).manifest_sha256


def _state(
    part: Path, parts: Sequence[Path], own: Mapping[str, Tensor], *, detectors: bool
) -> Mapping[str, Tensor]:
    """The weights of a part.

    Args:
        part: a run, or a bundle.
        parts: all of them, a run last.
        own: the weights of the last run.
        detectors: whether the parts are detectors, not graders.
    """
    if not bundles.is_bundle(part):
        network: Mapping[str, Tensor] = runs.best(part)["network"]
        return network
    if not detectors:
        return {**weights.counters(own), **weights.stored(part)}
    if weights.only_merged(bundles.load(part)):
        return _as_a_run_started(part, parts)
    kinds, _ = detector_export.description(parts[-1])
    try:
        return starting.of_bundle(part, own, kinds)
    except KeyError:
        raise UsageError(str(part), f"finds other lesions than {parts[-1]}", REMEDY) from None


def _as_a_run_started(bundle: Path, parts: Sequence[Path]) -> Mapping[str, Tensor]:
    """The weights of a detector's bundle of eight bits, as the run that started from it had them.

    Its batch normalisation was measured on tiles that the run drew
    (:mod:`fundoscope.train.networks.unmerged`). Measured on others, the weights would no longer lie
    in one basin with the run's.
    """
    sha256 = bundles.load(bundle).manifest.model_sha256
    for run in parts:
        config = None if bundles.is_bundle(run) else detector_config.of_run(run)[0]
        start = Path(config.start) if config is not None and config.start else None
        if config is None or start is None or not bundles.is_bundle(start):
            continue
        if bundles.load(start).manifest.model_sha256 == sha256:
            return detector.starting_weights(config)
    raise UsageError(
        str(bundle),
        "has weights of eight bits, and none of the runs started from it",
        "name the run that did, too; its share may be 0",
    )


def _name(part: Path) -> str:
    """The name of a run or of a bundle in the new bundle."""
    return bundles.load(part).manifest.name if bundles.is_bundle(part) else part.resolve().name


def _require_parts(parts: Sequence[tuple[Path, float]]) -> None:
    if len(parts) < 2:
        raise UsageError("the runs", "are too few for an average", "name two or more")
    total = sum(share for _, share in parts)
    if not math.isclose(total, 1.0, abs_tol=1e-6):
        raise UsageError("--share", f"sums to {total:g}", "give shares that sum to 1")
    (name, count), *_ = Counter(_name(run) for run, _ in parts).most_common(1)
    if count > 1:
        raise UsageError(
            f"two runs called {name}",
            "cannot be told apart in the bundle, which lists its runs by name",
            "give each run once, or rename one of the folders",
        )


def _seconds(run: Path) -> float:
    """How long a run was trained; ``best.pt`` may exist before the first line of figures."""
    if bundles.is_bundle(run):
        return (bundles.load(run).manifest.trained_on.minutes or 0.0) * SECONDS
    lines = runs.metrics(run)
    return float(lines[-1]["training_seconds"]) if lines else 0.0


def _require_graders(folders: Sequence[Path], size: PictureSize | None) -> None:
    _require_same(folders, SAME, bundles.load_grader, grader_config.of_run)
    if size is not None:
        _require_takes(grader_config.of_run(folders[-1])[0], size)


def _require_detectors(folders: Sequence[Path], size: PictureSize | None) -> None:
    if size is not None:
        raise UsageError("--size", "is for graders", f"the scale is that of {folders[-1]}")
    _require_same(folders, SAME_OF_DETECTORS, bundles.load_detector, detector_config.of_run)
    folders = [run for run in folders if not bundles.is_bundle(run)]
    kinds = [detector_export.description(run)[0] for run in folders]
    for its, folder in zip(kinds, folders, strict=True):
        if its != kinds[-1]:
            raise UsageError(str(folder), f"finds other lesions than {folders[-1]}", REMEDY)


def _of_bundle(
    manifest: GraderManifest | DetectorManifest, keys: Sequence[str]
) -> dict[str, object]:
    """The settings of a bundle by their keys, without those that it does not state."""
    said = {key: _stated(manifest.trained_on.configuration, key) for key in keys}
    said["head"] = manifest.head
    if isinstance(manifest, GraderManifest):
        said["data.input"] = manifest.input
    return {key: value for key, value in said.items() if value is not None}


def _stated(configuration: object, key: str) -> object:
    """The value at a dotted key of a configuration as a bundle has it; ``None`` without one."""
    for name in key.split("."):
        configuration = configuration.get(name) if isinstance(configuration, Mapping) else None
    return configuration


def _require_same(
    folders: Sequence[Path],
    keys: Sequence[str],
    load: Callable[[Path], bundles.Bundle[Any]],
    of_run: Callable[[Path], tuple[Any, ...]],
) -> None:
    """Check the settings that each part states against those of the last one.

    Args:
        folders: of the parts, runs and bundles.
        keys: of the settings.
        load: loads a bundle of the kind.
        of_run: the configuration of a run, and what is stored with it.
    """
    said = [
        _of_bundle(load(part).manifest, keys)
        if bundles.is_bundle(part)
        else {key: value_of(of_run(part)[0], key) for key in keys}
        for part in folders
    ]
    for key, theirs in said[-1].items():
        for its, folder in zip(said, folders, strict=True):
            ours = its.get(key, theirs)
            if ours != theirs:
                raise UsageError(
                    str(folder), f"has {key} = {ours}, and {folders[-1]} has {theirs}", REMEDY
                )


def _require_takes(config: GraderConfig, size: PictureSize) -> None:
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
