"""The training loop: one for every task, on a GPU or the processor.

Every random draw is a function of the seed and the step (:func:`generator_for`), and a check-point
holds all that the steps change (weights, their average, the optimiser). So a run that was killed
goes on to exactly the result that it would have had.
"""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from fundoscope.errors import OutputError

if TYPE_CHECKING:
    import torch
    from lightning.fabric import Fabric
    from torch import Tensor, nn

CHECKPOINT, BEST, METRICS = "checkpoint.pt", "best.pt", "metrics.jsonl"
FINAL_RATE: Final = 0.01
"""The cosine ends at this share of the peak learning rate."""
EMA_RAMP: Final = 10
"""The average forgets its untrained start: at step t its decay is at most (1 + t) / (10 + t)."""
PERMUTATION, AUGMENTATION, DROPOUT = range(3)
"""Streams of randomness."""


class Stage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Some epochs at one side length of the crops in pixels.

    ``frozen`` counts the network's first parts that rest in it, weights and statistics (0: none).
    The first parts work on the largest pictures and learn least: resting two of EfficientNet-Lite0
    makes a step a quarter shorter.
    """

    size: int
    epochs: int
    frozen: int = 0


class Optimiser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """AdamW with warm-up and cosine.

    ``warm_up`` is a share of all steps; ``clip`` the largest gradient norm; ``ema`` the decay of
    the weights' moving average a step.
    """

    batch: int = 24
    rate: float = 6e-4
    weight_decay: float = 0.02
    warm_up: float = 0.06
    clip: float = 2.0
    ema: float = 0.998


class Task(Protocol):
    """What the loop does not know: the data, the loss, and how good a network is."""

    def batch(self, positions: NDArray[np.int64], size: int, generator: torch.Generator) -> Any:
        """Inputs and targets of some training photographs (positions from 0)."""

    def loss(self, network: nn.Module, batch: Any) -> Tensor:
        """The mean loss of a batch."""

    def set_training(self, network: nn.Module, frozen: int) -> None:
        """Put the network into training mode but for its first parts, which rest."""

    def evaluate(self, network: nn.Module, size: int, epoch: int) -> dict[str, Any]:
        """Figures on validation; ``score`` decides which epoch is best (higher is better)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does; steps and epochs count from 0."""

    count: int
    stages: Sequence[Stage]
    optimiser: Optimiser
    seed: int
    checkpoint_every: int

    @property
    def epochs(self) -> int:
        return sum(stage.epochs for stage in self.stages)

    @property
    def steps_an_epoch(self) -> int:
        return max(1, self.count // self.optimiser.batch)

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_an_epoch

    def stage(self, epoch: int) -> Stage:
        """The stage that an epoch belongs to."""
        return [stage for stage in self.stages for _ in range(stage.epochs)][epoch]

    def size(self, epoch: int) -> int:
        """The side length of an epoch's crops."""
        return self.stage(epoch).size

    def rate(self, step: int) -> float:
        """The learning rate of a step: linear warm-up, then half a cosine."""
        warm = max(1, round(self.optimiser.warm_up * self.steps))
        if step < warm:
            return self.optimiser.rate * (step + 1) / warm
        share = (step - warm) / max(1, self.steps - warm)
        cosine = (1 + math.cos(math.pi * share)) / 2
        return self.optimiser.rate * (FINAL_RATE + (1 - FINAL_RATE) * cosine)

    def positions(self, step: int) -> NDArray[np.int64]:
        """Which photographs a step takes: its part of the epoch's permutation."""
        epoch, index = divmod(step, self.steps_an_epoch)
        order = np.random.default_rng((self.seed, PERMUTATION, epoch)).permutation(self.count)
        return order[index * self.optimiser.batch : (index + 1) * self.optimiser.batch]


@dataclass(frozen=True, slots=True)
class Report:
    """Where a run stands, for whoever shows it."""

    step: int
    steps: int
    epoch: int
    size: int
    loss: float
    photographs_a_second: float
    seconds_left: float


@dataclass(slots=True)
class _State:
    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.Optimizer
    step: int = 0
    best: float = -math.inf
    seconds: float = 0.0

    def save(self, path: Path) -> None:
        content = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "best": self.best,
            "seconds": self.seconds,
        }
        _write(path, _bytes(content))

    def restore(self, path: Path) -> None:
        import torch

        content = torch.load(path, map_location="cpu", weights_only=True)
        self.network.load_state_dict(content["network"])
        self.average.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.best = content["step"], content["best"]
        self.seconds = content["seconds"]


def train(
    network: nn.Module,
    task: Task,
    plan: Plan,
    fabric: Fabric,
    folder: Path,
    *,
    resume: bool = True,
    show: Callable[[Report], None] | None = None,
) -> None:
    """Train a network; ``best.pt`` and ``metrics.jsonl`` in the run folder are the result.

    Args:
        network: with its starting weights; it is changed.
        task: data, loss and evaluation.
        plan: stages, optimiser, seed.
        fabric: device and precision.
        folder: the run folder, which exists.
        resume: go on from the folder's check-point where there is one.
        show: called after every step.
    """
    state = _start(network, plan, fabric)
    if resume and (folder / CHECKPOINT).is_file():
        state.restore(folder / CHECKPOINT)
    speed = _Speed(plan)
    while state.step < plan.steps:
        epoch = state.step // plan.steps_an_epoch
        started = time.monotonic()
        loss = _step(state, task, plan, fabric)
        elapsed = time.monotonic() - started
        state.step += 1
        state.seconds += elapsed
        speed.add(plan.size(epoch), elapsed)
        if show is not None:
            show(speed.report(state.step, epoch, loss))
        if state.step % plan.steps_an_epoch == 0:
            _close_epoch(state, task, plan, epoch, folder, speed.mean_loss())
        elif state.step % plan.checkpoint_every == 0:
            state.save(folder / CHECKPOINT)


def generator_for(seed: int, stream: int, step: int) -> torch.Generator:
    """The generator of one step of one stream of randomness."""
    import torch

    value = np.random.SeedSequence((seed, stream, step)).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(value >> np.uint64(1)))


def _start(network: nn.Module, plan: Plan, fabric: Fabric) -> _State:
    import copy

    import torch

    network = network.to(memory_format=torch.channels_last)
    average = copy.deepcopy(network).eval().requires_grad_(False)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": plan.optimiser.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=plan.optimiser.rate, fused=True)
    wrapped, optimiser = fabric.setup(network, optimiser)
    return _State(wrapped, fabric.setup_module(average), optimiser)


def _step(state: _State, task: Task, plan: Plan, fabric: Fabric) -> float:
    import torch

    for group in state.optimiser.param_groups:
        group["lr"] = plan.rate(state.step)
    epoch = state.step // plan.steps_an_epoch
    augmentation = generator_for(plan.seed, AUGMENTATION, state.step)
    batch = task.batch(plan.positions(state.step), plan.size(epoch), augmentation)
    # Drop-out draws from torch's global generator, which is set anew for every step.
    torch.manual_seed(generator_for(plan.seed, DROPOUT, state.step).initial_seed())
    task.set_training(state.network, plan.stage(epoch).frozen)
    loss = task.loss(state.network, batch)
    fabric.backward(loss)
    fabric.clip_gradients(state.network, state.optimiser, max_norm=plan.optimiser.clip)
    state.optimiser.step()
    state.optimiser.zero_grad()
    _average(state, plan.optimiser.ema)
    return float(loss.detach())


def _average(state: _State, decay: float) -> None:
    """Move the average of weights and statistics towards the network's."""
    import torch

    decay = min(decay, (1 + state.step) / (EMA_RAMP + state.step))
    ours, theirs = state.average.state_dict(), state.network.state_dict()
    floats = [k for k, v in ours.items() if v.is_floating_point()]
    with torch.no_grad():
        torch._foreach_lerp_([ours[k] for k in floats], [theirs[k] for k in floats], 1 - decay)
        for key in ours.keys() - set(floats):
            ours[key].copy_(theirs[key])


def _close_epoch(
    state: _State, task: Task, plan: Plan, epoch: int, folder: Path, loss: float
) -> None:
    """Evaluate the average, keep it if it is the best so far, write check-point and figures."""
    import torch

    state.average.eval()
    with torch.inference_mode():
        figures = task.evaluate(state.average, plan.size(epoch), epoch)
    if figures["score"] > state.best or not (folder / BEST).is_file():
        state.best = figures["score"]
        best = {"network": state.average.state_dict(), "epoch": epoch, "size": plan.size(epoch)}
        _write(folder / BEST, _bytes(best))
    line = {
        "epoch": epoch,
        "step": state.step,
        "size": plan.size(epoch),
        "rate": plan.rate(state.step - 1),
        "loss": loss,
        "training_seconds": round(state.seconds, 1),
        **_without_nan(figures),
    }
    _append(folder / METRICS, line)
    state.save(folder / CHECKPOINT)


def _append(path: Path, line: dict[str, Any]) -> None:
    """Add a line of figures, in place of one of the same epoch that a killed run left."""
    lines = path.read_text().splitlines() if path.is_file() else []
    kept = [text for text in lines if json.loads(text)["epoch"] < line["epoch"]]
    content = "\n".join([*kept, json.dumps(line)]) + "\n"
    _write(path, content.encode())


def _without_nan(value: Any) -> Any:
    """The same with ``None`` for what is undefined, because JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _bytes(content: dict[str, Any]) -> bytes:
    import torch

    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        OutputError: it cannot be written; an earlier one is left as it was.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise OutputError(
            path.name,
            f"cannot be written ({error.strerror})",
            "free some space; the run then goes on from its last check-point",
        ) from None


class _Speed:
    """Photographs a second of late, the time left, and the epoch's mean loss."""

    MEMORY: Final = 0.98

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pixel_seconds: float | None = None
        self.losses: list[float] = []

    def add(self, size: int, elapsed: float) -> None:
        """Count one step of so many seconds."""
        cost = elapsed / size**2
        before = self.pixel_seconds
        self.pixel_seconds = (
            cost if before is None else self.MEMORY * before + (1 - self.MEMORY) * cost
        )

    def report(self, step: int, epoch: int, loss: float) -> Report:
        """The state after a step (steps done, epoch of the step)."""
        self.losses.append(loss)
        seconds = (self.pixel_seconds or 0.0) * self.plan.size(epoch) ** 2
        left = sum(self._steps_left(step)) * (self.pixel_seconds or 0.0)
        rate = self.plan.optimiser.batch / seconds if seconds else math.inf
        return Report(step, self.plan.steps, epoch, self.plan.size(epoch), loss, rate, left)

    def mean_loss(self) -> float:
        """The mean over the epoch that ends now (since a resume, over what was seen of it)."""
        mean = float(np.mean(self.losses)) if self.losses else math.nan
        self.losses.clear()
        return mean

    def _steps_left(self, step: int) -> Iterator[int]:
        """Pixels of a side, squared, of the steps to come, an epoch at a time."""
        each = self.plan.steps_an_epoch
        for epoch in range(step // each, self.plan.epochs):
            steps = each - max(0, step - epoch * each)
            yield steps * self.plan.size(epoch) ** 2
