"""One network from several: the average of the weights of runs that began from one another.

Runs of one beginning lie in one basin of the loss, and the middle of a basin is better on new
photographs than its rim (Wortsman et al., Model soups, 2022, and Robust fine-tuning of zero-shot
models, 2022). Of runs that began apart the average is worthless.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fundoscope.errors import OutputError, UsageError
from fundoscope.train import loop, runs
from fundoscope.train.config import GraderConfig

if TYPE_CHECKING:
    from torch import Tensor

SAME = ("network.name", "head", "normalise", "data.input")
"""Settings that the runs must share."""


def average(parts: Sequence[tuple[Path, float]], folder: Path, *, size: int | None = None) -> None:
    """Write a run folder whose best network is the average of those of other runs.

    Args:
        parts: folders of graders' runs, and the share of each; configuration, photographs and
            versions are those of the last one.
        folder: of the new run.
        size: at which photographs are shown to it; that of the last run by default.

    Raises:
        UsageError: a folder is no run with a finished epoch, the runs are of different networks,
            the shares do not sum to one, or there is a run in the new folder.
        OutputError: it cannot be written.
    """
    import torch

    if len(parts) < 2 or not math.isclose(sum(share for _, share in parts), 1.0, abs_tol=1e-6):
        raise UsageError("the runs", "are too few, or their shares do not sum to 1", "name two")
    configs = [runs.stored_run(run)[0] for run, _ in parts]
    _require_same(configs, [run for run, _ in parts])
    stored = [_best(run) for run, _ in parts]
    last = parts[-1][0]
    best = {
        "network": _mixed([one["network"] for one in stored], [share for _, share in parts]),
        "epoch": stored[-1]["epoch"],
        "size": size or stored[-1]["size"],
    }
    seconds = sum(runs.metrics(run)[-1]["training_seconds"] for run, _ in parts)
    line = {"epoch": best["epoch"], "size": best["size"], "training_seconds": seconds}
    shares = {run.name: share for run, share in parts}
    surroundings = {**json.loads((last / runs.RUN).read_text()), runs.AVERAGED: shares}
    if any((folder / name).exists() for name in (runs.CONFIG, loop.BEST)):
        raise UsageError(str(folder), "holds a run", "choose another --out")
    buffer = io.BytesIO()
    torch.save(best, buffer)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        configuration = (last / runs.CONFIG).read_bytes()
    except OSError as error:
        raise OutputError(
            str(folder), f"cannot be written ({error.strerror})", "choose another --out"
        ) from None
    loop.write_whole(folder / runs.RUN, _json(surroundings))
    loop.write_whole(folder / loop.METRICS, msgspec.json.encode(line) + b"\n")
    loop.write_whole(folder / loop.BEST, buffer.getvalue())
    # The configuration comes last: a folder without it is not taken for a run.
    loop.write_whole(folder / runs.CONFIG, configuration)


def _best(run: Path) -> dict[str, Any]:
    if not (run / loop.BEST).is_file():
        raise UsageError(str(run), "has no finished epoch yet", "wait for the first one")
    return loop.read_checkpoint(run / loop.BEST)


def _require_same(configs: Sequence[GraderConfig], folders: Sequence[Path]) -> None:
    from fundoscope.train.settings import value_of

    for key in SAME:
        for config, folder in zip(configs, folders, strict=True):
            ours, theirs = value_of(config, key), value_of(configs[-1], key)
            if ours != theirs:
                raise UsageError(
                    str(folder),
                    f"has {key} = {ours}, and {folders[-1]} has {theirs}",
                    "average runs of one network, the later ones started from the earlier ones",
                )


def _mixed(states: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> dict[str, Tensor]:
    """The weighted mean of weights and statistics; counters are those of the last one."""
    return {
        key: sum((s * state[key] for s, state in zip(shares, states, strict=True)), start=0 * last)
        if last.is_floating_point()
        else last
        for key, last in states[-1].items()
    }


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()
