"""How long a training step takes with a configuration on this machine.

    .venv-train/bin/python bench/pace.py grader configs/grader.toml
    .venv-train/bin/python bench/pace.py detector configs/detector.toml

Times a few steps (forward, backward, optimiser) at the size of the last stage, with the precision
and threads of the configuration. A grader's pictures are random; a detector's tiles are real ones.
`scripts/campaign` runs it with each precision and number of threads, and takes the fastest.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from fundoscope.train.detection import checks as detector_checks
from fundoscope.train.detection import training as detector
from fundoscope.train.grading import config as grader_configs
from fundoscope.train.grading import training as grader
from fundoscope.train.networks import catalogue
from fundoscope.train.run import depthwise, devices

WARM, TIMED = 2, 4
"""Steps before the timed ones, which are slower, and timed steps."""


def main() -> None:
    """Print the median seconds of a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("grader", "detector"))
    parser.add_argument("config", type=Path)
    arguments = parser.parse_args()
    make = grader_step if arguments.kind == "grader" else detector_step
    step = make(arguments.config)
    seconds = []
    for _ in range(WARM + TIMED):
        started = time.monotonic()
        step()
        seconds.append(time.monotonic() - started)
    print(f"seconds a step: {statistics.median(seconds[WARM:]):.3f}")


def grader_step(path: Path) -> Callable[[], None]:
    """One step of a grader's training on random pictures."""
    config = grader_configs.read_config(path)
    devices.set_up(config)
    fabric = devices.fabric(config)
    network = grader.network_of(config, init="none")
    size = grader.largest(config)
    generator = torch.Generator().manual_seed(config.seed)
    batch = config.optimiser.batch
    pictures = torch.rand((batch, 3, size.height, size.width), generator=generator)
    grades = torch.randint(5, (batch,), generator=generator)
    punish = grader.loss_of(config, grades.numpy())
    catalogue.set_training(network, config.stages[-1].frozen)
    return _step(network, fabric, lambda: punish(network(pictures).float(), grades))


def detector_step(path: Path) -> Callable[[], None]:
    """One step of a detector's training on its own tiles."""
    config = detector_checks.read_config(path)
    devices.set_up(config)
    fabric = devices.fabric(config)
    data = detector.read_data(config)
    network = detector.network_of(config, data.kinds, data.anchors, init="none")
    task = detector.task_of(config, data, fabric.device, path.parent, None)
    generator = torch.Generator().manual_seed(config.seed)
    positions = torch.arange(config.optimiser.batch).numpy()
    batch = task.batch(positions, config.data.tile, generator)
    task.set_training(network, 0)
    return _step(network, fabric, lambda: task.loss(network, batch)[0])


def _step(network: nn.Module, fabric: Fabric, loss: Callable[[], Tensor]) -> Callable[[], None]:
    network.to(memory_format=torch.channels_last)
    depthwise.replace_all(network)
    optimiser = torch.optim.SGD((p for p in network.parameters() if p.requires_grad), lr=1e-6)

    def step() -> None:
        with fabric.autocast():
            value = loss()
        value.backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


if __name__ == "__main__":
    main()
