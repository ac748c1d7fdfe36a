"""The training loop of every task, on one GPU, several GPUs, or the CPU.

Every random draw is a function of the seed and the step (:mod:`fundoscope.train.run.plan`), and a
check-point holds everything that the steps change: weights, their average, the optimiser, and the
counts of the epoch. So a run that was killed and resumed gives the same result as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import FundoscopeError, UsageError
from fundoscope.train.run import optimisers, prefetch, processes, torch_files
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import AUGMENTATION, DROPOUT, RANKS, PictureSize, Plan, generator_for
from fundoscope.train.run.progress import Speed
from fundoscope.writing import replacing

if TYPE_CHECKING:
    import torch
    from lightning.fabric import Fabric
    from torch import Tensor, nn

CHECKPOINT, BEST, METRICS = "checkpoint.pt", "best.pt", "metrics.jsonl"
NOT_A_NUMBER: Final = "lower optimiser.rate or set optimiser.clip; the last check-point is kept"
REMEDY: Final = "free some space; the run can then be resumed from its last check-point"
EMA_RAMP: Final = 10
"""The average forgets its untrained start: at step t its decay is at most (1 + t) / (10 + t)."""

Counts = NDArray[np.int64]


class Task(Protocol):
    """What differs between tasks: the data, the loss, and the evaluation of a network."""

    def batch(
        self, positions: NDArray[np.int64], size: PictureSize, generator: torch.Generator
    ) -> Any:
        """Inputs and targets of some training photographs (positions from 0)."""

    def loss(self, network: nn.Module, batch: Any) -> tuple[Tensor, Counts]:
        """The mean loss of a batch, and counts that are added up over the epoch."""

    def set_training(self, network: nn.Module, frozen: int) -> None:
        """Put the network into training mode, except for its first ``frozen`` parts."""

    def summarise(self, counts: Counts) -> dict[str, Any]:
        """Figures of an epoch's training photographs, from the summed counts of :meth:`loss`."""

    def evaluate(self, network: nn.Module, size: PictureSize, epoch: int) -> dict[str, Any]:
        """Figures on validation; ``score`` decides which epoch is best (higher is better)."""


@dataclass(slots=True)
class _Epoch:
    """Sums over the steps of the epoch so far."""

    loss: float = 0.0
    steps: int = 0
    counts: Counts = field(default_factory=lambda: np.zeros(0, np.int64))

    def add(self, loss: float, counts: Counts) -> None:
        self.loss += loss
        self.steps += 1
        self.counts = self.counts + counts if self.counts.size else counts


@dataclass(slots=True)
class _State:
    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    best: float = -math.inf
    stale: int = 0
    """Epochs since the best one."""
    seconds: float = 0.0
    epoch: _Epoch = field(default_factory=_Epoch)

    def save(self, path: Path) -> None:
        content = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
            "stale": self.stale,
            "seconds": self.seconds,
            "epoch": (self.epoch.loss, self.epoch.steps, self.epoch.counts.tolist()),
        }
        write_whole(path, torch_files.content(content))

    def restore(self, path: Path) -> None:
        """Return to the state of a check-point.

        Raises:
            UsageError: the check-point is damaged, or of another network or version.
        """
        content = read_checkpoint(path)
        try:
            self._take(content)
        except (KeyError, TypeError, ValueError, RuntimeError):
            raise UsageError(
                str(path),
                "is not a check-point of this network and version of fundoscope",
                "start the run again with --no-resume, or choose another --out",
            ) from None

    def _take(self, content: dict[str, Any]) -> None:
        self.network.load_state_dict(content["network"])
        self.average.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.best = content["step"], content["best"]
        self.stale, self.seconds = content["stale"], content["seconds"]
        loss, steps, counts = content["epoch"]
        self.epoch = _Epoch(loss, steps, np.array(counts, np.int64))


def train(
    network: nn.Module,
    task: Task,
    plan: Plan,
    fabric: Fabric,
    folder: Path,
    *,
    resume: bool = True,
    listeners: Listeners[Any] | None = None,
) -> None:
    """Train a network. The result is ``best.pt`` and ``metrics.jsonl`` in the run folder.

    Args:
        network: with its starting weights; training changes it.
        task: data, loss and evaluation.
        plan: stages, optimiser, seed.
        fabric: devices and precision. With several processes, each takes its part of every batch,
            and the first one writes the files.
        folder: the run folder, which exists.
        resume: continue from the folder's check-point, if there is one.
        listeners: report the progress of the first process; their ``step`` and ``epoch`` are used.

    Raises:
        FundoscopeError: the loss is not finite; the last check-point is kept.
        OutputError: a file cannot be written; the last check-point is kept.
        UsageError: the check-point or the file of figures is damaged.
    """
    listeners = listeners or Listeners()
    state = _start(network, plan, fabric)
    if resume and (folder / CHECKPOINT).is_file():
        state.restore(folder / CHECKPOINT)
        read_metrics(folder / METRICS)  # fails before an epoch is trained that would be added
    speed = Speed(plan)
    make = partial(_batch, task, plan, fabric)
    coming = prefetch.batches(make, range(state.step, plan.steps), ahead=_ahead(fabric))
    while state.step < plan.steps and not _exhausted(state, plan):
        epoch = state.step // plan.steps_an_epoch
        started = time.monotonic()
        loss = _step(state, task, next(coming), plan, fabric)
        elapsed = time.monotonic() - started
        state.step += 1
        state.seconds += elapsed
        report = speed.report(state.step, epoch, loss, elapsed)
        if listeners.step is not None and fabric.is_global_zero:
            listeners.step(report)
        closing = state.step % plan.steps_an_epoch == 0
        if closing or state.step % plan.checkpoint_every == 0:
            _require_numbers(state)
        if closing:
            _close_epoch(state, task, plan, epoch, folder, fabric, listeners)
        elif state.step % plan.checkpoint_every == 0:
            processes.by_first(fabric, partial(state.save, folder / CHECKPOINT))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a check-point or of ``best.pt``.

    Raises:
        UsageError: the file is damaged.
    """
    content: dict[str, Any] = torch_files.read(
        path,
        str(path),
        "is damaged",
        "start the run again with --no-resume, or restore the file",
    )
    return content


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The figures of each epoch so far, in order; empty where the file does not exist.

    Raises:
        UsageError: a line is damaged.
    """
    if not path.is_file():
        return []
    lines: list[dict[str, Any]] = []
    try:
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            line = json.loads(text)
            lines.append({**line, "epoch": int(line["epoch"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}, line {len(lines) + 1}",
            f"is damaged ({type(error).__name__})",
            "delete that line, or start the run again with --no-resume",
        ) from None
    return lines


def _exhausted(state: _State, plan: Plan) -> bool:
    return 0 < plan.patience <= state.stale


def _start(network: nn.Module, plan: Plan, fabric: Fabric) -> _State:
    import copy

    import torch

    from fundoscope.train.run import depthwise

    network = network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False).to(fabric.device)
    if fabric.device.type == "cpu":
        depthwise.replace_all(network)
    optimiser = optimisers.make(network, plan.optimiser)
    wrapped, optimiser = fabric.setup(network, optimiser)
    return _State(wrapped, average, optimiser)


def _ahead(fabric: Fabric) -> bool:
    """Whether batches are prepared ahead. On the CPU that would only slow the step down."""
    return fabric.device.type != "cpu"


def _batch(task: Task, plan: Plan, fabric: Fabric, step: int) -> Any:
    """Inputs and targets of this process's part of a batch."""
    stage = plan.stage(step // plan.steps_an_epoch)
    positions = plan.positions(step)[fabric.global_rank :: fabric.world_size]
    return task.batch(positions, stage.size, _generator(plan, fabric, AUGMENTATION, step))


def _generator(plan: Plan, fabric: Fabric, stream: int, step: int) -> torch.Generator:
    """The generator of this process's random draws in a step."""
    return generator_for(plan.seed, stream, step + RANKS * fabric.global_rank)


def _step(state: _State, task: Task, batch: Any, plan: Plan, fabric: Fabric) -> float:
    import torch

    for group in state.optimiser.param_groups:
        group["lr"] = plan.rate(state.step)
    stage = plan.stage(state.step // plan.steps_an_epoch)
    # Drop-out draws from torch's global generator, which is seeded for every step.
    torch.manual_seed(_generator(plan, fabric, DROPOUT, state.step).initial_seed())
    task.set_training(state.network, stage.frozen)
    loss, counts = task.loss(state.network, batch)
    value, counts = processes.together(fabric, loss.detach(), counts)
    _require_number(value, "the loss", state.step + 1)
    fabric.backward(loss)
    if plan.optimiser.clip:
        norm: Any = fabric.clip_gradients(
            state.network,
            state.optimiser,
            max_norm=plan.optimiser.clip,
            error_if_nonfinite=False,  # reported below, in our own words
        )
        _require_number(float(norm), "the gradient's norm", state.step + 1)
    state.optimiser.step()
    state.optimiser.zero_grad()
    if plan.optimiser.ema:
        _average(state, plan.optimiser.ema)
    state.epoch.add(value, counts)
    return value


def _require_number(value: float, what: str, step: int) -> None:
    if not math.isfinite(value):
        raise FundoscopeError(f"step {step}", f"{what} is {value}", NOT_A_NUMBER)


def _require_numbers(state: _State) -> None:
    """Check the weights before they are kept: a step with a finite loss can ruin them."""
    if not all(bool(p.detach().isfinite().all()) for p in state.network.parameters()):
        raise FundoscopeError(f"step {state.step}", "the weights are not finite", NOT_A_NUMBER)


def _average(state: _State, decay: float) -> None:
    """Move the average of weights and statistics towards the network; a decay of 0 copies it."""
    import torch

    decay = min(decay, (1 + state.step) / (EMA_RAMP + state.step))
    ours, theirs = state.average.state_dict(), state.network.state_dict()
    floats = [k for k, v in ours.items() if v.is_floating_point()]
    with torch.no_grad():
        torch._foreach_lerp_([ours[k] for k in floats], [theirs[k] for k in floats], 1 - decay)
        for key in ours.keys() - set(floats):
            ours[key].copy_(theirs[key])


def _close_epoch(
    state: _State,
    task: Task,
    plan: Plan,
    epoch: int,
    folder: Path,
    fabric: Fabric,
    listeners: Listeners[Any],
) -> None:
    """Evaluate the average, keep it if it is the best so far, write check-point and figures."""
    seen, state.epoch = state.epoch, _Epoch()

    def close() -> tuple[float, int]:
        figures = _evaluated(state, task, plan, epoch, fabric)
        _keep(state, plan, epoch, folder, figures["score"])
        line = {
            "epoch": epoch,
            "step": state.step,
            "size": plan.stage(epoch).size,
            "rate": plan.rate(state.step - 1),
            "loss": seen.loss / max(1, seen.steps),
            "training": task.summarise(seen.counts),
            "training_seconds": round(state.seconds, 1),
            **figures,
        }
        _append(folder / METRICS, _without_nan(line))
        state.save(folder / CHECKPOINT)
        if listeners.epoch is not None:
            listeners.epoch(line)
        return state.best, state.stale

    state.best, state.stale = processes.by_first(fabric, close)


def _evaluated(state: _State, task: Task, plan: Plan, epoch: int, fabric: Fabric) -> dict[str, Any]:
    import torch

    if not plan.optimiser.ema:
        _average(state, 0.0)
    state.average.eval()
    with torch.inference_mode(), fabric.autocast():
        return task.evaluate(state.average, plan.stage(epoch).size, epoch)


def _keep(state: _State, plan: Plan, epoch: int, folder: Path, score: float) -> None:
    state.stale += 1
    if math.isnan(score):  # no later score would be greater than NaN
        score = -math.inf
    if score > state.best or not (folder / BEST).is_file():
        state.best, state.stale = score, 0
        size = plan.stage(epoch).size
        # What only helps in training is left out, see networks.with_maps.
        kept = getattr(state.average, "kept", state.average)
        best = {"network": kept.state_dict(), "epoch": epoch, "size": size}
        write_whole(folder / BEST, torch_files.content(best))


def _append(path: Path, line: dict[str, Any]) -> None:
    """Add a line of figures, in place of a line of the same epoch that a killed run left."""
    kept = [earlier for earlier in read_metrics(path) if earlier["epoch"] < line["epoch"]]
    content = "".join(json.dumps(each) + "\n" for each in (*kept, line))
    write_whole(path, content.encode())


def _without_nan(value: Any) -> Any:
    """The value with ``None`` in place of NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_whole(path: Path, content: bytes) -> None:
    """Write a file completely or not at all.

    Args:
        path: of the file.
        content: of the file.

    Raises:
        OutputError: the file cannot be written; an existing one is left unchanged.
    """
    # A fixed name, so that the next run overwrites what a killed run left behind.
    part = path.with_name(path.name + ".partial")
    with replacing(path, part=part, remedy=REMEDY):
        part.write_bytes(content)
