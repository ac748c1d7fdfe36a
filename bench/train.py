"""How much the training loop costs beyond the training steps themselves.

    python bench/train.py [--threads 2] [--steps 10] [--rounds 5] [--only NAME ...]

Two loops take turns in one process, each for a segment of steps, with the same network, batch size
and optimiser:

- ours: `fundoscope.train.run.loop.train` with the grader's own task: pictures from the cache file,
  augmentation, normalisation, loss, clipping, moving average, counts, progress;
- bare: inputs in memory, ready for the network; forward, loss, backward, step, zero_grad.

Check-points are timed separately, once a segment, and counted as often as the configuration writes
them; evaluation is not counted. The pictures are phantoms, so no data are needed. The interval of
the ratio is a bootstrap over rounds. Needs [train].
"""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from lightning.fabric import Fabric
from PIL import Image

from fundoscope.data.manifest import Row
from fundoscope.grading import heads
from fundoscope.phantom import PhantomSpec, draw
from fundoscope.train.grading.config import GraderConfig, read_config
from fundoscope.train.grading.pictures import Pictures, parts
from fundoscope.train.grading.training import GradingTask, largest
from fundoscope.train.networks import weights
from fundoscope.train.run import loop, memory, optimisers
from fundoscope.train.run.listeners import Listeners
from fundoscope.train.run.plan import AUGMENTATION, PictureSize, Plan, Stage, generator_for
from fundoscope.train.run.settings import sides

CONFIGS = Path(__file__).parents[1] / "configs"
CASES: dict[str, tuple[str, PictureSize]] = {
    "grader-320": ("grader.toml", 320),
    "grader-192": ("grader.toml", 192),
    "theirs": ("students/theirs.toml", (200, 300)),
}
PHANTOMS = 10
"""Number of distinct phantoms; the cache repeats them."""
VALIDATION = 4
TARGET = 0.9
RESAMPLES = 2000


@dataclass
class Times:
    """Seconds of each segment and of each check-point."""

    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)
    checkpoints: list[float] = field(default_factory=list)


@dataclass
class Clock:
    """Time our loop's segments from inside, and let the bare loop run between them.

    The clock stands between the loop and its task: a step begins when the loop asks for its batch
    and ends when the loop reports it. The time between a segment's end and the next step is that of
    the check-point.
    """

    task: GradingTask
    steps: int
    bare: Callable[[], float]
    times: Times
    done: int = 0
    began: float = 0.0
    ended: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def batch(self, *args: Any) -> Any:
        now = time.perf_counter()
        if self.done % self.steps == 0:
            if self.ended is not None:
                self.times.checkpoints.append(now - self.ended)
            self.times.bare.append(self.bare())
            self.began = time.perf_counter()
        return self.task.batch(*args)

    def show(self, _: Any) -> None:
        self.done += 1
        if self.done % self.steps == 0:
            self.ended = time.perf_counter()
            self.times.ours.append(self.ended - self.began)


def pictures(config: GraderConfig, count: int, folder: Path) -> Pictures:
    """Make ``count`` training pictures in a memory-mapped file, like the cache's."""
    height, width = sides(config.data.crop_size)
    side = max(height, width)
    distinct = []
    for seed in range(PHANTOMS):
        spec = PhantomSpec(seed=seed, width=side, height=side, grade=seed % heads.GRADE_COUNT)
        picture = Image.fromarray(draw(spec)[0]).resize((width, height))
        distinct.append(np.array(picture))
    path = folder / "pictures"
    with path.open("wb") as file:
        for i in range(count + VALIDATION):
            file.write(distinct[i % PHANTOMS].data)
    rows = tuple(
        Row(
            line=i, image=f"{i}", grade=i % heads.GRADE_COUNT, split="train" if i < count else "val"
        )
        for i in range(count + VALIDATION)
    )
    whole = np.memmap(path, np.uint8, "r")
    return Pictures(rows, (), parts(whole, [(height, width)] * len(rows)))


def bare_loop(
    config: GraderConfig, network: torch.nn.Module, task: GradingTask, size: PictureSize, steps: int
) -> Callable[[], float]:
    """Make a function that takes ``steps`` steps and returns their seconds."""
    optimiser = optimisers.make(network, config.optimiser)
    count = config.optimiser.batch
    batches = [
        task.batch(np.arange(i * count, (i + 1) * count), size, generator_for(0, AUGMENTATION, i))
        for i in range(min(steps, 4))
    ]
    network.train()

    def run() -> float:
        began = time.perf_counter()
        for i in range(steps):
            batch = batches[i % len(batches)]
            loss = task.loss_of_batch(network(batch.shown), batch.grades)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        return time.perf_counter() - began

    return run


def measure(config: GraderConfig, size: PictureSize, steps: int, rounds: int) -> Times:
    """Run both loops in turn; the first round warms up and is not counted."""
    segments = rounds + 1
    config = msgspec.structs.replace(config, stages=(Stage(size, 1),))
    network = weights.start(
        config.network.name,
        heads.OUTPUTS[config.head],
        largest(config),
        dropout=config.network.dropout,
        init=weights.NONE,
    ).to(memory_format=torch.channels_last)
    times = Times()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = pictures(config, segments * steps * config.optimiser.batch, folder)
        task = GradingTask(data, config, torch.device("cpu"), folder)
        bare = bare_loop(config, copy.deepcopy(network), task, size, steps)
        clock = Clock(task, steps, bare, times)
        shapes = data.shapes[task.train_positions]
        plan = Plan(shapes, config.stages, config.optimiser, config.seed, steps)
        fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
        loop.train(network, clock, plan, fabric, folder, listeners=Listeners(step=clock.show))
    return Times(times.ours[1:], times.bare[1:], times.checkpoints)


def report(times: Times, config: GraderConfig, steps: int) -> Iterator[str]:
    """Write the median of a step, and the ratio of the two speeds."""
    save = float(np.median(times.checkpoints))
    ours = np.array(times.ours) / steps + save / config.checkpoint_every
    bare = np.array(times.bare) / steps
    batch = config.optimiser.batch
    for name, seconds in (("ours", ours), ("bare", bare)):
        middle = float(np.median(seconds))
        yield f"  {name}: {1000 * middle:.1f} ms a step, {batch / middle:.2f} photographs a second"
    yield f"  a check-point: {1000 * save:.0f} ms, every {config.checkpoint_every} steps (counted)"
    ratios = bare / ours
    rng = np.random.default_rng(0)
    draws = np.median(rng.choice(ratios, (RESAMPLES, len(ratios))), axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    middle = float(np.median(ratios))
    verdict = "reached" if middle >= TARGET else "missed"
    yield f"  ours / bare: {middle:.3f} [{low:.3f}, {high:.3f}]; {TARGET} is {verdict}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10, help="of a segment")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=CASES, default=list(CASES))
    args = parser.parse_args()
    memory.keep()
    torch.set_num_threads(args.threads)
    print(
        f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()},"
        f" {args.threads} threads, {args.rounds} rounds of {args.steps} steps each"
    )
    for name in args.only:
        file, size = CASES[name]
        config = read_config(CONFIGS / file)
        shown = size if isinstance(size, int) else f"{size[0]}x{size[1]}"
        print(f"{name}: {config.network.name} at {shown}, batch {config.optimiser.batch}")
        for line in report(measure(config, size, args.steps, args.rounds), config, args.steps):
            print(line)


if __name__ == "__main__":
    main()
